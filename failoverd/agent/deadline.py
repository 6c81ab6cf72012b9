"""The time an operation has."""

from __future__ import annotations

import time

from failoverd.agent.faults import TIMEOUT, Fault


class Deadline:
    """A moment on the monotonic clock, `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left, never below 0."""
        return max(0.0, self._at - time.monotonic())

    def check(self) -> None:
        """Raise Fault TIMEOUT once the time is over."""
        if time.monotonic() >= self._at:
            raise Fault(TIMEOUT, f"not done within {self.seconds:g} s")

    def pause(self, seconds: float) -> None:
        """Sleep, but not past the deadline; Fault TIMEOUT once the time is over."""
        self.check()
        time.sleep(min(seconds, self.left()))
