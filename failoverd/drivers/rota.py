"""Rounds of many watches on few threads: each begins again when its rest is over, or as soon as its bell rings.

As many run at once as there are places. A round that takes longer than a moment gives its place away, so that one that
waits for a silent server, or is in the middle of an operation, never delays another's. Of those that take a little long
only some are let run at once: on a machine without time for us, more of them would only be more in each other's way.
"""

from __future__ import annotations

import heapq
import queue
import time
from collections.abc import Callable
from functools import partial

from failoverd.drivers.tasks import Pool, end_process
from failoverd.drivers.wakeups import Bell

# How many rounds may be under way that have lasted less than so many seconds.
PLACES = ((0.05, 8), (1.0, 20))

Turn = Callable[[], float | None]


class Seat:
    """One watch: when its next round is due, since when one is under way (both monotonic seconds), and whether its bell
    rang meanwhile. Only the thread that decides changes it.
    """

    def __init__(self, turn: Turn, due: float) -> None:
        self.turn = turn
        self.due = due
        self.since: float | None = None
        self.rung = False


class _Call(Bell):
    """A bell that is heard elsewhere, if anybody is there: `heard` says so."""

    def __init__(self, heard: Callable[[], bool]) -> None:
        super().__init__()
        self._heard = heard

    def ring(self, reason: str) -> None:
        """Leave word; safe from any thread and from signal handlers."""
        if not self._heard():
            super().ring(reason)


class Rota:
    """One thread decides who is next. It alone knows how it stands with everybody; others leave word for it."""

    def __init__(self, on_death: Callable[[str, BaseException], None] = end_process) -> None:
        self._pool = Pool()
        self._on_death = on_death
        self._words: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._seats: dict[str, Seat] = {}
        self._due: list[tuple[float, str]] = []
        self._under_way: dict[str, float] = {}
        self._deciding = False

    def bell(self, name: str) -> Bell:
        """A bell whose ringing ends the rest of that watch; before it has begun, it rings for whoever waits on it."""
        return _Call(lambda: self._leave_word(name))

    def start(self, name: str, turn: Turn) -> None:
        """Call it again and again, each time after the seconds that it returned; None ends it. An error that leaves it
        ends the process.
        """
        self._words.put(partial(self._seated, name, turn))
        if not self._deciding:
            self._deciding = True
            self._pool.run(self._live)

    def _leave_word(self, name: str) -> bool:
        if name not in self._seats:
            return False
        self._words.put(partial(self._rung, name))
        return True

    def _live(self) -> None:
        try:
            self._decide()
        except BaseException as error:  # noqa: BLE001 - nobody's next round would ever begin
            self._on_death("rota", error)

    def _decide(self) -> None:
        while True:
            wait = self._begin_due()
            try:
                word = self._words.get(timeout=wait)
                while True:
                    word()
                    word = self._words.get_nowait()
            except queue.Empty:
                continue

    def _begin_due(self) -> float | None:
        """Begin the rounds that are due, as far as there are places; seconds until more may begin without any word."""
        while self._due:
            due, name = self._due[0]
            seat, now = self._seats.get(name), time.monotonic()
            if seat is None or seat.due != due or seat.since is not None:
                heapq.heappop(self._due)
                continue
            if due > now:
                return due - now
            full = self._full(now)
            if full > 0.0:
                return full
            heapq.heappop(self._due)
            seat.since, seat.rung = now, False
            self._under_way[name] = now
            self._pool.run(partial(self._round, name, seat.turn))
        return None

    def _full(self, now: float) -> float:
        """Seconds until there is a place, if nobody ends before; 0 while there is one."""
        waits = [0.0]
        for moment, places in PLACES:
            young = sorted(since for since in self._under_way.values() if now - since < moment)
            if len(young) >= places:
                waits.append(young[len(young) - places] + moment - now)
        return max(waits)

    def _round(self, name: str, turn: Turn) -> None:
        """One round, on a thread of its own."""
        try:
            rest = turn()
        except BaseException as error:  # noqa: BLE001 - without this watch we are half a manager
            self._on_death(name, error)
            rest = None
        self._words.put(partial(self._ended, name, rest))

    def _seated(self, name: str, turn: Turn) -> None:
        self._seats[name] = Seat(turn, time.monotonic())
        heapq.heappush(self._due, (self._seats[name].due, name))

    def _rung(self, name: str) -> None:
        seat = self._seats.get(name)
        if seat is not None and seat.since is not None:
            seat.rung = True
        elif seat is not None:
            self._rest(name, seat, 0.0)

    def _ended(self, name: str, rest: float | None) -> None:
        seat = self._seats[name]
        seat.since = None
        del self._under_way[name]
        if rest is None:
            del self._seats[name]
        else:
            self._rest(name, seat, 0.0 if seat.rung else rest)

    def _rest(self, name: str, seat: Seat, seconds: float) -> None:
        seat.due = time.monotonic() + max(seconds, 0.0)
        heapq.heappush(self._due, (seat.due, name))
