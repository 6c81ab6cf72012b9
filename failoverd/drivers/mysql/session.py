"""MySQL sessions: the only place that opens them. Every one has a deadline for each statement and is never re-opened
silently.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pymysql
from pymysql.constants import CLIENT

from failoverd.drivers.mysql import failures, wire
from failoverd.drivers.mysql.access import ServerAccess, insists
from failoverd.drivers.mysql.results import Talk
from failoverd.drivers.mysql.statements import LOOKED, PREPARE_SESSION, Said, Statement
from failoverd.model.errors import ConnectFailed, TimedOut
from failoverd.model.sight import Why
from failoverd.ports import Clock

Row = Mapping[str, Any]
_LEAST = 0.001  # a limit of zero means "for ever" to sockets


class _Connection(Talk):
    """The library's connection with a limit that may change between statements."""

    def limit(self, seconds: float) -> None:
        """Bound each wait of the next statement, in seconds."""
        self._read_timeout = self._write_timeout = max(seconds, _LEAST)

    @property
    def encrypted(self) -> bool:
        """Whether TLS carries this session."""
        return bool(getattr(self, "_secure", False))

    @property
    def number(self) -> int:
        """The server's number of this session."""
        return int(self.thread_id())  # type: ignore[no-untyped-call]

    @property
    def greeted(self) -> bool:
        """Whether the server has begun to speak."""
        return hasattr(self, "server_version")


class Session:
    """One login on one server. After a time-out or a lost line it is over: `lost` says why, and so does every use.

    Statements come from the table in `statements` only. Not safe for two threads at once; its owner sees to that.
    """

    def __init__(self, access: ServerAccess, connection: _Connection, line: socket.socket) -> None:
        self.where = access.where
        self.lost: ConnectFailed | TimedOut | None = None
        self.silence = Why.NOT_ASKED
        self._connection = connection
        self._line = line  # our own handle on the socket: the library closes its own before it tells us
        self._secrets = [access.password]
        self._said: Sequence[Said] = ()

    @property
    def number(self) -> int:
        """The server's number of this session, as KILL and IS_USED_LOCK use it."""
        return self._connection.number

    @property
    def line(self) -> socket.socket:
        """The socket, for watching only."""
        return self._line

    def keep_secret(self, *words: str) -> None:
        """Never let these words appear in an error."""
        self._secrets.extend(words)

    def rows(self, statement: Statement, *values: object, limit: float) -> tuple[Row, ...]:
        """Run a statement and give its rows, within `limit` seconds.

        Raises ServerError (with the server's number: it refused), TimedOut (outcome unknown) or ConnectFailed (the
        session is lost).
        """
        return self.batch((statement.say(*values),), limit=limit)[0]

    def batch(self, said: Sequence[Said], *, limit: float) -> tuple[tuple[Row, ...], ...]:
        """Run statements in one round trip, each only after the one before it has succeeded; the rows of each.

        Raises as `rows` does for the first that fails, waiting `limit` seconds for each; those before it have run.
        """
        self.ask(said, limit=limit)
        return self.hear(limit=limit)

    def ask(self, said: Sequence[Said], *, limit: float) -> None:
        """Send statements as `batch` does; their answers are for `hear`, which must follow before anything else."""
        if self.lost is not None:
            raise self.lost
        self._connection.limit(limit)
        self._said = said
        cursor = self._connection.cursor()
        try:
            self._connection.send("; ".join(cursor.mogrify(one.statement.text, one.values or None) for one in said))
        except Exception as error:
            raise self._judged(said[0].statement, error, limit) from error

    def hear(self, *, limit: float) -> tuple[tuple[Row, ...], ...]:
        """The rows of each statement that was sent; raises as `batch` does."""
        if self.lost is not None:
            raise self.lost
        self._connection.limit(limit)
        said, self._said = self._said, ()
        answers: list[tuple[Row, ...]] = []
        try:
            for rows in self._connection.hear([one.statement.text if one.statement in LOOKED else "" for one in said]):
                answers.append(rows)  # noqa: PERF402 - those before an error say which statement failed
        except Exception as error:
            raise self._judged(said[len(answers)].statement, error, limit) from error
        return tuple(answers)

    @property
    def asked(self) -> bool:
        """Whether answers are under way."""
        return bool(self._said)

    def _judged(self, statement: Statement, error: Exception, limit: float) -> Exception:
        secrets = tuple(self._secrets)
        why = failures.why_of(error)
        if failures.code_of(error) and why is not Why.RESET:
            return failures.refused(self.where, statement.does, error, secrets)
        if why is Why.TIMED_OUT:
            self.silence = Why.TIMED_OUT if _line_silent(self._line) else Why.HUNG
            self.lost = TimedOut(
                f"{self.where} did not {statement.does}", f"within {limit:.3g} s; its outcome is unknown"
            )
        else:
            self.lost = failures.no_session(self.where, why, error, secrets)
        self.close()
        return self.lost

    def close(self) -> None:
        """End the session; never raises, also not a second time."""
        self._connection.limit(0.2)  # the farewell to a silent server must not hold us up
        with contextlib.suppress(Exception):
            self._connection.close()
        self._line.close()
        self.lost = self.lost or ConnectFailed(f"{self.where}: the session was closed", why=Why.OWN_SIDE)


def _line_silent(line: socket.socket) -> bool:
    try:
        return wire.unacknowledged(line)
    except OSError:
        return True


@dataclass(frozen=True, slots=True)
class Doors:
    """What opening sessions needs: time, host names, and who we say we are."""

    clock: Clock
    names: wire.Names
    program: str

    def open(self, access: ServerAccess, timeout: float) -> Session:
        """A new session within `timeout` seconds; ConnectFailed says why there is none."""
        with Doorstep(self, access) as doorstep:
            return doorstep.open(timeout)


class Doorstep:
    """The way into one server, remembered between attempts.

    A frozen server accepts connections and does not greet. Leaving each time would count as a failed handshake when it
    wakes, and enough of them make it block our host (error 1129): so one connection waits for the greeting, however
    many attempts that takes.
    """

    def __init__(self, doors: Doors, access: ServerAccess) -> None:
        self._doors = doors
        self._access = access
        self._waiting: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Give up a connection that still waits for its greeting."""
        if self._waiting is not None:
            self._waiting.close()
            self._waiting = None

    def open(self, timeout: float) -> Session:
        """A session within `timeout` seconds: again at once after a reset, by the admin port when there are too many
        connections. ConnectFailed says why there is none.
        """
        end = self._doors.clock.now() + timeout
        port = self._access.endpoint.port
        try:
            return self._attempt(port, end)
        except ConnectFailed as error:
            full = error.code == failures.TOO_MANY_CONNECTIONS and self._access.admin_port is not None
            if not full and error.why is not Why.RESET:
                raise
        return self._attempt(self._access.admin_port or port if full else port, end)

    def _left(self, end: float) -> float:
        return max(end - self._doors.clock.now(), _LEAST)

    def _attempt(self, port: int, end: float) -> Session:
        tls = self._tls()
        line, self._waiting = self._waiting, None
        if line is None:
            line = self._dial(port, end)
        session = self._login(line, end, tls)
        if session is None:  # it greeted without TLS, and the policy is content with that
            session = self._login(self._dial(port, end), end, {"ssl_disabled": True})
        if session is None:
            raise ConnectFailed(f"{self._access.where}: the server offers no TLS", why=Why.ALIVE)
        try:
            session.rows(PREPARE_SESSION, limit=self._left(end))
        except TimedOut as error:
            raise failures.no_session(self._access.where, session.silence, error) from error
        return session

    def _tls(self) -> Mapping[str, object]:
        try:
            return wire.tls_arguments(self._access)
        except OSError as error:
            raise failures.no_session(self._access.where, Why.OWN_SIDE, error) from error

    def _dial(self, port: int, end: float) -> socket.socket:
        try:
            addresses = self._doors.names.addresses(self._access.endpoint.host, self._left(end))
            return wire.dial(addresses, port, self._left(end))
        except OSError as error:
            raise failures.no_session(self._access.where, failures.of_line(error), error) from error

    def _login(self, line: socket.socket, end: float, tls: Mapping[str, object]) -> Session | None:
        """The session, or None where the server has no TLS and `preferred` allows to go without."""
        access, connection = self._access, self._connection(tls)
        connection.limit(self._left(end))
        try:
            connection.connect(line.dup())
        except Exception as error:
            why = failures.why_of(error)
            if why is Why.TIMED_OUT:
                why = Why.TIMED_OUT if _line_silent(line) else Why.HUNG
            if why is Why.HUNG and not connection.greeted:
                self._waiting = line
            else:
                line.close()
            if _no_tls(error) and access.tls == "preferred":
                return None
            raise failures.no_session(access.where, why, error, (access.password,)) from error
        if insists(access.tls) and not connection.encrypted:
            connection.close()
            line.close()
            return None
        return Session(access, connection, line)

    def _connection(self, tls: Mapping[str, object]) -> _Connection:
        access = self._access
        options: dict[str, Any] = {
            "host": access.endpoint.host,
            "port": access.endpoint.port,
            "user": access.user,
            "password": access.password,
            "charset": "utf8mb4",
            "autocommit": True,
            "client_flag": CLIENT.MULTI_STATEMENTS,  # what is said is in the table, and values are escaped
            "program_name": self._doors.program,
            "defer_connect": True,
            **tls,
        }
        return _Connection(**options)


def _no_tls(error: Exception) -> bool:
    return isinstance(error, pymysql.OperationalError) and bool(error.args) and error.args[0] == 2026
