"""How a piece of work gets on: since when it has not moved, and about how long it will take."""

from __future__ import annotations

from failoverd.ports import Clock

# Before this much has been seen, a rate says nothing (seconds).
_SEEN = 1.0


class Pace:
    """Progress of one piece of work, in any unit that grows."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun = self._moved_at = clock.now()
        self._first: int | None = None
        self._last = 0
        self._work = 0

    def moved(self, amount: int) -> bool:
        """Note how far it has come; whether that is further than ever before."""
        if self._first is None:
            self._first = self._last = amount
            self._begun = self._moved_at = self._clock.now()
            return True
        if amount <= self._last:
            return False
        self._last, self._moved_at = amount, self._clock.now()
        return True

    def worked(self, work: int) -> bool:
        """Note a count that grows inside one long transaction; growth is progress too."""
        grew, self._work = work > self._work > 0, work
        if grew:
            self._moved_at = self._clock.now()
        return grew

    def idle(self) -> float:
        """Seconds without progress."""
        return self._clock.now() - self._moved_at

    def rate(self) -> float | None:
        """How much is done in a second; None while too little was seen."""
        seconds = self._clock.now() - self._begun
        done = self._last - (self._first if self._first is not None else self._last)
        return None if seconds < _SEEN or done <= 0 else done / seconds

    def eta(self, left: int) -> str:
        """The rate and the rest in words; empty while too little was seen."""
        rate = self.rate()
        if rate is None:
            return ""
        return f", {rate:.0f}/s, about {left / rate:.0f} s more"
