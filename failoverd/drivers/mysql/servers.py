"""The MySQL servers behind the Servers port: one monitoring session each for looking, one claim each for changing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from failoverd.drivers.mysql import failures, rows, statements, wire
from failoverd.drivers.mysql.access import ReplicationAccess, ServerAccess
from failoverd.drivers.mysql.claimed import Claimed
from failoverd.drivers.mysql.claims import Claimer
from failoverd.drivers.mysql.comparing import table_sum
from failoverd.drivers.mysql.reader import Growth, Reader
from failoverd.drivers.mysql.session import Doors, Doorstep, Row, Session
from failoverd.drivers.mysql.tables import Tables
from failoverd.drivers.mysql.watcher import Watcher
from failoverd.drivers.mysql.writing import Writer
from failoverd.drivers.tasks import ThreadTasks
from failoverd.model.cloning import CloneSide
from failoverd.model.comparing import TableSum
from failoverd.model.errors import ConfigError, ConnectFailed, FailoverdError, ServerError, TimedOut
from failoverd.model.features import Features
from failoverd.model.sight import Endpoint, Follower, Sight, Unreachable, Why
from failoverd.model.writing import Unwritten, WriteProbe
from failoverd.ports import ClaimedServer, Clock, Lease, Wakeups


@dataclass(frozen=True, slots=True)
class Manager:
    """Who we are to the servers; `name` must be unique among the managers of a site.

    `may_evict`: whether a session lock of another manager may be broken. Only where coordination excludes that the
    other one is active: a local file lock does not.
    """

    name: str
    may_evict: bool = True


class MysqlServers:
    """All servers of all clusters; every one may be looked at from any thread.

    `replication` names for each cluster how its replicas log in. Rings `lost:<cluster>/<server>` when a server lets go
    of its idle monitoring session.
    """

    def __init__(
        self,
        accesses: tuple[ServerAccess, ...],
        replication: Mapping[str, ReplicationAccess],
        manager: Manager,
        clock: Clock,
        wakeups: Wakeups,
    ) -> None:
        self._clock = clock
        self._manager = manager
        self._replication = dict(replication)
        self._doors = Doors(clock, wire.Names(ThreadTasks()), f"failoverd/{manager.name}")
        self._watcher = Watcher(wakeups)
        self._monitors = {(a.cluster, a.name): Monitor(self._doors, a, self._watcher) for a in accesses}
        self._writers: dict[tuple[str, str], Writer] = {}

    def configure(self, accesses: tuple[ServerAccess, ...], replication: Mapping[str, ReplicationAccess]) -> None:
        """Other servers, or other ways to them, from the next look on; sessions that stay right stay open."""
        before, self._replication = self._monitors, dict(replication)
        kept = {key: one for key, one in before.items() if one.access in accesses}
        made = {(a.cluster, a.name): Monitor(self._doors, a, self._watcher) for a in accesses}
        self._monitors = {**made, **kept}
        for key, monitor in before.items():
            if key not in kept:
                monitor.close()
                self._end_writer(key)

    def look(self, cluster: str, server: str, timeout: float) -> Sight:
        """Read one server on its monitoring session, opening one if needed, within `timeout` seconds. Never raises for
        what a server does.
        """
        return self._monitor(cluster, server).look(timeout, anew=False)

    def begin_look(self, cluster: str, server: str) -> bool:
        """Ask one server on its monitoring session without waiting; False where there is none, or it is in use."""
        return self._monitor(cluster, server).begin()

    def connect_again(self, cluster: str, server: str, timeout: float) -> Sight:
        """The same on a new connection, whatever the monitoring session says."""
        return self._monitor(cluster, server).look(timeout, anew=True)

    def grants(self, cluster: str, server: str, timeout: float) -> tuple[str, ...]:
        """What our account may do there, as the lines of SHOW GRANTS. Raises ServerError."""
        found = self._asked(cluster, server, statements.READ_GRANTS, timeout)
        return tuple(str(value) for row in found for value in row.values())

    def followers(self, cluster: str, server: str, timeout: float) -> tuple[Follower, ...]:
        """Who replicates from it at this moment, members or not. Raises ServerError."""
        found = self._asked(cluster, server, statements.READ_REPLICAS, timeout)
        return tuple(Follower(Endpoint(str(r["Host"]), int(r["Port"])), str(r["Replica_UUID"])) for r in found)

    def features(self, cluster: str, server: str, table: str, timeout: float) -> Features:
        """What it uses that no look tells, and whether this table (its schema before a dot) is there. ServerError."""
        asked = (
            statements.READ_ENGINES.say(),
            statements.READ_GROUP.say(),
            statements.READ_CLONE.say(),
            statements.READ_EVENTS.say(),
            statements.READ_TABLE.say(table),
        )
        session = self._doors.open(self._monitor(cluster, server).access, timeout)
        try:
            found = session.batch(asked, limit=timeout)
            prepared: tuple[Row, ...] = ()
            with contextlib.suppress(ServerError):  # the right to see them is a finding of its own
                prepared = session.rows(statements.READ_PREPARED, limit=timeout)
            return rows.features_of(*found, prepared)
        finally:
            session.close()

    def clone_side(self, cluster: str, server: str, timeout: float) -> CloneSide:
        """What it has for a clone; a server that cannot be asked says why."""
        asked = tuple(one.say() for one in (statements.READ_VERSION, statements.READ_CLONE, statements.READ_SIZE))
        try:
            session = self._doors.open(self._monitor(cluster, server).access, timeout)
            try:
                ((version,), plugin, (size,), grants) = session.batch(
                    (*asked, statements.READ_GRANTS.say()), limit=timeout
                )
            finally:
                session.close()
        except ServerError as error:
            return CloneSide(server, problem=str(error))
        lines = tuple(str(value) for row in grants for value in row.values())
        return CloneSide(server, str(version["version"]), bool(plugin), lines, int(size["bytes"]))

    def table_sum(self, cluster: str, server: str, table: str, heed: Callable[[float], None]) -> TableSum:
        """The checksum of a table, on a session of its own; what `heed` raises ends it there, too."""
        return table_sum(self._doors, self._monitor(cluster, server).access, table, heed)

    def tables(self, cluster: str, server: str, timeout: float) -> Tables:
        """A session of its own for reading tables there; the caller ends it. Raises ServerError."""
        return Tables(self._doors.open(self._monitor(cluster, server).access, timeout))

    def claim(self, cluster: str, server: str, lease: Lease, timeout: float) -> ClaimedServer:
        """Take the session lock; FencedOut where a higher epoch holds it, ServerError where it cannot be had."""
        access = self._monitor(cluster, server).access
        if cluster not in self._replication:
            raise ConfigError(f"no account for replication in cluster {cluster}", access.where)
        session = Claimer(self._doors, self._manager.name, self._manager.may_evict).claim(access, lease, timeout)
        return Claimed(access, self._replication[cluster], session, lease, self._doors)

    def try_write(self, cluster: str, server: str, probe: WriteProbe, uuid: str, lease: Lease) -> Unwritten | None:
        """Let a write begin there if one is due; since when none has come to its end, None where the last one did."""
        access = self._monitor(cluster, server).access
        writer = self._writers.setdefault((cluster, server), Writer(self._doors, access, self._manager.name))
        return writer.write(probe, uuid, lease)

    def close(self) -> None:
        """End all monitoring sessions; claims are released by who holds them."""
        for key, monitor in self._monitors.items():
            monitor.close()
            self._end_writer(key)

    def _end_writer(self, key: tuple[str, str]) -> None:
        writer = self._writers.pop(key, None)
        if writer is not None:
            writer.close()

    def _asked(self, cluster: str, server: str, statement: statements.Statement, timeout: float) -> tuple[Row, ...]:
        """The rows of one statement on a session of its own."""
        session = self._doors.open(self._monitor(cluster, server).access, timeout)
        try:
            return session.rows(statement, limit=timeout)
        finally:
            session.close()

    def _monitor(self, cluster: str, server: str) -> Monitor:
        try:
            return self._monitors[cluster, server]
        except KeyError:
            raise ConfigError(f"cluster {cluster} has no server {server}", "", "see the configuration") from None


# Seconds: for a question of a few hundred bytes to be taken by the kernel, and how old an answer may be that was asked
# for ahead.
_ASKING, _STALE = 0.05, 1.0


class Monitor:
    """The monitoring session of one server."""

    def __init__(self, doors: Doors, access: ServerAccess, watcher: Watcher) -> None:
        self.access = access
        self._clock = doors.clock
        self._doorstep = Doorstep(doors, access)
        self._watcher = watcher
        self._reader = Reader(access, doors.clock, Growth())
        self._session: Session | None = None
        self._busy = threading.Lock()
        self._watched: Session | None = None
        self._asked_at = float("-inf")

    def begin(self) -> bool:
        """Ask on the open session without waiting for the answer; the look that follows at once hears it."""
        if not self._busy.acquire(blocking=False):
            return False
        try:
            session = self._session
            if session is None or session.lost is not None:
                return False
            if not session.asked:
                self._watcher.use(session.line)
                self._asked_at = self._clock.now()
                self._reader.ask(session, _ASKING)
        except FailoverdError:
            return False  # the look finds the session lost, and opens another one
        else:
            return True
        finally:
            self._busy.release()

    def look(self, timeout: float, *, anew: bool) -> Sight:
        """Read the server within `timeout` seconds; a session that turns out to be lost is opened again within it."""
        end = self._clock.now() + timeout
        if not self._busy.acquire(timeout=max(timeout, 0.0)):
            return self._unreachable(Why.OWN_SIDE, "an earlier look has not come back yet")
        try:
            if anew or self._stale():
                self._drop()
            return self._read(end)
        except ConnectFailed as error:
            return self._unreachable(error.why, str(error), error.code)
        except TimedOut as error:
            why = self._session.silence if self._session else Why.HUNG
            return self._unreachable(why, str(error))
        except ServerError as error:
            leaving = error.code == failures.SHUTDOWN_IN_PROGRESS
            return self._unreachable(Why.LEAVING if leaving else Why.ALIVE, str(error), error.code)
        finally:
            if self._session is not None and self._session.lost is not None:
                self._session = None
            self._busy.release()

    def close(self) -> None:
        """End the session and give up any attempt to open one."""
        with self._busy:
            self._drop()
            self._doorstep.leave()

    def _stale(self) -> bool:
        """Whether an answer is under way that nobody came to hear: it tells how the server was, not how it is."""
        asked = self._session is not None and self._session.asked
        return asked and self._clock.now() - self._asked_at > _STALE

    def _read(self, end: float) -> Sight:
        fresh = self._session is None
        try:
            return self._read_once(end)
        except ConnectFailed:
            if fresh:
                raise  # a new session has been tried already
        self._drop()
        return self._read_once(end)

    def _read_once(self, end: float) -> Sight:
        fresh = self._session is None
        if self._session is None:
            self._session = self._doorstep.open(end - self._clock.now())
        else:
            self._watcher.use(self._session.line)
        state = self._reader.read(self._session, end - self._clock.now(), anew=fresh)
        reason = f"lost:{self.access.cluster}/{self.access.name}"
        if self._watched is self._session:
            self._watcher.rest(self._session.line, reason)
        else:
            self._watcher.watch(self._session.line, reason)
            self._watched = self._session
        return state

    def _drop(self) -> None:
        if self._session is not None:
            self._watcher.leave(self._session.line)
            self._session.close()
            self._session = None

    def _unreachable(self, why: Why, text: str, code: int = 0) -> Unreachable:
        return Unreachable(self.access.name, why, text, self._clock.now(), code)
