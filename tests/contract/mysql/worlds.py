"""Two worlds behind the Servers port, driven alike: real mysqlds, and mysqlds in memory.

In both, `db1` is the primary, `db2` follows it, and `db3` is a replica of db1 that the tests may point elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pymysql

from failoverd.decide.grants import statements
from failoverd.drivers.clock import SystemClock
from failoverd.drivers.mysql.access import ReplicationAccess, ServerAccess
from failoverd.drivers.mysql.servers import Manager, MysqlServers
from failoverd.drivers.wakeups import Bell
from failoverd.gtid import GtidSet
from failoverd.model.sight import Channel, Endpoint, Thread
from failoverd.ports import Servers
from tests.acceptance.real_mysqld import RealMysqld
from tests.fakes.mysqld import FakeMysqld
from tests.fakes.servers import FakeServers

CLUSTER = "Shop"
NAMES = ("db1", "db2", "db3")
CLOCK = SystemClock()
OPTIONS = (
    "--max-connections=20",
    "--skip-name-resolve",
    "--plugin-load-add=semisync_source.so;semisync_replica.so",
)
GRANTS = (
    "CREATE USER failoverd@'%' IDENTIFIED BY 'right'",
    *(line.rstrip(";") for line in statements("failoverd")),
    "CREATE USER repl@'%' IDENTIFIED BY 'replicate'",
    "GRANT REPLICATION SLAVE ON *.* TO repl@'%'",
    "CREATE DATABASE app",
    "CREATE TABLE app.t (id INT PRIMARY KEY AUTO_INCREMENT, body LONGBLOB)",
    "CREATE USER app@'%' IDENTIFIED BY 'app'",
    "GRANT ALL ON app.* TO app@'%'",
)

REPLICATION = ReplicationAccess("repl", "replicate", heartbeat=0.2)


def unasked() -> None:
    """For a change of a source beside which no relay log needs to be kept."""
    raise AssertionError("it holds what is not executed")


def within(seconds: float, true: Callable[[], bool], what: str) -> None:
    """Wait until something is true; generous limits only, nothing is measured here."""
    end = CLOCK.now() + seconds
    while not true():
        assert CLOCK.now() < end, f"{what} did not happen within {seconds} s"
        CLOCK.sleep(0.01)


class Client(Protocol):
    """An ordinary client's session."""

    def lives(self) -> bool:
        """Whether it can still say something."""

    def lock_tables(self) -> None:
        """Hold a table lock from now on."""


class World(Protocol):
    """What a test can do to the servers, beside asking the port."""

    bell: Bell

    def servers(self, manager: str = "m1", password: str = "right", may_evict: bool = True) -> Servers:
        """The port as one manager sees it."""

    def endpoint(self, server: str) -> Endpoint:
        """Where a server listens."""

    def write(self, server: str, count: int = 1) -> None:
        """Execute transactions as a client."""

    def executed(self, server: str) -> GtidSet:
        """What a server has executed."""

    def stop_applier(self, server: str) -> None:
        """Stop the applier of the default channel, as a person would."""

    def client(self, server: str) -> contextlib.AbstractContextManager[Client]:
        """A client's session."""

    def kill(self, server: str) -> None:
        """kill -9."""

    def freeze(self, server: str) -> None:
        """SIGSTOP."""

    def thaw(self, server: str) -> None:
        """SIGCONT."""

    def full(self, server: str) -> contextlib.AbstractContextManager[None]:
        """All connections are taken."""


class FakeWorld:
    """Servers in memory."""

    def __init__(self) -> None:
        self.bell = Bell()
        self.mysqlds = {
            name: FakeMysqld(
                name, Endpoint(f"10.0.0.{number}", 3306), f"{number:08d}-1111-2222-3333-444444444444", number
            )
            for number, name in enumerate(NAMES, 1)
        }
        source = self.mysqlds["db1"]
        for name in NAMES[1:]:
            self.mysqlds[name].read_only = self.mysqlds[name].super_read_only = True
            self.mysqlds[name].channels[""] = Channel(
                "", source.endpoint, source.server_uuid, Thread.YES, Thread.YES, heartbeat_age=0.1, heartbeat_period=0.2
            )
        self._all = [self._make("m1", "right", may_evict=True)]

    def _make(self, manager: str, password: str, *, may_evict: bool) -> FakeServers:
        return FakeServers(CLUSTER, self.mysqlds, CLOCK, self.bell, manager, password, may_evict)

    def servers(self, manager: str = "m1", password: str = "right", may_evict: bool = True) -> Servers:
        self._all.append(self._make(manager, password, may_evict=may_evict))
        return self._all[-1]

    def endpoint(self, server: str) -> Endpoint:
        return self.mysqlds[server].endpoint

    def write(self, server: str, count: int = 1) -> None:
        self.mysqlds[server].write(count)
        self._all[0].replicate()

    def executed(self, server: str) -> GtidSet:
        self._all[0].replicate()
        return self.mysqlds[server].executed

    def stop_applier(self, server: str) -> None:
        self.mysqlds[server].change("", applier=Thread.NO)

    @contextlib.contextmanager
    def client(self, server: str) -> Iterator[Client]:
        mysqld = self.mysqlds[server]
        yield FakeClient(mysqld, mysqld.connect("app"))

    def kill(self, server: str) -> None:
        watching = [servers for servers in self._all if servers.watches(server)]
        self.mysqlds[server].kill()
        for servers in watching:
            servers.ring(server)

    def freeze(self, server: str) -> None:
        self.mysqlds[server].frozen = True

    def thaw(self, server: str) -> None:
        self.mysqlds[server].frozen = False

    @contextlib.contextmanager
    def full(self, server: str) -> Iterator[None]:
        self.mysqlds[server].full = True
        yield
        self.mysqlds[server].full = False


class FakeClient:
    """A client of a server in memory."""

    def __init__(self, mysqld: FakeMysqld, session: int) -> None:
        self._mysqld = mysqld
        self._session = session

    def lives(self) -> bool:
        return self._session in self._mysqld.sessions

    def lock_tables(self) -> None:
        self._mysqld.tables_locked_by = self._session


class RealWorld:
    """Three mysqlds on loopback, put back in order before each test; only db2 has performance_schema."""

    def __init__(self, home: Path) -> None:
        self.bell = Bell()
        made = template(home)
        self.mysqlds = {
            name: RealMysqld(home / name, number, extra=(_schema(name), *OPTIONS))
            for number, name in enumerate(NAMES, 1)
        }
        self._made: list[MysqlServers] = []
        for mysqld in self.mysqlds.values():
            mysqld.initialise(made)
            mysqld.start()

    def end(self) -> None:
        """End everything."""
        self.forget_managers()
        for mysqld in self.mysqlds.values():
            mysqld.kill()

    def forget_managers(self) -> None:
        """Close the sessions of all ports made so far."""
        for made in self._made:
            made.close()
        self._made.clear()

    def restore(self) -> None:
        """Everything as at the beginning: empty sets, two replicas of db1, no sessions left."""
        self.forget_managers()
        self.bell = Bell()
        for name, mysqld in self.mysqlds.items():
            if mysqld.process is None:
                mysqld.start()
            within(10, lambda mysqld=mysqld: _without_sessions(mysqld), "the end of left sessions")  # type: ignore[misc]
            mysqld.rows(
                "SET GLOBAL rpl_semi_sync_source_enabled = OFF", "SET GLOBAL rpl_semi_sync_replica_enabled = OFF",
                "SET GLOBAL offline_mode = OFF", "SET GLOBAL read_only = OFF", "STOP REPLICA", "RESET REPLICA ALL",
                "RESET BINARY LOGS AND GTIDS", "SET sql_log_bin = 0", "TRUNCATE app.t", "DROP TABLE IF EXISTS app.s",
            )  # fmt: skip
            if name != "db1":
                mysqld.rows(*self.follow("db1"), "SET GLOBAL super_read_only = ON")
        for name in NAMES[1:]:
            within(10, lambda name=name: self._attached(name), f"{name} attached")  # type: ignore[misc]

    def follow(self, source: str) -> tuple[str, ...]:
        """What makes a server a replica, as a person would say it."""
        change = (
            f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={self.mysqlds[source].port},"
            " SOURCE_USER='repl', SOURCE_PASSWORD='replicate', SOURCE_AUTO_POSITION=1, SOURCE_HEARTBEAT_PERIOD=0.2,"
            " SOURCE_CONNECT_RETRY=1, GET_SOURCE_PUBLIC_KEY=1 FOR CHANNEL ''"
        )
        return change, "START REPLICA FOR CHANNEL ''"

    def _attached(self, server: str) -> bool:
        rows = self.mysqlds[server].rows("SHOW REPLICA STATUS FOR CHANNEL ''")
        return bool(rows[0]["Replica_IO_Running"] == rows[0]["Replica_SQL_Running"] == "Yes")

    def servers(
        self,
        manager: str = "m1",
        password: str = "right",
        may_evict: bool = True,
        replication: ReplicationAccess = REPLICATION,
    ) -> Servers:
        accesses = tuple(
            ServerAccess(CLUSTER, n, self.endpoint(n), "failoverd", password, lossless=True) for n in NAMES
        )
        made = MysqlServers(accesses, {CLUSTER: replication}, Manager(manager, may_evict), CLOCK, self.bell)
        self._made.append(made)
        return made

    def endpoint(self, server: str) -> Endpoint:
        return Endpoint("127.0.0.1", self.mysqlds[server].port)

    def write(self, server: str, count: int = 1) -> None:
        self.mysqlds[server].rows(*(["INSERT INTO app.t (body) VALUES ('x')"] * count))

    def executed(self, server: str) -> GtidSet:
        return GtidSet.parse(self.mysqlds[server].executed())

    def stop_applier(self, server: str) -> None:
        self.mysqlds[server].rows("STOP REPLICA SQL_THREAD FOR CHANNEL ''")

    @contextlib.contextmanager
    def client(self, server: str, user: str = "app", password: str = "app") -> Iterator[Client]:
        session = pymysql.connect(
            host="127.0.0.1", port=self.mysqlds[server].port, user=user, password=password, autocommit=True,
            connect_timeout=5, read_timeout=60,
        )  # fmt: skip
        try:
            yield RealClient(session)
        finally:
            with contextlib.suppress(pymysql.Error):
                session.close()

    def kill(self, server: str) -> None:
        self.mysqlds[server].kill()

    def freeze(self, server: str) -> None:
        number = self._signal(server, signal.SIGSTOP)
        within(10, lambda: _stands_still(number), f"{server} stood still")

    def thaw(self, server: str) -> None:
        self._signal(server, signal.SIGCONT)

    def _signal(self, server: str, number: signal.Signals) -> int:
        process = self.mysqlds[server].process
        assert process is not None
        os.kill(process.pid, number)
        return process.pid

    @contextlib.contextmanager
    def full(self, server: str) -> Iterator[None]:
        """Our account may use the one connection kept for administrators, so that one is taken as well."""
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(pymysql.OperationalError):
                for _ in range(30):
                    stack.enter_context(self.client(server))
            with contextlib.suppress(pymysql.OperationalError):
                stack.enter_context(self.client(server, "failoverd", "right"))
            yield


class RealClient:
    """A client of a real server."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def say(self, statement: str) -> None:
        """Run a statement."""
        with self._session.cursor() as cursor:
            cursor.execute(statement)

    def lives(self) -> bool:
        try:
            self.say("SELECT 1")
        except pymysql.Error:
            return False
        return True

    def lock_tables(self) -> None:
        self.say("LOCK TABLES app.t WRITE")


def _stands_still(number: int) -> bool:
    """Whether every thread of a process has stopped: a signal takes its time on a busy machine."""
    threads = Path(f"/proc/{number}/task").glob("*/stat")
    return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in threads)


def _schema(server: str) -> str:
    return f"--performance-schema={'ON' if server == 'db2' else 'OFF'}"


def _without_sessions(mysqld: RealMysqld) -> bool:
    """Whether no session of an earlier test is left; those that are left are ended."""
    rows = mysqld.rows("SHOW PROCESSLIST")
    left = [row["Id"] for row in rows if row["User"] in {"failoverd", "app"}]
    for number in left:
        with contextlib.suppress(pymysql.Error):
            mysqld.rows(f"KILL {number}")
    return not left


def template(home: Path) -> Path:
    """A data directory with all accounts, made once and copied: making one takes seconds."""
    first = RealMysqld(home / "template", 99)
    first.initialise()
    first.start()
    first.rows("SET sql_log_bin = 0", *GRANTS)
    process = first.process
    assert process is not None
    with contextlib.suppress(pymysql.Error):
        first.rows("SHUTDOWN")
    process.wait(30)
    for left in first.datadir.glob("binlog.*"):
        left.unlink()
    return first.datadir


def in_memory(name: str = "mysql") -> Path:
    """A folder that costs no disk."""
    home = Path("/dev/shm") / f"failoverd-{name}-{os.getpid()}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    return home
