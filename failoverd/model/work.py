"""What is going on at a primary that closing it would break or wait for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """A session inside something; `key` is the same in two looks only where it is the same piece of work.

    `may_end` is False for the server's own threads, those of replication, and ourselves.
    """

    key: str
    session: int
    account: str
    what: str
    may_end: bool

    def __str__(self) -> str:
        return f"session {self.session} of {self.account} {self.what}"
