"""Waiting with everything checked and agreed to, before anything is asked for: until a time, and while a file exists.

The command waits, no manager does: whatever happens meanwhile is dealt with as ever, and ending the command leaves
nothing behind. `failoverd ops attach` talks to it as to an operation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from failoverd.cli.session import Session
from failoverd.execute.control import waiting_with
from failoverd.model.control import Wishes
from failoverd.model.errors import ConfigError
from failoverd.model.plans import Plan

# How often it is looked whether it is time (seconds).
GLANCE = 0.5
# How often a person is told that it still waits (seconds).
WORD = 60.0
_CLOCK_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Until:
    """What is waited for: a time, a file to go; nothing where both are None."""

    at: datetime | None = None
    file: Path | None = None

    def waits_for(self, now: datetime) -> str:
        """What it still waits for, empty where for nothing."""
        if self.at is not None and now < self.at:
            return self.at.isoformat(timespec="seconds")
        return f"{self.file} to go" if self.file is not None and self.file.exists() else ""

    def rest(self, now: datetime) -> float:
        """Seconds until it is worth looking again."""
        left = (self.at - now).total_seconds() if self.at is not None else 0.0
        return min(GLANCE, left) if left > 0 else GLANCE


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


def hold(session: Session, made: Plan, until: Until) -> Wishes | None:
    """Return when what is waited for has come, or somebody said go or abort: what people want then. None where there
    was nothing to wait for.
    """
    clock, told = session.clock, float("-inf")
    if not until.waits_for(clock.wall()):
        return None
    standing = waiting_with(made, session.config.policy(made.cluster))
    controls = session.app().controls(standing)
    try:
        while True:
            wishes, waiting = controls.wishes(), until.waits_for(clock.wall())
            why = wishes.waited_for() or (waiting if not wishes.released else "")
            if wishes.given_up_by or not why:
                return wishes
            controls.stands(standing.waits(f"everything is checked; waiting for {why}"))
            if clock.now() - told >= WORD:
                told = clock.now()
                session.say(f"everything is checked; waiting for {why} (failoverd ops attach {made.cluster})")
            clock.sleep(until.rest(clock.wall()))
    finally:
        controls.close()
