"""Cutting wanted transactions out of logs."""

from __future__ import annotations

import bisect
import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from failoverd.agent.binlog.logfile import LogFile
from failoverd.agent.faults import DAMAGED, Fault
from failoverd.gtid import GtidSet, GtidSetBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from failoverd.agent.binlog.delta import DeltaWriter
    from failoverd.agent.binlog.found import State, Transaction
    from failoverd.agent.binlog.scan import Contents


class Wanted:
    """A GTID set made for asking a million times."""

    def __init__(self, gtids: GtidSet) -> None:
        self._by_origin = {
            (uuid, tag): ([first for first, _ in runs], [last for _, last in runs]) for uuid, tag, runs in gtids.parts()
        }

    def has(self, uuid: str, tag: str, number: int) -> bool:
        """Whether the set holds this transaction."""
        runs = self._by_origin.get((uuid, tag))
        if runs is None:
            return False
        at = bisect.bisect_right(runs[0], number) - 1
        return at >= 0 and number <= runs[1][at]


@dataclass(frozen=True)
class Refused:
    """Wanted transactions that a file was said to hold and that cannot be taken from it, and why."""

    path: str
    gtids: GtidSet
    fault: Fault


def extract(
    files: Iterable[Contents], wanted: GtidSet, writer: DeltaWriter, max_bytes: int, check: Callable[[], None]
) -> tuple[GtidSet, list[Refused]]:
    """Send every wanted transaction that the files hold, each verified by its checksums; give what was sent.

    Files and stretches of them that hold nothing wanted are not read. Ends after the first transaction that passes
    `max_bytes` (0: no limit). What cannot be trusted is not sent but named, and sought in the files that follow.
    """
    left = wanted
    refused: list[Refused] = []
    for contents in files:
        sought = contents.holds & left
        if not sought:
            continue
        if not _from_file(contents, sought, _Taker(writer, max_bytes, check), refused):
            break
        left = wanted - writer.holds()
    return writer.finish(), refused


class _Taker:
    """Takes wanted transactions of one file; `room` turns False when the limit is reached."""

    def __init__(self, writer: DeltaWriter, max_bytes: int, check: Callable[[], None]) -> None:
        self.writer = writer
        self.check = check
        self.room = True
        self._max_bytes = max_bytes
        self.taken = GtidSetBuilder()

    def take(self, file: LogFile, state: State, one: Transaction) -> None:
        """Verify and send one transaction."""
        file.verify(one.start, one.end, state.checksums)
        self.writer.add(file, state, one)
        self.taken.add(one.uuid, one.tag, one.number)
        self.room = not self._max_bytes or self.writer.bytes < self._max_bytes


def _from_file(contents: Contents, sought: GtidSet, taker: _Taker, refused: list[Refused]) -> bool:
    """Send what one file holds of the sought ones; False when the limit is reached."""
    known = len(refused)
    most = 2 * sought.count() > contents.holds.count()
    try:
        with contextlib.closing(LogFile(contents.path, taker.check, whole=most)) as file:
            for state, there in _stretches(contents, file, sought):
                for gtids, fault in _from_stretch(file, state, there, taker):
                    refused.append(Refused(contents.path, gtids, fault))
            taker.writer.leave()
    except FileNotFoundError as error:
        refused.append(Refused(contents.path, sought, Fault.of_os_error(error, "a log file was purged meanwhile")))
    except Fault as fault:
        if fault.code != DAMAGED:
            raise
        refused.append(Refused(contents.path, sought - taker.taken.build(), fault))
    named = GtidSet()
    for one in refused[known:]:
        named |= one.gtids
    absent = sought - taker.taken.build() - named
    if absent and taker.room:
        name = os.path.basename(contents.path)
        why = Fault(DAMAGED, f"log file {name} does not hold what its head and the next one say", absent.shorten())
        refused.append(Refused(contents.path, absent, why))
    return taker.room


def _stretches(contents: Contents, file: LogFile, sought: GtidSet) -> Iterator[tuple[State, GtidSet]]:
    """The stretches that hold something sought: of a file that was walked only these are read again."""
    if not contents.segments:
        yield file.head(), sought
    for one in contents.segments:
        there = one.holds & sought
        if there:
            yield one.start.again(), there


def _from_stretch(file: LogFile, state: State, there: GtidSet, taker: _Taker) -> Iterator[tuple[GtidSet, Fault]]:
    """Send what a stretch holds of `there`, once each; give the damaged ones."""
    wanted, left = Wanted(there), there.count()
    for one in file.transactions(state):
        if not wanted.has(one.uuid, one.tag, one.number):
            continue
        try:
            taker.take(file, state, one)
        except Fault as fault:
            if fault.code != DAMAGED:
                raise
            yield GtidSet.single(one.uuid, one.tag, one.number), fault
        left -= 1
        taker.check()
        if not left or not taker.room:
            return
