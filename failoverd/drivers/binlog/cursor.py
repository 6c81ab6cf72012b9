"""Bytes that are read from front to back."""

from __future__ import annotations

_WIDTHS = {252: 2, 253: 3, 254: 8}


class Cut(ValueError):
    """Bytes that end before what they announce."""


class Cursor:
    """A place in some bytes; every read moves it on. Raises Cut at their end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if count > self.left:
            raise Cut(f"{count} bytes are announced, {self.left} are there")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, width: int) -> int:
        """A number of so many bytes, the lowest first."""
        return int.from_bytes(self.take(width), "little")

    def signed(self, width: int) -> int:
        """The same with a sign."""
        return int.from_bytes(self.take(width), "little", signed=True)

    def packed(self) -> int:
        """A number of one to nine bytes, as the protocol packs lengths."""
        first = self.number(1)
        if first < 251:
            return first
        if first not in _WIDTHS:
            raise Cut(f"no length begins with {first}")
        return self.number(_WIDTHS[first])

    def bits(self, count: int) -> list[bool]:
        """So many bits, the lowest of each byte first."""
        raw = int.from_bytes(self.take((count + 7) // 8), "little")
        return [bool(raw >> at & 1) for at in range(count)]
