"""What a log holds, found out by the heads of its files wherever they say it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Callable

from failoverd.agent.binlog.logfile import LogFile
from failoverd.agent.binlog.walks import Segment, Walked, first_look, in_use
from failoverd.agent.faults import DAMAGED, ENCRYPTED, Fault
from failoverd.gtid import GtidSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from failoverd.agent.binlog.found import Torn

Key = tuple[int, int]
"""Device and inode: the same file under whatever name; what was read of it tells whether it still is."""

Enough = Callable[[GtidSet], bool]
"""Whether nothing is sought in what came before a file, given its PREVIOUS_GTIDS."""

_SMALLEST_TRANSACTION = 80
"""Bytes: less than a GTID event and the shortest event after it take in any version."""


@dataclass(frozen=True)
class Contents:
    """One file: its size, what it holds, where it is torn; `exact` is False where the heads of two files say it.

    `faults` tell what could not be read or trusted; `segments` are the stretches of a file that was walked; `previous`
    is what its head says to be in the files before it, and `in_use` whether it was not closed.
    """

    path: str
    size: int
    holds: GtidSet
    torn: Torn | None
    exact: bool
    faults: tuple[Fault, ...] = ()
    segments: tuple[Segment, ...] = ()
    previous: GtidSet | None = None
    in_use: bool = False


class _Head:
    """What the head of one file says; `stamp` (size and time of the last change) tells whether it was touched since."""

    def __init__(self, path: str, stamp: tuple[int, int]) -> None:
        self.path = path
        self.stamp = stamp
        self.previous: GtidSet | None = None
        self.in_use = False
        self.fault: Fault | None = None
        self.first_look = b""


class Scanner:
    """Reads logs and remembers heads and walks between requests; one per agent, used under a lock of its owner."""

    def __init__(self) -> None:
        self._heads: dict[Key, _Head] = {}
        self._walks: dict[Key, Walked] = {}
        self._distrusted: dict[Key, list[tuple[GtidSet, Fault]]] = {}

    def scan(
        self, paths: Sequence[str], verify: bool, check: Callable[[], None], enough: Enough | None = None
    ) -> list[Contents]:
        """Say what each file of one log holds, oldest first; `check` is called often and may raise to end the scan.

        With `enough` only from the newest file on of which it says that nothing is sought before it: for logs whose
        files each begin with all that came before them. It keeps memory small where sets are huge and files are many.

        PREVIOUS_GTIDS of a file is everything before it: the difference to the next file's is what it holds. Only the
        last file, and files of which their heads do not say it for sure, are walked; with `verify` all are. What was
        found until `check` raised is remembered. A file that went away meanwhile was purged and is passed over.
        """
        heads = self._heads_from(paths, enough, check)
        self._forget(heads)
        found: list[Contents] = []
        for at, (key, head) in enumerate(heads):
            check()
            following = heads[at + 1][1].previous if at + 1 < len(heads) else None
            with contextlib.suppress(FileNotFoundError):
                if head.fault is not None:
                    faults = (head.fault,)
                    found.append(Contents(head.path, head.stamp[0], GtidSet(), None, exact=True, faults=faults))
                elif following is not None and _told(head, following) and not verify:
                    found.append(self._told(key, head, following))
                else:
                    found.append(self._walk(key, head, verify, check))
        return found

    def distrust(self, path: str, gtids: GtidSet, fault: Fault) -> None:
        """Remember that a transaction of a file turned out to be damaged: no later scan says that the file has it."""
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(path)
            self._distrusted.setdefault((status.st_dev, status.st_ino), []).append((gtids, fault))

    def _heads_from(
        self, paths: Sequence[str], enough: Enough | None, check: Callable[[], None]
    ) -> list[tuple[Key, _Head]]:
        found = []
        for path in reversed(paths):
            check()
            with contextlib.suppress(FileNotFoundError):
                found.append(self._head(path))
                previous = found[-1][1].previous
                if enough is not None and previous is not None and enough(previous):
                    break
        return found[::-1]

    def _head(self, path: str) -> tuple[Key, _Head]:
        status = os.stat(path)
        key, stamp = (status.st_dev, status.st_ino), (status.st_size, status.st_mtime_ns)
        known = self._heads.get(key)
        if known is not None and known.stamp == stamp:
            known.path = path
            return key, known
        head = _Head(path, stamp)
        with contextlib.closing(LogFile(path)) as file:
            head.first_look = first_look(file)
            if known is not None and known.previous is not None and known.first_look == head.first_look:
                known.path, known.stamp, known.in_use = path, stamp, in_use(file)
                return key, known
            try:
                state = file.head()
                head.previous, head.in_use = state.previous, state.in_use
            except Fault as fault:
                if fault.code not in (DAMAGED, ENCRYPTED):
                    raise
                head.fault = fault
        self._heads[key] = head
        self._distrusted.pop(key, None)
        return key, head

    def _forget(self, heads: Iterable[tuple[Key, _Head]]) -> None:
        """Keep nothing of files that are gone, so that memory stays as large as the logs are many."""
        present = {key for key, _ in heads}
        folders = {os.path.dirname(head.path) for _, head in heads}
        for key, head in list(self._heads.items()):
            if key not in present and os.path.dirname(head.path) in folders and not os.path.exists(head.path):
                for memory in (self._heads, self._walks, self._distrusted):
                    memory.pop(key, None)

    def _told(self, key: Key, head: _Head, following: GtidSet) -> Contents:
        holds = following - (head.previous or GtidSet())
        return self._contents(key, head, Contents(head.path, head.stamp[0], holds, None, exact=False))

    def _walk(self, key: Key, head: _Head, verify: bool, check: Callable[[], None]) -> Contents:
        walked = self._walks.get(key)
        if walked is None or walked.stamp != head.stamp or walked.verified < verify:
            with contextlib.closing(LogFile(head.path, check)) as file:
                if walked is None or walked.verified < verify or not walked.continues(file):
                    walked = self._walks[key] = Walked(file, verify)
                walked.go_on(file)
                walked.stamp = head.stamp
        segments = walked.segments()
        holds = GtidSet()
        for one in segments:
            holds |= one.holds
        bad, faults = walked.damaged()
        contents = Contents(head.path, head.stamp[0], holds - bad, walked.torn, True, faults, segments)
        return self._contents(key, head, contents)

    def _contents(self, key: Key, head: _Head, found: Contents) -> Contents:
        """Take away what is distrusted, and add what the head says."""
        holds, faults = found.holds, list(found.faults)
        for gtids, fault in self._distrusted.get(key, ()):
            holds -= gtids
            faults.append(fault)
        values = {"holds": holds, "faults": tuple(faults), "previous": head.previous, "in_use": head.in_use}
        return replace(found, **values)  # type: ignore[arg-type]


def _told(head: _Head, following: GtidSet) -> bool:
    """Whether two heads say for sure what stands between them.

    After a restart with relay_log_recovery, or under another source, a relay log begins anew with a set that does not
    contain what is in the file before it: sets that do not grow prove nothing. A set that grows by more than the file
    has room for grew by a change of gtid_purged.
    """
    if head.previous is None or not head.previous < following:
        return False
    return (following - head.previous).count() * _SMALLEST_TRANSACTION <= head.stamp[0]
