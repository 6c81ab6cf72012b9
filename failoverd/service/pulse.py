"""Whether the loops of this manager still run: each beats by asking for the time, and one that beats no more is named.

Counted are the manager's own ticks, not seconds: a machine that was suspended, or a manager that was frozen, finds
nobody's loop to have stood still.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from failoverd.ports import Clock

# Ticks without a beat. Every call of a turn has a deadline of a few seconds; a step of an operation may read logs of
# gigabytes before it comes back.
PATIENCE = 20
PATIENCE_OPERATING = 900


class Pulse:
    """A cluster's clock, which counts how often it was asked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.beats = 0

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        self.beats += 1
        return self._clock.now()

    def wall(self) -> datetime:
        """The time of day, UTC."""
        self.beats += 1
        return self._clock.wall()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.beats += 1
        self._clock.sleep(seconds)


class Loop(Protocol):
    """What is looked after: the loop of one cluster."""

    @property
    def name(self) -> str:
        """The cluster."""

    @property
    def beats(self) -> int:
        """A number that grows while the loop runs."""

    @property
    def patience(self) -> float:
        """Ticks that may pass without a beat as things stand."""


class Watchdog:
    """Counts for each loop the ticks in which it did not beat."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int]] = {}

    def tick(self, loops: Iterable[Loop]) -> tuple[str, ...]:
        """One tick has passed: the clusters whose loop stands still, none when all is well."""
        hung = []
        for loop in loops:
            beats, quiet = self._seen.get(loop.name, (-1, 0))
            quiet = 0 if loop.beats != beats else quiet + 1
            self._seen[loop.name] = (loop.beats, quiet)
            if quiet > loop.patience:
                hung.append(loop.name)
        return tuple(hung)
