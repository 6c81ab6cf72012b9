"""The machine's time behind the Clock port."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """Time as the kernel gives it.

    `now` is CLOCK_BOOTTIME: it never goes back and counts a suspend of this machine, so that a lease does not look
    young after one. A pause of the whole machine by its hypervisor is not counted by any clock in it.
    """

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall(self) -> datetime:
        """The time of day, UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait; nothing happens for zero and below."""
        if seconds > 0:
            time.sleep(seconds)
