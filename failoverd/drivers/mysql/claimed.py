"""One server under our session lock: all that failoverd ever changes on a MySQL server is in here and in `channels`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from failoverd.drivers.mysql import statements
from failoverd.drivers.mysql.access import ReplicationAccess, ServerAccess
from failoverd.drivers.mysql.amending import Amending
from failoverd.drivers.mysql.blockers import Blockers
from failoverd.drivers.mysql.channels import Channels
from failoverd.drivers.mysql.claim_session import ClaimSession
from failoverd.drivers.mysql.cloning import Cloning
from failoverd.drivers.mysql.closing import Closing
from failoverd.drivers.mysql.partial import Partial
from failoverd.drivers.mysql.reader import Growth, Reader
from failoverd.drivers.mysql.rows import is_on
from failoverd.drivers.mysql.semisync import ENDED, Acks
from failoverd.drivers.mysql.session import Doors, Row, Session
from failoverd.gtid import GtidSet
from failoverd.model.cloning import CloneProgress
from failoverd.model.divergence import Change
from failoverd.model.durability import RELAXED, Durability
from failoverd.model.errors import ServerError, StepFailed
from failoverd.model.events import Event
from failoverd.model.sight import Endpoint, ServerState
from failoverd.model.stall import Blocker, Stall
from failoverd.model.work import Work
from failoverd.ports import Lease

_NO_SUCH_SESSION = 1094
_NO_RIGHT_TO_KILL = 1095
_LOCK_WAIT_EXCEEDED = 1205
_FORCE = 60.0  # seconds for forcing logs to a slow disk
_MARGIN = 2.0  # seconds by which our limit is longer than the server's own
_FOREIGN_COMMANDS = frozenset({"Binlog Dump", "Binlog Dump GTID", "Daemon"})
_SYSTEM_ACCOUNTS = frozenset({"system user", "event_scheduler", "unauthenticated user", "mysql.session", "mysql.sys"})


class Claimed:
    """A claim: its session holds the locks; when the session is lost, so is the claim: another one must be taken."""

    def __init__(
        self, access: ServerAccess, replication: ReplicationAccess, session: Session, lease: Lease, doors: Doors
    ) -> None:
        clock = doors.clock
        session.keep_secret(replication.password)
        reader = Reader(access, clock, Growth())
        self._access = access
        self._own = frozenset({access.user, replication.user})
        self._session = ClaimSession(session, lease, clock, reader)
        self._channels = Channels(self._session, replication)
        self._partial = Partial(self._session, self._kill)
        self._acks = Acks(self._session)
        self._blockers = Blockers(self._session, self._client)
        self._closing = Closing(self._session, self._client)
        self._amending = Amending(self._session)
        self._cloning = Cloning(self._session, access, lambda seconds: doors.open(access, seconds))

    @property
    def name(self) -> str:
        """The server's name."""
        return self._access.name

    def read(self) -> ServerState:
        """Its state, read on the claimed session."""
        return self._session.read()

    def stop_receiver(self, timeout: float) -> None:
        """Stop the receiver of the default channel and confirm that it is off, within about `timeout` seconds."""
        self._channels.stop_receiver(timeout)

    def start_receiver(self) -> None:
        """Start the receiver of the default channel."""
        self._channels.start_receiver()

    def start_applier(self, channel: str) -> None:
        """Start the applier of a channel."""
        self._channels.start_applier(channel)

    def disarm_source(self) -> None:
        """Point the default channel at a name that never resolves; StepFailed where that would lose relay logs."""
        self._channels.disarm()

    def follow(self, source: Endpoint, keep: Callable[[], None]) -> GtidSet:
        """Let the default channel follow `source`; gives what went of its relay logs, which `keep` had kept before."""
        return self._channels.follow(source, keep)

    def refetch(self, source: Endpoint, elsewhere: GtidSet) -> None:
        """Begin new relay logs for the default channel; StepFailed where the old ones may be the last copy."""
        self._channels.refetch(source, elsewhere, self._partial)

    def forget_source(self) -> None:
        """Stop and remove the default channel; StepFailed where received is not inside executed.

        What was received only in part goes with it: its worker is ended, or stopping would take a minute.
        """
        self._channels.forget(self._partial)

    def adopt_spliced(self, relay_log_file: str, size: int = 0) -> GtidSet:
        """Let the splice channel apply laid-out files; what the server says they hold."""
        return self._channels.adopt(relay_log_file, size)

    def drop_spliced(self) -> None:
        """Stop and remove the splice channel; nothing happens where there is none."""
        self._channels.drop_spliced()

    def wait_executed(self, gtids: GtidSet, seconds: float) -> bool:
        """Whether the server has executed them all within `seconds`."""
        if not gtids:
            return True
        patience = max(seconds, 0.001)  # the server takes zero for "for ever"
        found = self._session.rows(statements.WAIT_EXECUTED, str(gtids), patience, limit=patience + _MARGIN)
        return bool(found[0]["late"] == 0)

    def kill_partial(self) -> int:
        """End the workers that sit in a half-received transaction of the stopped default channel; how many.

        Raises StepFailed where they cannot be told from others yet, or may not be ended. The applier stops with them.
        """
        return self._partial.end()

    def stalled_by(self) -> Stall:
        """Who and what holds its appliers up now."""
        return self._blockers.read()

    def end_blocker(self, blocker: Blocker) -> bool:
        """End a session that still holds an applier up, and may be ended; whether one was."""
        still = next((b for b in self.stalled_by().blockers if b.session == blocker.session), None)
        return still is not None and still.may_end and self._kill(still.session)

    def acknowledge(self) -> None:
        """Let it acknowledge what it receives and wait for nobody itself; a running receiver is started anew for it."""
        if self._acks.give():
            self._channels.restart_receiver()

    def await_acks(self, wait_count: int) -> None:
        """Let its commits wait for that many replicas without any limit; it is not asked whether there are any."""
        self._acks.await_them(wait_count)

    def stop_waiting(self) -> None:
        """Let a closed server wait for nobody; StepFailed where a commit may be waiting."""
        self._acks.stop_waiting()

    def give_up_acks(self) -> None:
        """Let its commits wait for nobody: those that wait are answered OK without a copy."""
        self._acks.give_up()

    def durability(self) -> Durability:
        """What it forces to its disk at each commit, read now."""
        (row,) = self._session.rows(statements.READ_DURABILITY)
        return Durability(int(row["sync_binlog"]), int(row["flush_log"]))

    def set_durability(self, wanted: Durability) -> None:
        """SET GLOBAL; nothing is persisted. What was committed meanwhile is forced to the disk where that is asked."""
        self._session.change(statements.SET_DURABILITY, wanted.sync_binlog, wanted.flush_log)
        if wanted != RELAXED:
            self._session.change(statements.FORCE_BINARY_LOG, limit=_FORCE)
            self._session.change(statements.FORCE_ENGINE_LOG, limit=_FORCE)

    def open_writes(self) -> ServerState:
        """SET GLOBAL read_only = OFF; its state as read back, never persisted. StepFailed where it stays closed."""
        (sets,) = self._session.rows(statements.READ_SETS)
        if is_on(sets["offline_mode"]):
            raise StepFailed(
                f"{self._session.where} is in offline_mode",
                "",
                "find out who set it, then set it OFF",
            )
        state = self._session.changed(statements.OPEN.say())
        if not state.writable:
            raise StepFailed(f"{self._session.where} does not accept writes after read_only = OFF")
        return state

    def close_writes(self, lock_wait: float) -> None:
        """SET GLOBAL super_read_only = ON, waiting at most `lock_wait` seconds (whole ones) for locks, read back.

        Where locks are in the way, offline_mode throws their holders out and is taken back. If super_read_only cannot
        be had even so, offline_mode stays, and StepFailed says it.
        """
        wait = max(math.ceil(lock_wait), 1)
        if not self._closed(wait):
            self._crowbar(wait)
        if not self.read().super_read_only:
            raise StepFailed(f"{self._session.where} does not stay super_read_only")

    def stay_closed(self) -> None:
        """Persist that it is closed, read back; StepFailed on a server that is open now."""
        if not self.read().super_read_only:
            raise StepFailed(f"{self._session.where} is open", "it is closed first")
        self._session.change(statements.STAY_CLOSED)
        if self._session.read(anew=True).settings.read_only_at_start is not True:
            raise StepFailed(f"{self._session.where} does not show that it starts closed")

    def _crowbar(self, wait: int) -> None:
        """Throw the holders of locks out; some have the right to stay in offline_mode, they are ended one by one.

        A commit that waits for an acknowledgement goes on waiting, with its lock, when its session was ended.
        """
        was_offline = self.read().offline_mode
        self._session.change(statements.OFFLINE)
        self.end_clients()
        if not self._closed(wait) and not (self._acks.release_ended() and self._closed(wait)):
            raise StepFailed(
                f"{self._session.where} could not be set super_read_only",
                "locks are still held",
                "it is left in offline_mode",
            )
        if not was_offline:
            self._session.change(statements.ONLINE)

    def _closed(self, wait: int) -> bool:
        self._session.rows(statements.LIMIT_LOCK_WAIT, wait)
        try:
            self._session.change(statements.CLOSE, limit=wait + _MARGIN)
        except ServerError as error:
            if error.code != _LOCK_WAIT_EXCEEDED:
                raise
            return False
        return True

    def work(self) -> tuple[Work, ...]:
        """What is going on that closing would break or wait for."""
        return self._closing.work()

    def end_work(self, work: Work) -> bool:
        """End the session of a piece of work that is still going on; whether one was ended."""
        return work.may_end and work in self.work() and self._kill(work.session)

    def prepared(self) -> tuple[str, ...]:
        """Its prepared XA transactions; ServerError where we may not see them."""
        return self._closing.prepared()

    def load(self, variable: str) -> float:
        """A status variable; StepFailed where there is no such number."""
        return self._closing.load(variable)

    def asked(self, query: str, seconds: float) -> float:
        """What people's own SELECT says; it can change nothing."""
        return self._closing.asked(query, seconds)

    def events_asleep(self) -> tuple[Event, ...]:
        """The events that it keeps disabled because it was a replica; those that our account may see."""
        return self._closing.events_asleep()

    def try_close(self, seconds: float) -> bool:
        """super_read_only = ON within `seconds`; False where locks are in the way, TimedOut where it is not known."""
        return self._closing.attempt(seconds)

    def final_set(self) -> GtidSet:
        """What a closed server holds for good; StepFailed where something can still be committed there."""
        return self._closing.final_set()

    def keep_out(self) -> int:
        """offline_mode = ON, and end the clients that have the right to stay; how many those were."""
        # the server has marked those that may not stay, as KILL would; with a thousand of them that saves a second
        return self._end(row for row in self._closing.go_offline() if row["Command"] != ENDED)

    def let_in(self) -> None:
        """offline_mode = OFF."""
        self._closing.come_online()

    def end_clients(self) -> int:
        """End client sessions other than replication and our own; how many."""
        return self._end(self._session.rows(statements.READ_SESSIONS))

    def _end(self, sessions: Iterable[Row]) -> int:
        return sum(self._kill(int(row["Id"])) for row in sessions if self._client(row))

    def _client(self, row: Row) -> bool:
        account, command = str(row["User"]), str(row["Command"])
        return account not in _SYSTEM_ACCOUNTS | self._own and command not in _FOREIGN_COMMANDS

    def _kill(self, number: int) -> bool:
        try:
            self._session.change(statements.KILL, number)
        except ServerError as error:
            if error.code == _NO_SUCH_SESSION:
                return False
            if error.code != _NO_RIGHT_TO_KILL:
                raise
            raise StepFailed(
                f"{self._session.where}: session {number} may not be ended",
                str(error),
                "grant SYSTEM_USER, CONNECTION_ADMIN",
            ) from error
        return True

    def inject_empty(self, gtids: GtidSet) -> int:
        """An empty transaction for each of these names that it has not executed; how many."""
        return self._amending.inject_empty(gtids)

    def replay(self, changes: tuple[Change, ...]) -> int:
        """These changes in one transaction; StepFailed, nothing changed, where a row is not as it was."""
        return self._amending.replay(changes)

    def mark_unfinished(self) -> None:
        """Let it say, also after a crash, that its data is being overwritten."""
        self._channels.mark_unfinished()

    def clone_from(self, donor: Endpoint, heed: Callable[[CloneProgress], None]) -> None:
        """Overwrite a closed server; StepFailed where the copy is not whole: it is closed then, and marked."""
        self.close_writes(1.0)
        self._channels.mark_unfinished()
        self.keep_out()
        try:
            self._cloning.run(donor, heed)
        except StepFailed:
            self.close_writes(1.0)
            self.let_in()
            raise

    def release(self) -> None:
        """Give the locks back and close the session; never raises."""
        self._session.release()
