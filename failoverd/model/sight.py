"""What one look at one server can say: its state, or why there is none. Unknown is a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from failoverd.gtid import GtidSet
from failoverd.model.semisync import SemiSync


class Why(StrEnum):
    """Why a server did not answer as hoped, in the terms of the measured error table."""

    REFUSED = "refused"  # the host answers, nobody listens; old sessions may go on for seconds
    RESET = "reset"  # the connection was cut: closing, crashed just now, or killed
    TIMED_OUT = "timed-out"  # no packet came back
    UNREACHABLE = "unreachable"  # no route to the host
    HUNG = "hung"  # TCP is up, the greeting or the answer never comes
    LEAVING = "leaving"  # error 1053: an orderly stop has begun
    CLONING = "cloning"  # alive, and holds half of a copy: a clone into it has begun and not ended
    ALIVE = "alive"  # it spoke the protocol and refused us: 1040, 1129, 3032 and their kind
    ACCESS_DENIED = "access-denied"  # 1045: alive, and our password is wrong there
    OWN_SIDE = "own-side"  # our resolver, our library, our socket: no evidence about the server
    NOT_ASKED = "not-asked"  # there was no reason or no way to ask


SPOKE = frozenset({Why.ALIVE, Why.CLONING, Why.ACCESS_DENIED, Why.LEAVING})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a mysqld listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Follower:
    """A replica as its source lists it; the host is what the replica reports of itself and may be empty."""

    endpoint: Endpoint
    server_uuid: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A server that could not be read, with the reason; `spoke` tells that it lives all the same."""

    name: str
    why: Why
    text: str
    read_at: float
    code: int = 0

    @property
    def spoke(self) -> bool:
        """Whether the failure itself proves a living server."""
        return self.why in SPOKE


class Thread(StrEnum):
    """State of a receiver or applier, in the words of the published JSON."""

    YES = "yes"
    CONNECTING = "connecting"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Trouble:
    """The last error of a replication thread: the server's number and text, 0 and empty where there is none."""

    code: int = 0
    text: str = ""

    def __bool__(self) -> bool:
        return self.code != 0


@dataclass(frozen=True, slots=True)
class Channel:
    """One replication channel of a server; the default channel's name is the empty string.

    `heartbeat_age` is the server's own clock minus its last heartbeat or growth of received data, in seconds; None
    where it never
    had one. `queueing` names a transaction that has been received only in part. `relay_file` and `relay_position` are
    where the applier stands. `sound` is what is readable of what it has still to execute, None where nobody has looked;
    `damage` is the place of the first damage that was found, empty where none was. `filters` names the kinds of filters
    that keep something of the source out. `source_file` and `source_position` are where the receiver stands in the
    source's binary logs.
    """

    name: str
    source: Endpoint
    source_uuid: str
    receiver: Thread
    applier: Thread
    received: GtidSet = field(default_factory=GtidSet)
    auto_position: bool = True
    heartbeat_age: float | None = None
    heartbeat_period: float = 30.0
    queueing: str = ""
    receiver_trouble: Trouble = Trouble()
    applier_trouble: Trouble = Trouble()
    delay: int = 0
    lag_seconds: float | None = None
    relay_file: str = ""
    relay_position: int = 0
    sound: GtidSet | None = None
    damage: str = ""
    filters: tuple[str, ...] = ()
    source_file: str = ""
    source_position: int = 0


@dataclass(frozen=True, slots=True)
class LogFiles:
    """Where a server keeps its data and logs; absolute paths as the server names them, empty where it has none."""

    datadir: str = ""
    binary_basename: str = ""
    binary_index: str = ""
    relay_basename: str = ""
    relay_index: str = ""
    pid_file: str = ""
    error_log: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a server that decide what it may be used for.

    `keeps_logs` is how long binary logs are kept, 0 for as long as nobody purges them; seconds.
    """

    gtid_mode: bool = True
    log_bin: bool = True
    log_replica_updates: bool = True
    sync_binlog: int = 1
    flush_log: int = 1
    binlog_checksum: str = "CRC32"
    relay_log_recovery: bool = False
    preserve_commit_order: bool = True
    read_only_at_start: bool | None = None
    net_timeout: float = 60.0
    keeps_logs: float = 2592000.0


@dataclass(frozen=True, slots=True)
class Waits:
    """Sessions that cannot finish a write, by what they wait for: counts at the moment of the read."""

    read_lock: int = 0
    commit_lock: int = 0
    disk: int = 0
    acknowledgement: int = 0

    @property
    def stuck(self) -> int:
        """Sessions that wait for what the server itself must give; acknowledgements are the replicas' part."""
        return self.read_lock + self.commit_lock + self.disk

    def __str__(self) -> str:
        told = {
            "the global read lock": self.read_lock,
            "the commit lock": self.commit_lock,
            "disk space": self.disk,
            "acknowledgements": self.acknowledgement,
        }
        return ", ".join(f"{count} for {what}" for what, count in told.items() if count)


@dataclass(frozen=True, slots=True)
class ServerState:
    """Everything one read of one server told. No derived fields; `started_at` and `read_at` are our clock's seconds.

    `waits` is None unless the server takes writes and its executed set has not grown since the read before: only then
    does anybody look who waits.
    """

    name: str
    endpoint: Endpoint
    version: str
    server_uuid: str
    server_id: int
    read_only: bool
    super_read_only: bool
    executed: GtidSet
    purged: GtidSet
    channels: tuple[Channel, ...]
    started_at: float
    read_at: float
    offline_mode: bool = False
    files: LogFiles = LogFiles()
    settings: Settings = Settings()
    semi_sync: SemiSync = field(default_factory=SemiSync)
    waits: Waits | None = None

    @property
    def writable(self) -> bool:
        """Whether an ordinary client's write is accepted."""
        return not self.read_only and not self.super_read_only and not self.offline_mode

    @property
    def main(self) -> Channel | None:
        """The default channel, or None for a server that follows nobody."""
        return next((c for c in self.channels if c.name == ""), None)

    @property
    def unapplied(self) -> GtidSet:
        """What the default channel has received whole and the server has not executed."""
        return self.main.received - self.executed if self.main is not None else GtidSet()

    @property
    def applies(self) -> bool:
        """Whether the default channel's applier runs without an error, or there is none."""
        return self.main is None or (self.main.applier is Thread.YES and not self.main.applier_trouble)

    @property
    def acknowledging(self) -> bool:
        """Whether it is set to acknowledge and waits for nobody itself; a running receiver must be registered."""
        semi, main = self.semi_sync, self.main
        connected = main is not None and main.receiver is Thread.YES
        return semi.replica_on and not semi.source_on and (semi.acknowledges or not connected)

    @property
    def received(self) -> GtidSet:
        """Complete transactions that all channels have received, executed or not."""
        whole = GtidSet()
        for channel in self.channels:
            whole |= channel.received
        return whole

    @property
    def holds(self) -> GtidSet:
        """Executed and received together: what the server could have executed if nothing is damaged."""
        return self.executed | self.received

    @property
    def inherited(self) -> GtidSet:
        """What it has executed and not made itself."""
        return self.executed.without_uuid(self.server_uuid)


Sight = ServerState | Unreachable
