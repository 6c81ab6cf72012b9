"""Watches idle sessions and rings at once when their server lets them go: a dead mysqld is noticed without a look.

Only the end of the line is watched, never data, and nothing is ever read here: no session in use can lose a byte. A
line stays registered while it is in use, because that is what happens a thousand times a second; its end then waits.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading

from failoverd.ports import Wakeups

_END = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR | select.EPOLLONESHOT


class Watcher:
    """One thread for all monitoring sessions; it begins with the first one watched."""

    def __init__(self, bell: Wakeups) -> None:
        self._bell = bell
        self._lock = threading.Lock()  # never held over a call that may wait
        self._reasons: dict[int, str] = {}
        self._ended: set[int] = set()
        self._poll: select.epoll | None = None

    def watch(self, line: socket.socket, reason: str) -> None:
        """Ring `reason`, once, when this line ends; for one that was not watched before."""
        number = line.fileno()
        with self._lock:
            poll, begin = self._poll or select.epoll(), self._poll is None
            self._poll = poll
            self._ended.discard(number)
            self._reasons[number] = reason
        if begin:
            threading.Thread(target=self._attend, args=(poll,), name="line-watcher", daemon=True).start()
        try:
            poll.register(number, _END)
        except FileExistsError:
            poll.modify(number, _END)

    def use(self, line: socket.socket) -> None:
        """Ring nothing while this line is in use: whoever uses it notices its end."""
        with self._lock:
            self._reasons.pop(line.fileno(), None)

    def rest(self, line: socket.socket, reason: str) -> None:
        """Ring again when this line ends, which is watched already; at once if it has ended meanwhile."""
        with self._lock:
            ended = line.fileno() in self._ended
            if not ended:
                self._reasons[line.fileno()] = reason
        if ended:
            self._bell.ring(reason)

    def leave(self, line: socket.socket) -> None:
        """Watch this line no more; to be called before it is closed."""
        with self._lock:
            self._reasons.pop(line.fileno(), None)
            self._ended.discard(line.fileno())
        if self._poll is not None:
            with contextlib.suppress(OSError, ValueError):
                self._poll.unregister(line.fileno())

    def _attend(self, poll: select.epoll) -> None:
        while True:
            for number, _ in poll.poll():
                with self._lock:
                    reason = self._reasons.pop(number, None)
                    if reason is None:
                        self._ended.add(number)
                if reason is not None:
                    self._bell.ring(reason)
