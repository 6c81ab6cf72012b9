"""Waiting with everything checked and agreed to, before anything is asked for: until a time, and while a file exists.

The command waits, no manager does: whatever happens meanwhile is dealt with as ever, and ending the command leaves
nothing behind.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

from failoverd.cli.session import Session
from failoverd.model.errors import ConfigError

# How often it is looked whether it is time (seconds).
GLANCE = 0.5
# How often a person is told that it still waits (seconds).
WORD = 60.0
_CLOCK_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def moment(text: str, now: datetime) -> datetime:
    """What `03:00` (the next one, of this machine's day) or a whole time with its zone means; ConfigError otherwise."""
    found = _CLOCK_TIME.fullmatch(text)
    if found is not None:
        here = now.astimezone()
        then = here.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
        return then if then > here else then + timedelta(days=1)
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--at {text} is no time", "", "03:00, or 2026-03-14T03:00+01:00") from None
    if then.tzinfo is None:
        raise ConfigError(f"--at {text} has no zone", "", f"{text}Z, or {text}+01:00")
    if then <= now:
        raise ConfigError(f"--at {text} has passed", "", "name a time to come")
    return then


def hold(session: Session, at: datetime | None, file: Path | None) -> bool:
    """Return when the time has come and the file is gone; whether that took any waiting."""
    clock, told, begun = session.clock, float("-inf"), session.clock.now()
    while True:
        left = (at - clock.wall()).total_seconds() if at is not None else 0.0
        held = file is not None and file.exists()
        if left <= 0 and not held:
            return clock.now() > begun
        if clock.now() - told >= WORD:
            told = clock.now()
            for_what = at.isoformat(timespec="seconds") if at is not None and left > 0 else f"{file} to go"
            session.say(f"everything is checked; waiting for {for_what}")
        clock.sleep(min(GLANCE, left) if left > 0 else GLANCE)
