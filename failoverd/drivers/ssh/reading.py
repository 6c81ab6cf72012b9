"""Reading one SSH channel without a thread of its own: of those who wait for something, one reads for all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import paramiko


class _Bell(threading.Event):
    """Set by paramiko while bytes are unread or none will come any more; rings on the connection's own thread."""

    def __init__(self, ring: Callable[[], None]) -> None:
        super().__init__()
        self._ring = ring

    def set(self) -> None:
        """Set, and tell."""
        super().set()
        self._ring()


class Turns:
    """Who reads a channel, and when. `read` takes what has come and does not wait, as something has; it is called by
    one thread at a time, and only while `wanted` says so. `news` guards what those who wait look at: who holds it must
    not take a lock of paramiko, which rings while it holds its own.
    """

    def __init__(
        self,
        channel: paramiko.Channel,
        read: Callable[[], None],
        wanted: Callable[[], bool],
        on_end: Callable[[], None],
    ) -> None:
        self.news = threading.Condition()
        self._channel = channel
        self._read = read
        self._wanted = wanted
        self._on_end = on_end
        self._taken = False
        self._bell = _Bell(self._rung)
        channel.in_buffer.set_event(self._bell)

    @property
    def ended(self) -> bool:
        """Whether nothing will come any more, beside what is unread."""
        return bool(self._channel.closed or self._channel.eof_received)

    def wait(self, done: Callable[[], bool], until: float) -> bool:
        """Wait for it until then, reading meanwhile where nobody else does; whether it is done."""
        while True:
            with self.news:
                left = max(until - time.monotonic(), 0.0)
                if not self.news.wait_for(lambda: done() or self._ours(), left):
                    return False
                if done():
                    return True
                self._taken = True
            try:
                self._read()
            finally:
                with self.news:
                    self._taken = False
                    self.news.notify_all()
            if time.monotonic() > until:
                return done()

    def _ours(self) -> bool:
        return not self._taken and self._bell.is_set() and self._wanted()

    def _rung(self) -> None:
        with self.news:
            self.news.notify_all()
        if self.ended:
            self._on_end()
