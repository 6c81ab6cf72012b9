"""Whether a drill may be done on a real cluster: permission, window, and faults that end by themselves; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from failoverd.model.runbook import FAULTS, Fault, FaultStep, Role, Runbook

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
BREAKING: Final = (Fault.KILL, Fault.FREEZE, Fault.CUT)
_SERVERS: Final = frozenset({Role.PRIMARY, Role.REPLICA, Role.OTHER_REPLICA, Role.REPLICAS})


@dataclass(frozen=True, slots=True)
class Window:
    """A time of the week: days as numbers (0 is Monday), begin and end as minutes of the day; it may pass midnight."""

    days: frozenset[int]
    begin: int
    end: int

    def holds(self, at: datetime) -> bool:
        """Whether that local time lies inside; after midnight the day is that of the beginning."""
        minute = at.hour * 60 + at.minute
        if self.begin <= self.end:
            return at.weekday() in self.days and self.begin <= minute < self.end
        late = at.weekday() in self.days and minute >= self.begin
        return late or ((at.weekday() - 1) % 7 in self.days and minute < self.end)


@dataclass(frozen=True, slots=True)
class Permit:
    """What a cluster's configuration allows; `window` None: at any time."""

    allowed: bool = False
    window: Window | None = None
    window_text: str = ""
    faults: frozenset[Fault] = frozenset()


def fits_clusters(book: Runbook) -> bool:
    """Whether a cluster that allows every fault at any time would let it be done there; the others are for labs."""
    everything = Permit(True, None, "", frozenset(BREAKING))
    return not objections(book, everything, datetime.min.replace(tzinfo=UTC))


def objections(book: Runbook, permit: Permit, local: datetime) -> tuple[str, ...]:
    """Everything that stands against this drill on a real cluster at this local time, each with file and line."""
    return tuple(_objections(book, permit, local))


def _objections(book: Runbook, permit: Permit, local: datetime) -> Iterator[str]:
    where = f"{book.file}:1"
    if not permit.allowed:
        yield f"{where}: the cluster does not allow drills (clusters.*.drills.allowed)"
    if permit.window is not None and not permit.window.holds(local):
        yield f"{where}: now is {local:%a %H:%M}, and drills are allowed {permit.window_text} only"
    if not book.blast_radius:
        yield f"{where}: blast_radius is missing: on a real cluster a runbook says whom it may hit"
    if book.lab.failpoint:
        yield f"{where}: lab.failpoint is for labs only"
    if book.probe.through == "haproxy":
        yield f"{where}: probe.through: haproxy is the lab's own: say HOST:PORT, where clients of this cluster connect"
    for step in (*book.steps, *book.cleanup):
        if isinstance(step, FaultStep):
            yield from _against(step, permit)


def _against(step: FaultStep, permit: Permit) -> Iterator[str]:
    if not FAULTS[step.fault].real:
        yield f"{step.place}: no agent undoes '{step.fault}': it is for labs only"
        return
    if step.fault in BREAKING and step.fault not in permit.faults:
        allowed = ", ".join(sorted(permit.faults)) or "no fault"
        yield f"{step.place}: the cluster does not allow '{step.fault}' (clusters.*.drills.faults: {allowed})"
    if step.at is not None and step.at not in _SERVERS:
        yield f"{step.place}: no agent stands beside '{step.at}': on a real cluster servers alone are hit"
    if step.fault is Fault.CUT and step.peer is not Role.EVERYBODY:
        yield f"{step.place}: on a real cluster a server is cut off from everybody, or not at all (peer: everybody)"
