"""Cutting wanted transactions out of logs."""

from __future__ import annotations

import bisect
import contextlib
from typing import TYPE_CHECKING

from failoverd.agent.binlog.logfile import LogFile
from failoverd.gtid import GtidSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from failoverd.agent.binlog.delta import DeltaWriter
    from failoverd.agent.binlog.scan import Contents

_CHECK_EVERY = 500


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


def extract(
    files: Iterable[Contents], wanted: GtidSet, writer: DeltaWriter, max_bytes: int, check: Callable[[], None]
) -> GtidSet:
    """Send every wanted transaction that the files hold, each verified by its checksums; give what was sent.

    Files that hold nothing wanted are not opened. Ends after the first transaction that passes `max_bytes` (0: no
    limit). Fault DAMAGED names the first wanted transaction that cannot be trusted.
    """
    left = wanted
    for contents in files:
        sought = contents.holds & left
        if not sought:
            continue
        if not _from_file(contents, sought, writer, max_bytes, check):
            break
        left = wanted - writer.holds()
    return writer.finish()


def _from_file(
    contents: Contents, sought: GtidSet, writer: DeltaWriter, max_bytes: int, check: Callable[[], None]
) -> bool:
    """Send what one file holds of the sought ones; False when the limit is reached."""
    wanted, left = Wanted(sought), sought.count()
    with contextlib.closing(LogFile(contents.path)) as file:
        state = file.head()
        for count, one in enumerate(file.transactions(state)):
            if count % _CHECK_EVERY == 0:
                check()
            if not wanted.has(one.uuid, one.tag, one.number):
                continue
            file.verify(one.start, one.end, state.checksums)
            writer.add(file, state, one)
            left -= 1
            if not left or (max_bytes and writer.bytes >= max_bytes):
                break
        writer.leave()
    return not max_bytes or writer.bytes < max_bytes
