"""What a walk of one file found, kept so that the next one reads only what was added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from failoverd.agent.binlog import events
from failoverd.agent.faults import DAMAGED, Fault
from failoverd.gtid import Gtid, GtidSet, GtidSetBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from failoverd.agent.binlog.found import State, Torn, Transaction
    from failoverd.agent.binlog.logfile import LogFile

SEGMENT = 16 * 1024 * 1024
"""Bytes of a stretch that is read as a whole when something of it is wanted: some 20 ms."""

_FIRST_LOOK = 512
_LANDMARK = 96


@dataclass(frozen=True)
class Segment:
    """A stretch of a file: where its first transaction begins, and what it holds."""

    start: State
    holds: GtidSet


class Walked:
    """How far a file was walked and what it held; `fault` is where the walk had to end."""

    def __init__(self, file: LogFile, verified: bool) -> None:
        self.state = file.head()
        self.verified = verified
        self.fault: Fault | None = None
        self.torn: Torn | None = None
        self.stamp = (-1, -1)
        self._first_look = first_look(file)
        self._landmark = (0, b"")
        self._closed: list[Segment] = []
        self._start = self.state.again()
        self._open = GtidSetBuilder()

    def continues(self, file: LogFile) -> bool:
        """Whether this is still the file that was walked: not a new one under its name, not one that was cut."""
        at, seen = self._landmark
        same = first_look(file)[: len(self._first_look)] == self._first_look
        return same and self.state.position <= file.size and file.read(at, len(seen)) == seen

    def go_on(self, file: LogFile) -> None:
        """Walk what was added; what was found stays found when the walk is broken off."""
        self.fault = None
        last = None
        try:
            for one in file.transactions(self.state, self.verified):
                self._add(one)
                last = one
        except Fault as fault:
            if fault.code != DAMAGED:
                raise
            self.fault = fault
        finally:
            if last is not None:
                self._landmark = (last.start, file.read(last.start, _LANDMARK))
        self.torn = None if self.fault else file.torn(self.state)

    def segments(self) -> tuple[Segment, ...]:
        """The stretches walked so far."""
        return (*self._closed, Segment(self._start, self._open.build()))

    def _add(self, one: Transaction) -> None:
        self._open.add(one.uuid, one.tag, one.number)
        if one.end - self._start.position >= SEGMENT:
            self._closed.append(Segment(self._start, self._open.build()))
            self._start, self._open = self.state.again(), GtidSetBuilder()

    def damaged(self) -> tuple[GtidSet, tuple[Fault, ...]]:
        """The transactions that a verifying walk has left out, and every fault it met."""
        found = [one for one in self.state.damage if one.uuid]
        faults = tuple(one.fault for one in self.state.damage) + ((self.fault,) if self.fault else ())
        return union(Gtid(one.uuid, one.tag, one.number) for one in found), faults


def first_look(file: LogFile) -> bytes:
    """The first bytes of a file without the mark of an open one, which goes away when it is closed."""
    data = bytearray(file.read(0, _FIRST_LOOK))
    at = len(events.MAGIC) + events.FLAGS_AT
    if len(data) > at:
        data[at] &= ~events.IN_USE & 0xFF
    return bytes(data)


def in_use(file: LogFile) -> bool:
    """Whether a file still carries the mark of an open one."""
    return any(flags & events.IN_USE for flags in file.read(len(events.MAGIC) + events.FLAGS_AT, 1))


def union(gtids: Iterable[Gtid]) -> GtidSet:
    """The set of some transactions."""
    builder = GtidSetBuilder()
    for one in gtids:
        builder.add(one.uuid, one.tag, one.number)
    return builder.build()
