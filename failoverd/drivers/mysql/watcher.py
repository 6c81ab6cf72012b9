"""Watches idle sessions and rings at once when their server lets them go: a dead mysqld is noticed without a look.

Only the end of the line is watched, never data, and nothing is ever read here: no session in use can lose a byte.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading

from failoverd.ports import Wakeups

_END = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


class Watcher:
    """One thread for all monitoring sessions; it begins with the first one watched."""

    def __init__(self, bell: Wakeups) -> None:
        self._bell = bell
        self._lock = threading.Lock()
        self._reasons: dict[int, str] = {}
        self._poll: select.epoll | None = None

    def watch(self, line: socket.socket, reason: str) -> None:
        """Ring `reason`, once, when this line ends."""
        with self._lock:
            if self._poll is None:
                self._poll = select.epoll()
                threading.Thread(target=self._attend, args=(self._poll,), name="line-watcher", daemon=True).start()
            self._reasons[line.fileno()] = reason
            self._poll.register(line.fileno(), _END | select.EPOLLONESHOT)

    def leave(self, line: socket.socket) -> None:
        """Watch this line no more; to be called before it is used or closed."""
        with self._lock:
            self._reasons.pop(line.fileno(), None)
            if self._poll is not None:
                with contextlib.suppress(OSError, ValueError):
                    self._poll.unregister(line.fileno())

    def _attend(self, poll: select.epoll) -> None:
        while True:
            for number, _ in poll.poll():
                with self._lock:
                    reason = self._reasons.pop(number, None)
                if reason is not None:
                    self._bell.ring(reason)
