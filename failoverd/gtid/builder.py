"""A collector for scans: transactions come one by one, mostly in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from failoverd.gtid.intervals import canonical
from failoverd.gtid.sets import GtidSet

if TYPE_CHECKING:
    from failoverd.gtid.text import Origin


class GtidSetBuilder:
    """Collects transactions; one that follows its forerunner of the same origin costs no memory and constant time.

    Uuid and tag must be in lower case and valid, as log files give them: a scan adds millions and checks nothing twice.
    """

    def __init__(self) -> None:
        self._open: dict[Origin, list[int]] = {}
        self._closed: dict[Origin, list[tuple[int, int]]] = {}

    def add(self, uuid: str, tag: str, number: int) -> None:
        """Add one transaction; order and repetition do not matter to the result."""
        origin = (uuid, tag)
        run = self._open.get(origin)
        if run is None:
            self._open[origin] = [number, number]
        elif number == run[1] + 1:
            run[1] = number
        elif not run[0] <= number <= run[1]:
            self._closed.setdefault(origin, []).append((run[0], run[1]))
            run[0] = run[1] = number

    def build(self) -> GtidSet:
        """Give what was added so far; adding may go on afterwards."""
        return GtidSet.of(
            {origin: canonical([*self._closed.get(origin, ()), (run[0], run[1])]) for origin, run in self._open.items()}
        )
