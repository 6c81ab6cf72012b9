"""A mysqld in memory: executed and received sets, threads, read-only flags, locks and sessions; nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from failoverd.gtid import GtidSet
from failoverd.model.cloning import CloneSide
from failoverd.model.durability import Durability
from failoverd.model.events import Event
from failoverd.model.semisync import SemiSync
from failoverd.model.sight import Channel, Endpoint, ServerState, Settings, Thread, Trouble, Waits

FORCED = Durability()
# Both plugins are loaded and neither side is on.
LOADED = SemiSync(source_plugin=True, replica_plugin=True, timeout=10_000)


@dataclass
class FakeMysqld:
    """One server. `sessions` maps session numbers to accounts; `locks` maps lock names to the session that holds them.

    `received` of a channel is what its relay logs hold; they are gone with a CHANGE of a channel that stands still.
    What is `unreadable` of the default channel's logs stops its applier, so that it does not get to what is `behind`.
    """

    name: str
    endpoint: Endpoint
    server_uuid: str
    server_id: int
    executed: GtidSet = field(default_factory=GtidSet)
    channels: dict[str, Channel] = field(default_factory=dict)
    read_only: bool = False
    super_read_only: bool = False
    offline: bool = False
    alive: bool = True
    frozen: bool = False
    full: bool = False
    password: str = "right"
    tables_locked_by: int | None = None
    writes_hang: bool = False
    sessions: dict[int, str] = field(default_factory=dict)
    locks: dict[str, int] = field(default_factory=dict)
    spliced: dict[str, GtidSet] = field(default_factory=dict)
    started_at: float = 0.0
    last_session: int = 0
    semi_sync: SemiSync = LOADED
    unreadable: GtidSet = field(default_factory=GtidSet)
    behind: GtidSet = field(default_factory=GtidSet)
    prepared: tuple[str, ...] = ()
    load: dict[str, float] = field(default_factory=lambda: {"Threads_running": 1.0})
    says: float = 0.0
    asked: list[str] = field(default_factory=list)
    refuses: dict[str, int] = field(default_factory=dict)
    asleep: tuple[Event, ...] = ()
    durability: Durability = FORCED
    starts_closed: bool | None = None
    keeps_settings: bool = True
    settings: Settings = field(default_factory=Settings)
    clone_side: CloneSide | None = None
    restarts: bool = True
    stops_cloning: Exception | None = None
    sums: dict[str, list[int]] = field(default_factory=dict)
    unreadable_tables: frozenset[str] = frozenset()
    busy: bool = False

    def state(self, now: float) -> ServerState:
        """What a read of the server says."""
        return ServerState(
            name=self.name,
            endpoint=self.endpoint,
            version="9.7.4",
            server_uuid=self.server_uuid,
            server_id=self.server_id,
            read_only=self.read_only or self.super_read_only,
            super_read_only=self.super_read_only,
            executed=self.executed,
            purged=GtidSet(),
            channels=tuple(self.channels.values()),
            started_at=self.started_at,
            read_at=now,
            offline_mode=self.offline,
            settings=replace(self.settings, read_only_at_start=self.starts_closed),
            semi_sync=self.semi_sync,
            waits=Waits() if self.writes_hang else None,
        )

    def connect(self, account: str) -> int:
        """A new session's number."""
        self.last_session += 1
        self.sessions[self.last_session] = account
        return self.last_session

    def end(self, session: int) -> bool:
        """End a session and free what it holds; whether there was one."""
        self.locks = {name: holder for name, holder in self.locks.items() if holder != session}
        if self.tables_locked_by == session:
            self.tables_locked_by = None
        return self.sessions.pop(session, None) is not None

    def kill(self) -> None:
        """The end of the process: all sessions are gone, relay logs and data stay."""
        self.alive = False
        for session in list(self.sessions):
            self.end(session)

    def write(self, count: int) -> None:
        """Execute so many transactions of its own."""
        last = max(
            (end for _, _, found in self.executed.of_uuid(self.server_uuid).parts() for _, end in found), default=0
        )
        self.executed |= GtidSet.parse(f"{self.server_uuid}:{last + 1}-{last + count}")

    def change(self, name: str, **values: object) -> None:
        """Replace fields of a channel."""
        self.channels[name] = replace(self.channels[name], **values)  # type: ignore[arg-type]

    def replicate(self, sources: dict[Endpoint, FakeMysqld]) -> None:
        """Receive and apply what can be received and applied now."""
        for channel in list(self.channels.values()):
            source = sources.get(channel.source)
            if channel.receiver is not Thread.NO:
                reached = source is not None and source.alive and not source.frozen
                self.change(channel.name, receiver=Thread.YES if reached else Thread.CONNECTING)
                if source is not None and reached:
                    received = channel.received | (source.executed - self.executed)
                    self.change(channel.name, received=received, source_uuid=source.server_uuid)
            if channel.applier is Thread.YES and self.tables_locked_by is None:
                self._apply(self.channels[channel.name])

    def _apply(self, channel: Channel) -> None:
        """Execute what can be read; the applier stops before what cannot."""
        stuck = self.unreadable - self.executed if channel.name == "" else GtidSet()
        self.executed |= channel.received - (stuck | self.behind if stuck else stuck)
        if stuck & channel.received:
            self.change("", applier=Thread.NO, applier_trouble=Trouble(13121, "relay log read failure"))
