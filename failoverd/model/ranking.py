"""Who should win and what that needs: the outcome of choosing a candidate, shared by deciding, planning and showing."""

from __future__ import annotations

from dataclasses import dataclass, field

from failoverd.gtid import GtidSet


@dataclass(frozen=True, slots=True)
class Ranking:
    """The choice of a candidate on one snapshot.

    `elect` is empty when nobody is eligible. `target` is everything legitimate that the elect must have executed before
    it opens; `missing` is legitimate, known, and held by nobody who can give it. `obstacles` names for each server that
    is not eligible the rows that say so; `why_not` is their sentences, and for eligible losers why another one won.
    """

    elect: str
    target: GtidSet = field(default_factory=GtidSet)
    missing: GtidSet = field(default_factory=GtidSet)
    why_not: tuple[tuple[str, str], ...] = ()
    obstacles: tuple[tuple[str, tuple[str, ...]], ...] = ()
    errant: tuple[tuple[str, GtidSet], ...] = ()

    def stopped_only_by(self, obstacle: str) -> tuple[str, ...]:
        """Servers that would be eligible but for this one row."""
        return tuple(name for name, rows in self.obstacles if rows == (obstacle,))
