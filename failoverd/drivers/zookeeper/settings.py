"""Where ZooKeeper is and how it is spoken to."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Digest:
    """The account whose digest owns every entry we create."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tls:
    """Files for TLS; the server's certificate must carry its host name."""

    ca_file: str
    cert_file: str = ""
    key_file: str = ""


@dataclass(frozen=True, slots=True)
class ZooKeeperSettings:
    """One ensemble; times are seconds.

    Invariant: `session_timeout` is what the ensemble must negotiate; another value is refused. `connect_timeout`
    bounds only the wait for the first connection.
    """

    hosts: tuple[str, ...]
    root: str = "/failoverd"
    session_timeout: float = 6.0
    auth: Digest | None = None
    tls: Tls | None = None
    connect_timeout: float = 3.0

    @property
    def lease(self) -> float:
        """How long one answer about our lock entry proves that nobody else can have the lock."""
        return self.session_timeout * 2 / 3

    @property
    def beat(self) -> float:
        """How often the lock entry is read again, and the longest pause between attempts to connect."""
        return min(self.session_timeout / 8, 1.0)

    @property
    def attempt(self) -> float:
        """How long one member may take to be connected to, before the next one is tried."""
        return max(0.5, self.session_timeout / 6)

    @property
    def patience(self) -> float:
        """How long one call may take."""
        return max(1.0, self.session_timeout / 2)
