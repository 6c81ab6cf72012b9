"""The optional write probe: what is written on the primary, and what it means when no write comes to its end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WriteProbe:
    """Write one row of this `schema.table` on the primary `every` so many seconds. People made the table."""

    table: str
    every: float = 1.0


@dataclass(frozen=True, slots=True)
class Unwritten:
    """No write has come to its end since then, by our clock; `why` is what the server said, empty while one waits.

    `ours`: it says nothing about the server, but that our table or our account's rights are missing.
    """

    since: float
    why: str = ""
    ours: bool = False

    def __str__(self) -> str:
        if self.ours:
            return f"the write probe does not work: {self.why}"
        return f"a write was refused ({self.why})" if self.why else "a write waits"
