"""The Servers port on virtual time: sessions are simulated, what is said on them is the production driver's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from failoverd.drivers.mysql.access import ReplicationAccess, ServerAccess
from failoverd.drivers.mysql.claimed import Claimed
from failoverd.drivers.mysql.claims import Claimer
from failoverd.drivers.mysql.session import Doors
from failoverd.drivers.mysql.statements import TAKE_LOCK, Said, Statement
from failoverd.model.cloning import CloneSide
from failoverd.model.comparing import TableSum
from failoverd.model.errors import ConnectFailed, ServerError, TimedOut
from failoverd.model.sight import ServerState, Sight, Unreachable, Why
from failoverd.model.writing import Unwritten, WriteProbe
from failoverd.ports import ClaimedServer, Clock, Lease
from tests.simulation import statements
from tests.simulation.loop import Process
from tests.simulation.mysqld import Mysqld
from tests.simulation.network import Again, Cut, NoAnswer, Word

OUR_ACCOUNT = "failoverd"
FROZEN_POLL = 0.25


@dataclass(frozen=True, slots=True)
class Deed:
    """What one of our sessions has made a server do."""

    server: Mysqld
    session: int
    epoch: int
    statement: Statement
    values: tuple[Any, ...]


Witness = Callable[[Deed], None]


@dataclass(slots=True)
class Viewpoint:
    """Who looks from where, and who is told what was done."""

    process: Process
    clock: Clock
    sent: Callable[[int, Statement], None]
    done: Witness
    refused: Callable[[int, str], None]


class SimSession:
    """One login on one simulated server, with the production session's behaviour: lost once is lost for good."""

    def __init__(self, eyes: Viewpoint, server: Mysqld, number: int, epoch: int) -> None:
        self.where = f"{server.name} ({server.endpoint})"
        self.lost: ConnectFailed | TimedOut | None = None
        self.number = number
        self.epoch = epoch
        self._eyes = eyes
        self._server = server
        self._pending = 0

    def keep_secret(self, *words: str) -> None:
        """There are no secrets here."""

    def rows(self, statement: Statement, *values: object, limit: float) -> statements.Rows:
        """Run a statement and give its rows."""
        return self.batch((statement.say(*values),), limit=limit)[0]

    def batch(self, said: Sequence[Said], *, limit: float) -> tuple[statements.Rows, ...]:
        """Statements that travel as one word; the server does one after the other."""
        if self.lost is not None:
            raise self.lost
        eyes, server = self._eyes, self._server
        does, changes = "; ".join(one.statement.does for one in said), [s for s in said if s.statement.changes]
        word = Word(eyes.process, eyes.process.name, server.name, does, bool(changes))
        for one in changes:
            eyes.sent(self.epoch, one.statement)
        answers: list[statements.Rows] = []
        self._pending += 1
        try:
            return server.net.ask(word, lambda: self._serve(said, answers), limit)
        except NoAnswer:
            self.lost = TimedOut(f"{self.where} did not {does}", "its outcome is unknown")
        except Cut:
            self.lost = ConnectFailed(f"{self.where}: the connection was cut", why=Why.RESET)
        self.close()
        raise self.lost

    def _serve(self, said: Sequence[Said], answers: list[statements.Rows]) -> tuple[statements.Rows, ...]:
        """What is left of them, after what has been answered already."""
        while len(answers) < len(said):
            one = said[len(answers)]
            answers.append(self._done(one.statement, one.values))
        self._pending -= 1
        if self.lost is not None:
            self._server.end(self.number)  # nobody listens any more, which is noticed after the statement
        return tuple(answers)

    def _done(self, statement: Statement, values: tuple[Any, ...]) -> statements.Rows:
        server = self._server
        if self.number not in server.sessions or not server.alive:
            raise Cut
        if server.frozen:
            if self.lost is not None and not statement.changes:
                raise NoAnswer
            raise Again(FROZEN_POLL)
        answer = statements.run(server, self.number, statement, values)
        if statement.changes or statement is TAKE_LOCK:
            self._eyes.done(Deed(server, self.number, self.epoch, statement, values))
        return answer

    def close(self) -> None:
        """Go; a server that is still busy for us notices when it is done, one that cannot be reached never does."""
        self.lost = self.lost or ConnectFailed(f"{self.where}: the session was closed", why=Why.OWN_SIDE)
        server, name = self._server, self._eyes.process.name
        if not self._eyes.process.alive or not server.net.open(name, server.name) or not server.answers:
            return
        if self._pending <= 0 or isinstance(self.lost, ConnectFailed):
            server.end(self.number)


class SimReader:
    """Reads a whole state in one statement."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._starts: dict[float, float] = {}

    def read(self, session: Any, timeout: float, *, anew: bool = False, after: tuple[Said, ...] = ()) -> ServerState:
        del anew
        *_, (row,) = session.batch((*after, statements.STATE.say()), limit=timeout)
        state = cast("ServerState", row["state"])
        now = self._clock.now()
        started = self._starts.setdefault(state.started_at, now - max(state.read_at - state.started_at, 0.0))
        object.__setattr__(state, "read_at", now)  # made for this reading alone, and a copy costs as much as making it
        object.__setattr__(state, "started_at", started)
        return state


class SimDoors:
    """Opens sessions for one manager, or for one claim of it."""

    def __init__(self, eyes: Viewpoint, mysqlds: Mapping[str, Mysqld], epoch: int = 0) -> None:
        self.clock = eyes.clock
        self._eyes = eyes
        self._mysqlds = mysqlds
        self._epoch = epoch

    def open(self, access: ServerAccess, timeout: float) -> SimSession:
        """A session, or the failure that the real one meets."""
        server, eyes = self._mysqlds[access.name], self._eyes
        name = eyes.process.name
        try:
            number = server.net.ask(
                Word(eyes.process, name, server.name, "connect"),
                lambda: self._login(server, name, access.password),
                timeout,
            )
        except NoAnswer:
            why = Why.HUNG if server.frozen and server.net.both(name, server.name) else Why.TIMED_OUT
            raise ConnectFailed(f"{server.name}: no greeting", why=why) from None
        except Cut:
            raise ConnectFailed(f"{server.name}: nobody listens", why=Why.REFUSED) from None
        server.owners[number] = eyes.process
        if self._epoch:
            server.epochs[number] = self._epoch
        return SimSession(eyes, server, number, self._epoch)

    def _login(self, server: Mysqld, name: str, password: str) -> int:
        if not server.net.both(server.name, name) or server.frozen:
            raise NoAnswer
        if not server.alive:
            raise Cut
        if server.full:
            raise ConnectFailed(f"{server.name}: too many connections", why=Why.ALIVE, code=1040)
        if password != "right":
            raise ConnectFailed(f"{server.name}: access denied", why=Why.ACCESS_DENIED, code=1045)
        return server.connect(OUR_ACCOUNT)


class SimServers:
    """Implements `ports.Servers` for one manager; `ring` is called when a monitoring session is cut."""

    def __init__(
        self, cluster: str, mysqlds: Mapping[str, Mysqld], eyes: Viewpoint, ring: Callable[[str], None], manager: str
    ) -> None:
        self.password = "right"
        self.cluster = cluster
        self.manager = manager
        self.may_evict = True
        self._mysqlds = mysqlds
        self._eyes = eyes
        self._ring = ring
        self._doors = SimDoors(eyes, mysqlds)
        self._monitors: dict[str, SimSession] = {}
        self._busy: set[str] = set()
        self._readers: dict[str, SimReader] = {}
        for server in mysqlds.values():
            server.on_end.append(lambda session, server=server: self._ended(server, session))  # type: ignore[misc]

    def look(self, cluster: str, server: str, timeout: float) -> Sight:
        """Read one server on its monitoring session."""
        if server in self._busy:
            return self._missed(server, Why.OWN_SIDE)
        self._busy.add(server)
        try:
            return self._read(server, self._eyes.clock.now() + timeout)
        except ConnectFailed as error:
            return self._missed(server, error.why, error.code)
        except TimedOut:
            mysqld = self._mysqlds[server]
            frozen = mysqld.net.both(self._eyes.process.name, server)
            return self._missed(server, Why.HUNG if frozen else Why.TIMED_OUT)
        finally:
            self._busy.discard(server)

    def begin_look(self, cluster: str, server: str) -> bool:
        """Nothing is asked ahead here."""
        return False

    def connect_again(self, cluster: str, server: str, timeout: float) -> Sight:
        """Read one server on a new session."""
        if server not in self._busy and (old := self._monitors.pop(server, None)) is not None:
            old.close()
        return self.look(cluster, server, timeout)

    def clone_side(self, cluster: str, server: str, timeout: float) -> CloneSide:
        """No simulated server is overwritten."""
        return CloneSide(server, problem="the clone plugin is not simulated")

    def table_sum(self, cluster: str, server: str, table: str, heed: Callable[[float], None]) -> TableSum:
        """No simulated server has rows."""
        return TableSum(problem="rows are not simulated")

    def try_write(self, cluster: str, server: str, probe: WriteProbe, uuid: str, lease: Lease) -> Unwritten | None:
        """No simulated cluster is given a write probe."""
        raise AssertionError(f"a write on {server}")

    def claim(self, cluster: str, server: str, lease: Lease, timeout: float) -> ClaimedServer:
        """The production claim, on a simulated session."""
        eyes = self._eyes
        doors = cast("Doors", SimDoors(eyes, self._mysqlds, lease.epoch))
        access = self._access(server)
        try:
            session = Claimer(doors, self.manager, self.may_evict).claim(access, lease, timeout)
        except ServerError as error:
            if type(error) is ServerError and self.may_evict:
                eyes.refused(lease.epoch, str(error))
            raise
        replication = ReplicationAccess("repl", "replicate", tune=False)
        claimed = Claimed(access, replication, session, lease, doors)
        claimed._session._reader = SimReader(eyes.clock)  # type: ignore[assignment]
        return claimed

    def _access(self, server: str) -> ServerAccess:
        return ServerAccess(self.cluster, server, self._mysqlds[server].endpoint, OUR_ACCOUNT, self.password)

    def _read(self, server: str, end: float) -> ServerState:
        session = self._monitors.get(server)
        if session is not None and session.lost is None:
            try:
                return self._read_once(session, end)
            except ConnectFailed:
                pass
        self._monitors.pop(server, None)
        session = self._doors.open(self._access(server), end - self._eyes.clock.now())
        self._monitors[server] = session
        return self._read_once(session, end)

    def _read_once(self, session: SimSession, end: float) -> ServerState:
        reader = self._readers.setdefault(session.where, SimReader(self._eyes.clock))
        return reader.read(session, end - self._eyes.clock.now())

    def _ended(self, server: Mysqld, number: int) -> None:
        session, process = self._monitors.get(server.name), self._eyes.process
        mine = session is not None and session.number == number and session.lost is None
        if mine and process.alive and server.net.open(server.name, process.name):
            loop = process.loop
            loop.at(loop.now + 0.001, lambda: self._ring(f"lost:{self.cluster}/{server.name}"), process)

    def _missed(self, server: str, why: Why, code: int = 0) -> Unreachable:
        return Unreachable(server, why, f"{server}: {why}", self._eyes.clock.now(), code)
