"""A line between a replica and its source that swallows what comes after a number of bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Narrow:
    """Forwards whole until `left` is set; from then on that many bytes to the replica, and no more."""

    def __init__(self, source: int) -> None:
        self._source = source
        self._door = socket.create_server(("127.0.0.1", 0))
        self._lines: list[socket.socket] = []
        self.port: int = self._door.getsockname()[1]
        self.left: int | None = None
        threading.Thread(target=self._live, daemon=True).start()

    def _live(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                replica, _ = self._door.accept()
                source = socket.create_connection(("127.0.0.1", self._source))
                self._lines += [replica, source]
                for ends in ((replica, source, False), (source, replica, True)):
                    threading.Thread(target=self._forward, args=ends, daemon=True).start()

    def _forward(self, giver: socket.socket, taker: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := giver.recv(65536):
                if counted and self.left is not None:
                    data = data[: self.left]
                    self.left -= len(data)
                taker.sendall(data)

    def end(self) -> None:
        """Close everything."""
        for line in (self._door, *self._lines):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()


@contextlib.contextmanager
def narrow(source: int) -> Iterator[Narrow]:
    """A line to the server at this port, closed at the end."""
    made = Narrow(source)
    try:
        yield made
    finally:
        made.end()
