"""One moment of a manager's watch: everything that a judgement was made from, and the judgement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from failoverd.model.history import History
from failoverd.model.policy import ClusterPolicy
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Moment:
    """A look with the memory, the settings and the clocks that went into its verdict; `now` is our clock's seconds,
    `wall` the time of day's.
    """

    snapshot: TopologySnapshot
    history: History
    policy: ClusterPolicy
    now: float
    wall: float
    verdict: Verdict


class Flight(Protocol):
    """The recorder of what was seen and judged. Neither call waits or fails, whatever the disk does."""

    def note(self, moment: Moment) -> None:
        """Keep a moment for some minutes."""

    def keep(self, cluster: str, name: str) -> None:
        """Copy the last minutes aside, under the name of what has happened."""


class Unrecorded:
    """Nobody keeps the moments: for commands, which judge once."""

    def note(self, moment: Moment) -> None:
        """Forget it."""

    def keep(self, cluster: str, name: str) -> None:
        """There is nothing to keep."""
