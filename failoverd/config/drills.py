"""The section `drills` of a cluster: whether, when and how it may be rehearsed on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from failoverd.config.complaints import Wrong
from failoverd.config.document import Scalar
from failoverd.config.kinds import Choice, SecretAt, Switch, Text
from failoverd.config.secret import Secret
from failoverd.model.permit import BREAKING, DAYS, Permit, Window
from failoverd.model.runbook import Fault

_FORM: Final = re.compile(
    r"(daily|[A-Z][a-z]{2})(?:-([A-Z][a-z]{2}))? ([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)"
)
_SCHEMA: Final = Text(re.compile(r"[A-Za-z0-9_$]{1,64}"), "a schema's name")
_ACCOUNT: Final = Text(re.compile(r"[^\s'\"`\\]*"), "an account's name", most=32)


@dataclass(frozen=True, slots=True)
class Week:
    """A window like `Sun 02:00-04:00`, `Mon-Fri 22:00-02:00` or `daily 03:00-04:00`; empty for any time."""

    def read(self, scalar: Scalar, base: Path) -> str:
        """The window as written, when it means something."""
        window_of(scalar.text)
        return scalar.text


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone of the machine's list."""

    def read(self, scalar: Scalar, base: Path) -> str:
        """Its name."""
        try:
            ZoneInfo(scalar.text)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise Wrong(f"'{scalar.text}' is no time zone of this machine", "as in Europe/Berlin or UTC") from None
        return scalar.text


def window_of(text: str) -> Window | None:
    """The window that the text means, None for none; Wrong for what is no window."""
    if not text:
        return None
    found = _FORM.fullmatch(text)
    hint = "as in Sun 02:00-04:00, Mon-Fri 22:00-02:00 or daily 03:00-04:00"
    if found is None or (found[2] and found[1] == "daily"):
        raise Wrong(f"'{text}' is no window of the week", hint)
    first, last = found[1], found[2] or found[1]
    if first == "daily":
        first, last = DAYS[0], DAYS[-1]
    if first not in DAYS or last not in DAYS:
        raise Wrong(f"'{text}' names a day that is none of {', '.join(DAYS)}", hint)
    begin, end = DAYS.index(first), DAYS.index(last)
    days = frozenset((begin + number) % 7 for number in range((end - begin) % 7 + 1))
    return Window(days, int(found[3]) * 60 + int(found[4]), int(found[5]) * 60 + int(found[6]))


@dataclass(frozen=True, slots=True)
class DrillsConfig:
    """Rehearsals on this very cluster, not on a lab."""

    allowed: Annotated[bool, Switch(), "Whether drills may be done on this cluster."] = False
    window: Annotated[str, Week(), "When, as in Sun 02:00-04:00; empty for any time."] = ""
    timezone: Annotated[str, Zone(), "The zone that the window is meant in."] = "UTC"
    faults: Annotated[tuple[str, ...], Choice(tuple(map(str, BREAKING))), "What may be broken."] = ()
    user: Annotated[str, _ACCOUNT, "The account of the client that writes during a drill."] = ""
    password_file: Annotated[Secret | None, SecretAt(), "Where its password is read."] = None
    database: Annotated[str, _SCHEMA, "The schema that the client makes its table in."] = "failoverd_drill"

    @property
    def permit(self) -> Permit:
        """The section as judging needs it."""
        return Permit(self.allowed, window_of(self.window), self.window, frozenset(map(Fault, self.faults)))
