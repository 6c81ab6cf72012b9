"""How clients find the primary: what people configured, and what was seen of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vip:
    """A virtual IPv4 address that stands on the primary's host, and on no other."""

    address: str
    prefix: int
    interface: str

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix} on {self.interface}"


@dataclass(frozen=True, slots=True)
class Haproxy:
    """HAProxies that let clients through to the primary: their runtime sockets (HOST:PORT or a path), and the backend
    whose servers have our servers' names.
    """

    sockets: tuple[str, ...]
    backend: str


@dataclass(frozen=True, slots=True)
class TrafficPolicy:
    """What leads the clients; nothing where applications know all servers by themselves."""

    vip: Vip | None = None
    haproxy: Haproxy | None = None

    @property
    def any(self) -> bool:
        """Whether there is anything to move and to keep."""
        return self.vip is not None or self.haproxy is not None


@dataclass(frozen=True, slots=True)
class Steering:
    """What one HAProxy is to do: lead clients to `server` and to none of the `others`; servers of the backend that
    are neither are left alone.
    """

    socket: str
    backend: str
    server: str
    others: frozenset[str]

    def __str__(self) -> str:
        return f"HAProxy at {self.socket}"


@dataclass(frozen=True, slots=True)
class BalancerSight:
    """What one HAProxy believes: which servers of the backend it lets clients through to, and which it does not.

    `problem` says why it could not be asked; then both are empty.
    """

    socket: str
    ready: frozenset[str] = frozenset()
    shut: frozenset[str] = frozenset()
    problem: str = ""
