"""The Servers port over mysqlds in memory, with the same refusals as the real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from failoverd.gtid import GtidSet
from failoverd.model.cloning import UNFINISHED, CloneProgress, CloneSide
from failoverd.model.comparing import TableSum
from failoverd.model.divergence import Change
from failoverd.model.durability import Durability
from failoverd.model.errors import ConnectFailed, FailoverdError, FencedOut, HeldElsewhere, ServerError, StepFailed
from failoverd.model.events import Event
from failoverd.model.semisync import INFINITE
from failoverd.model.sight import Channel, Endpoint, ServerState, Sight, Thread, Trouble, Unreachable, Why
from failoverd.model.stall import Blocker, Stall
from failoverd.model.steps import NOWHERE, SPLICE_CHANNEL
from failoverd.model.work import Work
from failoverd.model.writing import Unwritten, WriteProbe
from failoverd.ports import Clock, Lease, Wakeups
from tests.fakes.mysqld import FakeMysqld

EPOCHS_AHEAD = 64
CLONES = ("GRANT BACKUP_ADMIN,CLONE_ADMIN ON *.* TO `failoverd`@`%`",)
OUR_ACCOUNTS = frozenset({"failoverd", "repl"})


@dataclass
class FakeServers:
    """All servers of one cluster, as one manager sees them. Managers that share `mysqlds` see the same servers, but for
    those that one of them is `cut` off from.
    """

    cluster: str
    mysqlds: Mapping[str, FakeMysqld]
    clock: Clock
    bell: Wakeups
    manager: str = "m1"
    password: str = "right"
    may_evict: bool = True
    monitoring: dict[str, int] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    unwritten: dict[str, float] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)

    def look(self, cluster: str, server: str, timeout: float) -> Sight:
        """Read one server."""
        mysqld = self.mysqlds[server]
        if server in self.cut or self.monitoring.get(server) not in mysqld.sessions:
            return self.connect_again(cluster, server, timeout)
        if mysqld.frozen:
            return self._missed(mysqld, Why.HUNG, timeout)
        return self._read(mysqld)

    def begin_look(self, cluster: str, server: str) -> bool:
        """Nothing is asked ahead here."""
        return False

    def connect_again(self, cluster: str, server: str, timeout: float) -> Sight:
        """Read one server on a new session."""
        mysqld = self.mysqlds[server]
        if server in self.cut:
            return self._missed(mysqld, Why.TIMED_OUT, timeout)
        try:
            self.monitoring[server] = self.open(mysqld)
        except ConnectFailed as error:
            return self._missed(mysqld, error.why, timeout, error.code)
        return self._read(mysqld)

    def claim(self, cluster: str, server: str, lease: Lease, timeout: float) -> FakeClaimed:
        """Take the session lock, as the real one does."""
        lease.check()
        mysqld = self.mysqlds[server]
        session = self.open(mysqld)
        try:
            return self._taken(mysqld, session, cluster, lease)
        except FailoverdError:
            mysqld.end(session)
            raise

    def clone_side(self, cluster: str, server: str, timeout: float) -> CloneSide:
        """What it has for a clone: all of it, where a test says nothing else."""
        mysqld = self.mysqlds[server]
        if not mysqld.alive:
            return CloneSide(server, problem=f"{server}: nobody listens")
        return mysqld.clone_side or CloneSide(server, "9.7.4", loaded=True, grants=CLONES, size=1000)

    def table_sum(self, cluster: str, server: str, table: str, heed: Callable[[float], None]) -> TableSum:
        """What a test has set; a second passes, in which it may be written."""
        mysqld = self.mysqlds[server]
        if not mysqld.alive:
            return TableSum(problem=f"{server}: nobody listens")
        before = mysqld.executed
        self.clock.sleep(1.0)
        heed(1.0)
        if mysqld.busy:
            mysqld.write(1)
        if table in mysqld.unreadable_tables:
            return TableSum(problem=f"{server} lacks SELECT on {table}")
        sums = mysqld.sums.get(table, [])
        checksum = sums.pop(0) if len(sums) > 1 else next(iter(sums), None)
        return TableSum(before, mysqld.executed, checksum)

    def try_write(self, cluster: str, server: str, probe: WriteProbe, uuid: str, lease: Lease) -> Unwritten | None:
        """A write of the probe: at once, or as long as the server hangs."""
        lease.check()
        mysqld, now = self.mysqlds[server], self.clock.now()
        if mysqld.writes_hang:
            self.unwritten.setdefault(server, now)
            return Unwritten(self.unwritten[server])
        self.unwritten.pop(server, None)
        mysqld.write(1)
        self.written.append(server)
        return None

    def _taken(self, mysqld: FakeMysqld, session: int, cluster: str, lease: Lease) -> FakeClaimed:
        base = f"failoverd/{cluster.lower()}"
        newer = [f"{base}/{lease.epoch + step}" for step in range(1, EPOCHS_AHEAD + 1)]
        if any(name in mysqld.locks for name in newer):
            raise FencedOut(f"{mysqld.name} is held by a newer epoch than {lease.epoch}")
        ours = f"{base}/m:{self.manager}"
        holder = mysqld.locks.get(base)
        if holder is not None and mysqld.locks.get(ours) != holder and not self.may_evict:
            raise HeldElsewhere(f"{mysqld.name} is held by another manager")
        lease.check()
        for name in (f"{base}/{lease.epoch}", base):
            mysqld.end(mysqld.locks.get(name, 0))
        mysqld.locks.update({f"{base}/{lease.epoch}": session, base: session, ours: session})
        lease.check()
        return FakeClaimed(self, mysqld, session, lease)

    def open(self, mysqld: FakeMysqld) -> int:
        """A session's number, or the failure that the real one meets."""
        if not mysqld.alive:
            raise ConnectFailed(f"{mysqld.name}: nobody listens", why=Why.REFUSED)
        if mysqld.frozen:
            raise ConnectFailed(f"{mysqld.name}: the answer does not come", why=Why.HUNG)
        if mysqld.full:
            raise ConnectFailed(f"{mysqld.name}: too many connections", why=Why.ALIVE, code=1040)
        if mysqld.password != self.password:
            raise ConnectFailed(f"{mysqld.name}: access denied", why=Why.ACCESS_DENIED, code=1045)
        return mysqld.connect("failoverd")

    def replicate(self) -> None:
        """Let every living server receive and apply."""
        by_endpoint = {mysqld.endpoint: mysqld for mysqld in self.mysqlds.values()}
        for mysqld in self.mysqlds.values():
            if mysqld.alive and not mysqld.frozen:
                mysqld.replicate(by_endpoint)
        self._acknowledge(by_endpoint)

    def _acknowledge(self, sources: Mapping[Endpoint, FakeMysqld]) -> None:
        """Who is registered where: replicas whose side is on and whose receiver is connected."""
        registered: dict[str, list[str]] = {name: [] for name in self.mysqlds}
        for mysqld in self.mysqlds.values():
            main = mysqld.channels.get("")
            connected = mysqld.alive and main is not None and main.receiver is Thread.YES
            gives = connected and mysqld.semi_sync.replica_on
            mysqld.semi_sync = replace(mysqld.semi_sync, acknowledges=gives)
            if gives and main is not None and main.source in sources:
                registered[sources[main.source].name].append(mysqld.server_uuid)
        for name, mysqld in self.mysqlds.items():
            found, on = tuple(sorted(registered[name])), mysqld.semi_sync.source_on
            mysqld.semi_sync = replace(mysqld.semi_sync, clients=len(found), replicas=found, source_active=on)

    def watches(self, server: str) -> bool:
        """Whether a monitoring session is open there."""
        return self.monitoring.get(server) in self.mysqlds[server].sessions

    def ring(self, server: str) -> None:
        """What is noticed when an idle monitoring session is cut."""
        self.bell.ring(f"lost:{self.cluster}/{server}")

    def _read(self, mysqld: FakeMysqld) -> ServerState:
        self.replicate()
        return mysqld.state(self.clock.now())

    def _missed(self, mysqld: FakeMysqld, why: Why, timeout: float, code: int = 0) -> Unreachable:
        if why in {Why.HUNG, Why.TIMED_OUT}:
            self.clock.sleep(timeout)
        return Unreachable(mysqld.name, why, f"{mysqld.name}: {why}", self.clock.now(), code)


class FakeClaimed:
    """A claim on a server in memory."""

    def __init__(self, servers: FakeServers, mysqld: FakeMysqld, session: int, lease: Lease) -> None:
        self._servers = servers
        self._mysqld = mysqld
        self._session = session
        self._lease = lease

    @property
    def name(self) -> str:
        """The server's name."""
        return self._mysqld.name

    def read(self) -> ServerState:
        """Its state."""
        self._alive()
        self._servers.replicate()
        return self._mysqld.state(self._servers.clock.now())

    def stop_receiver(self, timeout: float) -> None:
        """Stop the receiver of the default channel."""
        self._change()
        if "" in self._mysqld.channels:
            self._mysqld.change("", receiver=Thread.NO)

    def start_receiver(self) -> None:
        """Start the receiver of the default channel."""
        self._change()
        if "" not in self._mysqld.channels:
            raise ServerError(f"{self.name} has no such channel", code=1200)
        self._mysqld.change("", receiver=Thread.CONNECTING)

    def start_applier(self, channel: str) -> None:
        """Start the applier of a channel."""
        self._change()
        if channel not in {"", SPLICE_CHANNEL}:
            raise StepFailed(f"{self.name}: channel {channel!r} is not ours to start")
        self._mysqld.change(channel, applier=Thread.YES)

    def disarm_source(self) -> None:
        """Point the default channel at nowhere."""
        main = self._changeable()
        if main is not None and main.source.host != NOWHERE.host:
            self._repoint(main, NOWHERE)

    def follow(self, source: Endpoint, keep: Callable[[], None]) -> GtidSet:
        """Let the default channel follow another source."""
        main = self._changeable()
        if main is None:
            channel = Channel("", source, "", Thread.CONNECTING, Thread.YES)
            self._mysqld.channels[""] = channel
            return GtidSet()
        if main.received - self._mysqld.executed:
            keep()
        self._repoint(main, source)
        self._mysqld.change("", receiver=Thread.CONNECTING)
        return GtidSet()

    def refetch(self, source: Endpoint, elsewhere: GtidSet) -> None:
        """Begin new relay logs."""
        self._change()
        main = self._mysqld.channels.get("")
        if main is None or SPLICE_CHANNEL in self._mysqld.channels:
            raise StepFailed(f"{self.name} has no source, or still the splice channel")
        if not main.received - self._mysqld.executed <= elsewhere:
            raise StepFailed(f"{self.name}: its relay logs hold transactions that are nowhere else")
        self._mysqld.change(
            "", source=source, source_uuid="", received=GtidSet(), receiver=Thread.CONNECTING, applier=Thread.YES,
            applier_trouble=Trouble(),
        )  # fmt: skip
        self._mysqld.unreadable = self._mysqld.behind = GtidSet()

    def forget_source(self) -> None:
        """Remove the default channel."""
        self._change()
        if "" in self._mysqld.channels:
            self.stop_receiver(1.0)
            self._must_be_executed()
            del self._mysqld.channels[""]

    def adopt_spliced(self, relay_log_file: str, size: int = 0) -> GtidSet:
        """Make the splice channel of files that a test laid out."""
        self._change()
        if SPLICE_CHANNEL in self._mysqld.channels:
            raise StepFailed(f"{self.name} has a splice channel already")
        if relay_log_file not in self._mysqld.spliced:
            raise StepFailed(f"{self.name} finds no transaction in {relay_log_file}")
        held = self._mysqld.spliced[relay_log_file]
        self._mysqld.channels[SPLICE_CHANNEL] = Channel(
            SPLICE_CHANNEL, NOWHERE, "", Thread.NO, Thread.YES, received=held, auto_position=False
        )
        return held

    def drop_spliced(self) -> None:
        """Remove the splice channel."""
        self._change()
        self._mysqld.channels.pop(SPLICE_CHANNEL, None)

    def wait_executed(self, gtids: GtidSet, seconds: float) -> bool:
        """Whether the server has executed them all; time in which it could is let pass."""
        if not gtids <= self.read().executed:
            self._servers.clock.sleep(seconds)
        return gtids <= self.read().executed

    def kill_partial(self) -> int:
        """Give up a half-received transaction: the applier stops."""
        self._change()
        main = self._mysqld.channels.get("")
        if main is None or main.receiver is not Thread.NO or not main.queueing:
            return 0
        self._mysqld.change("", applier=Thread.NO, queueing="")
        return 1

    def stalled_by(self) -> Stall:
        """Who holds a table lock that the applier waits for."""
        self._alive()
        holder = self._mysqld.tables_locked_by
        if holder is None:
            return Stall()
        account = self._mysqld.sessions[holder]
        return Stall((Blocker(holder, account, "the global read lock", 1, may_end=account not in OUR_ACCOUNTS),))

    def end_blocker(self, blocker: Blocker) -> bool:
        """End the session that holds the lock."""
        self._change()
        return blocker in self.stalled_by().blockers and blocker.may_end and self._mysqld.end(blocker.session)

    def acknowledge(self) -> None:
        """Give acknowledgements, wait for none."""
        self._change()
        if not self._mysqld.semi_sync.replica_plugin:
            raise StepFailed(f"{self.name}: rpl_semi_sync_replica is not loaded")
        self.stop_waiting()
        self._semi_sync(replica_on=True)

    def await_acks(self, wait_count: int) -> None:
        """Wait for acknowledgements."""
        self._change()
        if not self._mysqld.semi_sync.source_plugin:
            raise StepFailed(f"{self.name}: rpl_semi_sync_source is not loaded")
        self._semi_sync(source_on=True, timeout=INFINITE, after_sync=True, waits_alone=True, wait_count=wait_count)

    def stop_waiting(self) -> None:
        """Wait for nobody, where nobody waits."""
        self._change()
        found = self._mysqld.semi_sync
        if found.source_on and (not self._mysqld.super_read_only or found.waiting):
            raise StepFailed(f"{self.name}: commits may be waiting for an acknowledgement")
        self._semi_sync(source_on=False)

    def give_up_acks(self) -> None:
        """Wait for nobody."""
        self._change()
        self._semi_sync(source_on=False, waiting=0)

    def _semi_sync(self, **values: object) -> None:
        self._mysqld.semi_sync = replace(self._mysqld.semi_sync, **values)  # type: ignore[arg-type]

    def durability(self) -> Durability:
        self._alive()
        return self._mysqld.durability

    def set_durability(self, wanted: Durability) -> None:
        self._change()
        self._mysqld.durability = wanted

    def open_writes(self) -> ServerState:
        """Open the server."""
        self._change()
        if self._mysqld.offline:
            raise StepFailed(f"{self.name} is in offline_mode")
        self._mysqld.read_only = self._mysqld.super_read_only = False
        return self.read()

    def close_writes(self, lock_wait: float) -> None:
        """Close the server; who holds tables is thrown out."""
        self._change()
        if self._mysqld.tables_locked_by is not None:
            self.end_clients()
        self._mysqld.read_only = self._mysqld.super_read_only = True

    def stay_closed(self) -> None:
        """Start closed from now on."""
        self._change()
        if not self._mysqld.super_read_only:
            raise StepFailed(f"{self.name} is open")
        if not self._mysqld.keeps_settings:
            raise ServerError(f"{self.name} cannot write its settings")
        self._mysqld.starts_closed = True

    def work(self) -> tuple[Work, ...]:
        """Whoever holds tables."""
        self._alive()
        holder = self._mysqld.tables_locked_by
        if holder is None:
            return ()
        account = self._mysqld.sessions[holder]
        return (Work(f"lock:{holder}", holder, account, "holds table locks", may_end=account not in OUR_ACCOUNTS),)

    def end_work(self, work: Work) -> bool:
        """End the session that holds tables."""
        self._change()
        return work.may_end and work in self.work() and self._mysqld.end(work.session)

    def prepared(self) -> tuple[str, ...]:
        """What a test has prepared."""
        self._alive()
        return self._mysqld.prepared

    def load(self, variable: str) -> float:
        """What a test has set."""
        self._alive()
        if variable not in self._mysqld.load:
            raise StepFailed(f"{self.name} has no number called {variable} in its status")
        return self._mysqld.load[variable]

    def asked(self, query: str, seconds: float) -> float:
        """What a test has set, whatever is asked; an error where it has set one for this query."""
        self._alive()
        self._mysqld.asked.append(query)
        if query in self._mysqld.refuses:
            raise ServerError(f"{self.name} does not say it", code=self._mysqld.refuses[query])
        return self._mysqld.says

    def events_asleep(self) -> tuple[Event, ...]:
        """What a test has put there."""
        self._alive()
        return self._mysqld.asleep

    def try_close(self, seconds: float) -> bool:
        """Close the server, unless tables are held."""
        self._change()
        if self._mysqld.tables_locked_by is not None:
            self._servers.clock.sleep(seconds)
            return False
        self._mysqld.read_only = self._mysqld.super_read_only = True
        return True

    def inject_empty(self, gtids: GtidSet) -> int:
        """Names without content."""
        self._change()
        if self._mysqld.read_only:
            raise StepFailed(f"{self.name} takes no writes")
        more = gtids - self._mysqld.executed
        self._mysqld.executed |= more
        return len(more)

    def replay(self, changes: tuple[Change, ...]) -> int:
        """One transaction for all."""
        self._change()
        if self._mysqld.read_only:
            raise StepFailed(f"{self.name} takes no writes")
        self._mysqld.write(1)
        return len(changes)

    def final_set(self) -> GtidSet:
        """What the closed server holds."""
        self._alive()
        if not self._mysqld.super_read_only or self._mysqld.prepared:
            raise StepFailed(f"{self.name} is open, or something is prepared there")
        return self._mysqld.executed

    def keep_out(self) -> int:
        """Offline, and nobody is left."""
        self._change()
        self._mysqld.offline = True
        return self.end_clients()

    def let_in(self) -> None:
        """Online again."""
        self._change()
        self._mysqld.offline = False

    def end_clients(self) -> int:
        """End sessions of other accounts."""
        self._change()
        clients = [number for number, account in self._mysqld.sessions.items() if account not in OUR_ACCOUNTS]
        return sum(self._mysqld.end(number) for number in clients)

    def mark_unfinished(self) -> None:
        """Its replica settings name the mark."""
        self._change()
        self._mysqld.channels[""] = Channel("", UNFINISHED, "", Thread.NO, Thread.NO)

    def clone_from(self, donor: Endpoint, heed: Callable[[CloneProgress], None]) -> None:
        """Its data is gone at once, the donor's is there at the end, and it starts anew where somebody starts it."""
        self._change()
        ours, servers = self._mysqld, self._servers
        self.mark_unfinished()
        ours.offline = True
        for step in range(4):
            servers.clock.sleep(0.5)
            heed(CloneProgress(step * 250, 1000))
            if isinstance(ours.stops_cloning, ConnectFailed):  # as if it were whole: the real one cannot tell either
                ours.executed = GtidSet()
                ours.end(self._session)
                return
            if ours.stops_cloning is not None:
                ours.executed, ours.offline = GtidSet(), False
                raise ours.stops_cloning
        given = next(one for one in servers.mysqlds.values() if one.endpoint == donor)
        ours.kill()
        ours.executed, ours.offline = given.executed, False
        ours.channels = dict(given.channels)
        ours.alive, ours.started_at = ours.restarts, servers.clock.now()

    def release(self) -> None:
        """Give the locks back."""
        self._mysqld.end(self._session)

    def _alive(self) -> None:
        if self._session not in self._mysqld.sessions:
            raise ConnectFailed(f"{self.name}: the connection was cut", why=Why.RESET)

    def _change(self) -> None:
        self._lease.check()
        self._alive()

    def _changeable(self) -> Channel | None:
        self._change()
        if SPLICE_CHANNEL in self._mysqld.channels:
            raise StepFailed(f"{self.name} still has the splice channel")
        main = self._mysqld.channels.get("")
        if main is not None and main.applier is not Thread.YES:
            self._must_be_executed()
        return main

    def _must_be_executed(self) -> None:
        if not self._mysqld.channels[""].received <= self._mysqld.executed:
            raise StepFailed(f"{self.name} has received and not executed transactions")

    def _repoint(self, main: Channel, source: Endpoint) -> None:
        kept = main.received if main.applier is Thread.YES else GtidSet()
        self._mysqld.change("", source=source, source_uuid="", receiver=Thread.NO, received=kept)
