"""What a server's applier will be able to execute: its logs from its position on, every checksum computed."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from failoverd.agent.binlog.logfile import LogFile
from failoverd.agent.faults import DAMAGED, ENCRYPTED, Fault
from failoverd.gtid import GtidSet, GtidSetBuilder

if TYPE_CHECKING:
    from collections.abc import Callable

    from failoverd.agent.binlog.found import Torn
    from failoverd.agent.binlog.places import LogPlace


@dataclass(frozen=True)
class Verified:
    """`sound` is what stands before the first fault, `behind` what is sound behind it: the applier never gets there by
    itself, but it can be copied out. `torn` is the end of the last file, where something may still be written.
    """

    sound: GtidSet
    behind: GtidSet
    faults: tuple[Fault, ...]
    torn: Torn | None
    bytes: int
    files: int


class _Verifying:
    """Collects over the files."""

    def __init__(self, check: Callable[[], None]) -> None:
        self.check = check
        self.sound = GtidSetBuilder()
        self.behind = GtidSetBuilder()
        self.faults: list[Fault] = []
        self.torn: Torn | None = None
        self.bytes = 0
        self.files = 0

    def read(self, path: str, position: int) -> None:
        """Read one file from a position on."""
        if self.torn is not None:
            torn, self.torn = self.torn, None
            why = f"{torn.bytes} bytes are no whole transaction, and the next file follows"
            self.faults.append(Fault(DAMAGED, f"log file {torn.file} is damaged at offset {torn.offset}", why))
        try:
            with contextlib.closing(LogFile(path, self.check)) as file:
                self.files += 1
                self.bytes += max(0, file.size - position)
                self._walk(file, position)
        except FileNotFoundError:
            self.faults.append(Fault(DAMAGED, f"log file {os.path.basename(path)} is gone", "the index names it"))
        except Fault as fault:
            if fault.code not in (DAMAGED, ENCRYPTED):
                raise
            self.faults.append(fault)

    def _walk(self, file: LogFile, position: int) -> None:
        state = file.standing_at(position)
        try:
            for one in file.transactions(state, verify=True):
                into = self.behind if self.faults or state.damage else self.sound
                into.add(one.uuid, one.tag, one.number)
        finally:
            self.faults.extend(one.fault for one in state.damage)
        self.torn = file.torn(state)


def verify(place: LogPlace, first: str, position: int, check: Callable[[], None]) -> Verified:
    """Read a log as its server's applier would: in the index's order, from file `first` (a name) and `position` on.

    A file or an index that the applier would stumble over is a fault, too. "" and 0: from the oldest file on.
    """
    run = _Verifying(check)
    for path in _ahead(place, first, run.faults):
        check()
        run.read(path, position if os.path.basename(path) == first else 0)
    faults = tuple(run.faults)
    return Verified(run.sound.build(), run.behind.build(), faults, run.torn, run.bytes, run.files)


def _ahead(place: LogPlace, first: str, faults: list[Fault]) -> list[str]:
    """The files from `first` on; where the index does not lead there, what lies in the folder, and a fault.

    A file older than all that the index names was executed and purged since the position was read.
    """
    named = [path for path in place.indexed() if place.number_of(os.path.basename(path)) is not None]
    names = [os.path.basename(path) for path in named]
    if first in names:
        return named[names.index(first) :]
    wanted = place.number_of(first) or 0
    numbers = [place.number_of(name) or 0 for name in names]
    if numbers and wanted < min(numbers):
        return named
    index = os.path.basename(place.index)
    says = f"does not name {first}, where the applier stands" if named else "names no file"
    faults.append(Fault(DAMAGED, f"the index {index} {says}", "the server cannot go on from it"))
    return [path for path in place.files() if (place.number_of(os.path.basename(path)) or 0) >= wanted]
