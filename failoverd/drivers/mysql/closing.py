"""Closing a living primary: what is going on there, the flag with a limit, the final set, and keeping clients off."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from failoverd.drivers.mysql import statements
from failoverd.drivers.mysql.claim_session import LIMIT, ClaimSession
from failoverd.drivers.mysql.rows import is_on
from failoverd.drivers.mysql.session import Row
from failoverd.gtid import GtidSet
from failoverd.model.counted import counted
from failoverd.model.errors import ServerError, StepFailed
from failoverd.model.events import Event
from failoverd.model.work import Work

_LOCK_WAIT_EXCEEDED = 1205
_NO_RIGHT = frozenset({1142, 1227})  # less is explained then; closing itself finds out
_MARGIN = 0.25  # seconds by which our limit is longer than the server's own
_LONG_STATEMENT = 1  # seconds


class Closing:
    """The closing of one claimed server; `is_client` tells which sessions may be ended."""

    def __init__(self, session: ClaimSession, is_client: Callable[[Row], bool]) -> None:
        self._session = session
        self._is_client = is_client

    def work(self) -> tuple[Work, ...]:
        """Open transactions that changed rows, held table locks, long statements; as far as we may see them."""
        sessions = {int(row["Id"]): row for row in self._session.rows(statements.READ_SESSIONS)}
        found: dict[str, tuple[int, str]] = {}
        for row in self._seen(statements.READ_OPEN_WORK):
            key, text = f"trx:{row['trx']}", f"has a transaction open that changed {counted(row['modified'], 'row')}"
            found[key] = (int(row["session"]), text)
        for row in self._seen(statements.READ_GLOBAL_LOCKS):
            if row["command"] == "Sleep":
                found[f"lock:{row['session']}"] = (int(row["session"]), "holds table locks")
            elif int(row["seconds"] or 0) >= _LONG_STATEMENT:
                found[f"statement:{row['session']}"] = (int(row["session"]), "is inside a long statement")
        return tuple(self._work(key, *what, sessions.get(what[0])) for key, what in found.items())

    def _seen(self, statement: statements.Statement) -> tuple[Row, ...]:
        try:
            return self._session.rows(statement)
        except ServerError as error:
            if error.code not in _NO_RIGHT:
                raise
            return ()

    def _work(self, key: str, number: int, what: str, row: Row | None) -> Work:
        if row is None:
            return Work(key, number, "an account that is gone or prepared (XA)", what, may_end=False)
        account = f"{row['User']}@{str(row['Host']).partition(':')[0]}"
        return Work(key, number, account, what, may_end=self._is_client(row))

    def prepared(self) -> tuple[str, ...]:
        """The prepared XA transactions: their COMMIT goes through super_read_only. ServerError without the right."""
        return _names(self._session.rows(statements.READ_PREPARED))

    def load(self, variable: str) -> float:
        """A status variable; StepFailed where there is no such number."""
        for row in self._session.rows(statements.READ_STATUS, variable):
            with contextlib.suppress(ValueError):
                return float(row["Value"])
        raise StepFailed(f"{self._session.where} has no number called {variable} in its status")

    def asked(self, query: str, seconds: float) -> float:
        """What people's own SELECT says: the first column of its first row, 0 where that is nothing.

        Within a transaction that can only read, which is rolled back; a server that is late ends it itself (3024).
        """
        self._session.rows(statements.READ_ONLY)
        try:
            found = self._session.rows(statements.of_people(query, seconds), limit=seconds + LIMIT)
        finally:
            self._session.give_back()
        first = next(iter(found[0].values()), None) if found else None
        try:
            return float(str(first or 0))
        except ValueError:
            raise StepFailed(f"'{first}' is no number", query, "a throttle query says 0 where it may go on") from None

    def events_asleep(self) -> tuple[Event, ...]:
        """The events that are disabled because they came by replication; those that our account may see."""
        rows = self._session.rows(statements.READ_EVENTS)
        return tuple(Event(str(row["place"]), str(row["name"]), str(row["definer"])) for row in rows)

    def attempt(self, seconds: float) -> bool:
        """super_read_only = ON, waiting up to `seconds` for locks; False where it could not be had.

        The server knows whole seconds only: below one our own limit ends it, and the session with it.
        """
        wait = max(int(seconds), 1)
        self._session.rows(statements.LIMIT_LOCK_WAIT, wait)
        try:
            self._session.change(statements.CLOSE, limit=seconds if seconds < 1 else wait + _MARGIN)
        except ServerError as error:
            if error.code != _LOCK_WAIT_EXCEEDED:
                raise
            return False
        return True

    def final_set(self) -> GtidSet:
        """What a closed server holds and will hold; StepFailed where something can still be committed there.

        In this order: closed, nothing prepared, then the set.
        """
        sets = statements.READ_SETS.say()
        (closed,), rows, (final,) = self._session.batch(sets, statements.READ_PREPARED.say(), sets)
        if not is_on(closed["super_read_only"]):
            raise StepFailed(f"{self._session.where} does not stay super_read_only")
        prepared = _names(rows)
        if prepared:
            raise StepFailed(
                f"{self._session.where} has {counted(len(prepared), 'prepared XA transaction')}",
                ", ".join(prepared[:3]),
                "they can be committed on a closed server: end them first",
            )
        return GtidSet.parse(str(final["executed"]))

    def go_offline(self) -> tuple[Row, ...]:
        """offline_mode = ON: ordinary clients are thrown out and stay out. The sessions that are left, whether they
        have the right to stay or come to their end only now.
        """
        _, sessions = self._session.batch(statements.OFFLINE.say(), statements.READ_SESSIONS.say())
        return sessions

    def come_online(self) -> None:
        """offline_mode = OFF."""
        self._session.change(statements.ONLINE, limit=LIMIT)


def _names(prepared: tuple[Row, ...]) -> tuple[str, ...]:
    return tuple(str(row["data"]) for row in prepared)
