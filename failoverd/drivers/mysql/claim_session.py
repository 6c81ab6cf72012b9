"""The session of a claim: the lease is asked before each change, and a time-out ends the claim."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from failoverd.drivers.mysql import statements
from failoverd.drivers.mysql.reader import Reader
from failoverd.drivers.mysql.session import Row, Session
from failoverd.drivers.mysql.statements import Said, Statement
from failoverd.model.errors import FailoverdError, InvariantBroken, ServerError
from failoverd.model.sight import ServerState
from failoverd.ports import Clock, Lease

# Seconds for a statement that waits for nobody, and for reading. Where one is lost on its way, whoever sent it claims
# the server anew, which ends the statement for certain, and looks: that costs less than waiting longer.
LIMIT = 4.0
READ_LIMIT = 3.0
_STOP_LIMIT = 2  # seconds; the least MySQL accepts for rpl_stop_replica_timeout


class ClaimSession:
    """Statements on a claimed session. A session that is lost stays lost: the locks went with it."""

    def __init__(self, session: Session, lease: Lease, clock: Clock, reader: Reader) -> None:
        self.where = session.where
        self.clock = clock
        self._session = session
        self._lease = lease
        self._reader = reader

    def read(self, *, anew: bool = False) -> ServerState:
        """The server's state; `anew` asks for its settings again too."""
        return self._reader.read(self._session, READ_LIMIT, anew=anew)

    def rows(self, statement: Statement, *values: object, limit: float = LIMIT) -> tuple[Row, ...]:
        """Run a statement that changes nothing."""
        if statement.changes:
            raise InvariantBroken(f"a change was sent as a reading: {statement.does}")
        return self._session.rows(statement, *values, limit=limit)

    def change(self, statement: Statement, *values: object, limit: float = LIMIT) -> None:
        """Run a statement that changes the server, under a lease that is alive now."""
        self._lease.check()
        self._session.rows(statement, *values, limit=limit)

    def changed(self, *said: Said, limit: float = LIMIT) -> ServerState:
        """Change the server under a lease that is alive now, and read its state behind that, in one round trip."""
        self._lease.check()
        return self._reader.read(self._session, limit, after=said)

    def batch(self, *said: Said, limit: float = LIMIT) -> tuple[tuple[Row, ...], ...]:
        """Run statements in one round trip, under a lease that is alive now if any of them changes the server."""
        if any(one.statement.changes for one in said):
            self._lease.check()
        return self._session.batch(said, limit=limit)

    def stop(self, statement: Statement, channel: str, timeout: float) -> ServerState:
        """STOP REPLICA, which returns after the server's own limit (error 1875), shorter than ours; the state then.

        The stop itself stays pending then. The setting is global: what it was comes back at the end.
        """
        limit, restore = max(timeout, 2.0 * _STOP_LIMIT + 2.0), statements.RESTORE_STOP_LIMIT.say()
        shorten = (statements.KEEP_STOP_LIMIT.say(), statements.LIMIT_STOP.say(_STOP_LIMIT))
        try:
            return self.changed(*shorten, statement.say(channel), restore, limit=limit)
        except ServerError:
            if self._session.lost is None:
                with contextlib.suppress(FailoverdError):  # what went wrong before matters more
                    self.batch(restore)
            raise

    @property
    def number(self) -> int:
        """The server's number of this session."""
        return self._session.number

    @contextlib.contextmanager
    def under_way(self, said: Said) -> Iterator[socket.socket]:
        """A change that may take hours: its line, which can be read when it has ended; raises then as `change` does."""
        self._lease.check()
        self._session.ask((said,), limit=LIMIT)
        yield self._session.line
        self._session.hear(limit=LIMIT)

    def give_back(self) -> None:
        """Roll back, where there is still a session for it."""
        if self._session.lost is None:
            self._session.rows(statements.ROLL_BACK, limit=LIMIT)

    def release(self) -> None:
        """Give the locks back and close."""
        if self._session.lost is None:
            with contextlib.suppress(FailoverdError):
                self._session.rows(statements.RELEASE_LOCKS, limit=1.0)
        self._session.close()
