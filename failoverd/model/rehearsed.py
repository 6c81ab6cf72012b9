"""What was measured in a drill: what the client saw, what the servers said, what failoverd wrote down.

All times are wall seconds, so that they can be laid beside an operation's stamps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from failoverd.model.runbook import Role

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cast:
    """Who has which role: settled at the beginning."""

    primary: str
    replicas: tuple[str, ...] = ()
    active: str = ""
    standbys: tuple[str, ...] = ()
    zookeepers: tuple[str, ...] = ()

    @property
    def servers(self) -> tuple[str, ...]:
        """All servers of the cluster."""
        return (self.primary, *self.replicas)

    def names(self, role: Role | None) -> tuple[str, ...]:
        """Whom a role means; nobody where the cluster has nobody of it."""
        managers = tuple(filter(None, (self.active, *self.standbys)))
        table: dict[Role | None, tuple[str, ...]] = {
            Role.PRIMARY: (self.primary,),
            Role.REPLICA: self.replicas[:1],
            Role.OTHER_REPLICA: self.replicas[1:2],
            Role.REPLICAS: self.replicas,
            Role.ACTIVE_MANAGER: managers[:1],
            Role.STANDBY_MANAGER: self.standbys[:1],
            Role.MANAGERS: managers,
            Role.ZOOKEEPER: self.zookeepers,
            Role.EVERYBODY: (*self.servers, *managers, *self.zookeepers),
        }
        return table.get(role, ())


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at the whole: what the servers themselves say, and what is published."""

    at: float
    writers: tuple[str, ...] = ()
    follows: Mapping[str, str] | None = None
    verdict: str = ""
    primary: str = ""
    manager: str = ""
    operation: bool = False

    def attached(self, servers: tuple[str, ...]) -> bool:
        """Whether all of these follow the one server that takes writes, with both threads."""
        if len(self.writers) != 1 or self.follows is None:
            return False
        (writer,) = self.writers
        return all(self.follows.get(server) == writer for server in servers if server != writer)


@dataclass(frozen=True, slots=True)
class Wrote:
    """An acknowledged row: when the answer came, how long it took, which row, by which way."""

    at: float
    seconds: float
    number: int
    server: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A write or a login that failed: when, with which of MySQL's numbers (0: none), by which way."""

    at: float
    code: int
    server: str


@dataclass(frozen=True, slots=True)
class StaleRead:
    """A replica answered without rows that had been acknowledged: how many, and how old the oldest was."""

    at: float
    server: str
    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Rows:
    """The client's list against what the last writable server holds: numbers of rows."""

    server: str
    acknowledged: int
    lost: tuple[int, ...] = ()
    strange: tuple[int, ...] = ()
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that has ended: its exit code and the end of what it said."""

    code: int
    said: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What the client has seen so far."""

    wrote: tuple[Wrote, ...] = ()
    refused: tuple[Refused, ...] = ()
    unknown: int = 0
    reads: int = 0
    stale: tuple[StaleRead, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that an expectation can be judged by; `struck` is when the clock started, None before that."""

    cast: Cast
    began: float
    now: float
    struck: float | None = None
    final: bool = False
    sights: tuple[Sight, ...] = ()
    wrote: tuple[Wrote, ...] = ()
    refused: tuple[Refused, ...] = ()
    unknown: int = 0
    reads: int = 0
    stale: tuple[StaleRead, ...] = ()
    rows: Rows | None = None
    operations: tuple[Document, ...] = ()
