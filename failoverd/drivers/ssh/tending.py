"""One thread that looks after all lines to agents; each is opened on a thread of its own, a few side by side."""

from __future__ import annotations

import threading
from functools import partial
from typing import Protocol

from failoverd.ports import Tasks

_LOOK = 1.0  # seconds between two looks when nothing happens
OPENINGS = 12  # side by side: each takes up to three threads for a while, and time of the processor
RETRIES = 6  # of them for hosts that did not answer the last time, so that dead ones do not keep the others waiting


class Tended(Protocol):
    """What is looked after: something that is opened when it is due."""

    @property
    def ended(self) -> bool:
        """Whether it is over for good."""

    @property
    def down(self) -> bool:
        """Whether it could not be opened the last time."""

    def due(self) -> float:
        """Seconds until it is to be opened: endless where it is not. Must not wait."""

    def open(self) -> None:
        """Try to, within deadlines of its own."""


class Tender:
    """Lines say that they exist, and wake it when something has changed; its thread ends with the last of them."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._woken = threading.Event()
        self._lock = threading.Lock()
        self._lines: tuple[Tended, ...] = ()
        self._opening: dict[Tended, bool] = {}  # and whether it was down
        self._lives = False

    def take(self, line: Tended) -> None:
        """Look after it from now on."""
        with self._lock:
            self._lines = (*self._lines, line)
            begins, self._lives = not self._lives, True
        if begins:
            self._tasks.start("lines to agents", self._live)

    def wake(self) -> None:
        """Look now; does not wait."""
        self._woken.set()

    def _live(self) -> None:
        while True:
            with self._lock:
                self._lines = tuple(line for line in self._lines if not line.ended)
                if not self._lines:
                    self._lives = False
                    return
            self._woken.wait(self._look(self._lines))
            self._woken.clear()

    def _look(self, lines: tuple[Tended, ...]) -> float:
        """Open what is due, as far as there are places; seconds until the next look."""
        pause = _LOOK
        for line in sorted(lines, key=lambda line: line.down):
            wait = pause if line in self._opening else line.due()
            pause = min(pause, wait or pause)
            if wait <= 0 and self._has_place(line):
                self._tasks.start("opening a line", partial(self._open, line))
        return pause

    def _has_place(self, line: Tended) -> bool:
        with self._lock:
            if len(self._opening) >= OPENINGS or (line.down and sum(self._opening.values()) >= RETRIES):
                return False
            self._opening[line] = line.down
            return True

    def _open(self, line: Tended) -> None:
        try:
            line.open()
        finally:
            with self._lock:
                del self._opening[line]
            self.wake()
