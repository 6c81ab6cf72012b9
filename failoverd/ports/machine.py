"""Time, rest and side-by-side work, as the core needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Time. `now` counts suspends (BOOTTIME) and is for intervals; `wall` is UTC and for people."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""

    def wall(self) -> datetime:
        """The time of day, UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait, and nothing else."""


class Wakeups(Protocol):
    """What ends the cycle's rest early: a lost connection, a changed lock, a request, a signal."""

    def wait(self, seconds: float) -> frozenset[str]:
        """Rest up to that long; the reasons that ended it, empty when time ran out."""

    def ring(self, reason: str) -> None:
        """End the rest now; safe from any thread and from signal handlers."""


class Rounds(Protocol):
    """What is done again and again, each thing in a rhythm of its own."""

    def start(self, name: str, turn: Callable[[], float | None]) -> None:
        """Call it again and again, each time after the seconds that it returned or when its bell rings; None ends it.
        An error that leaves it ends the process.
        """


class Tasks(Protocol):
    """Side-by-side work."""

    def gather(self, calls: Mapping[str, Callable[[], T]], deadline: float) -> Mapping[str, T | Exception]:
        """Run all calls side by side; for each key its value or its error. A call that is not back by the deadline is
        answered with `TimedOut` whatever it does later. Never raises, names every key.
        """

    def start(self, name: str, call: Callable[[], None]) -> None:
        """Start a long-lived worker; an error that leaves it ends the process."""
