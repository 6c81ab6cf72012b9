"""The bell that ends the cycle's rest early, behind the Wakeups port."""

from __future__ import annotations

import contextlib
import queue


class Bell:
    """Reasons rung from any thread or signal handler, collected by the one that rests.

    A SimpleQueue's put is re-entrant: a signal handler may ring while the same thread is inside `wait`, which no lock
    of our own would survive.
    """

    def __init__(self) -> None:
        self._rung: queue.SimpleQueue[str] = queue.SimpleQueue()

    def wait(self, seconds: float) -> frozenset[str]:
        """Rest up to that long; the reasons that ended it, empty when time ran out."""
        reasons: set[str] = set()
        with contextlib.suppress(queue.Empty):
            reasons.add(self._rung.get(timeout=max(seconds, 0.0)))
            while True:
                reasons.add(self._rung.get_nowait())
        return frozenset(reasons)

    def ring(self, reason: str) -> None:
        """End the rest now, or the next one if nobody rests."""
        self._rung.put(reason)
