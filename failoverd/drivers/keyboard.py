"""What is typed at a terminal, line by line, while other things are shown."""

from __future__ import annotations

import os
import select

_CHUNK = 4096


class Keyboard:
    """Reads lines of one descriptor; whatever else is read from it meanwhile is lost to it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._read = b""

    def line(self, seconds: float) -> str | None:
        """The next line with its end; None where nobody has ended one by then, empty where nobody types any more."""
        while b"\n" not in self._read:
            ready, _, _ = select.select([self._descriptor], [], [], seconds)
            if not ready:
                return None
            chunk = os.read(self._descriptor, _CHUNK)
            if not chunk:
                return ""
            self._read += chunk
        line, _, self._read = self._read.partition(b"\n")
        return line.decode("utf-8", "replace") + "\n"
