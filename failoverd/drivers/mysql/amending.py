"""What a person wants done on the primary about transactions that only another server has.

Besides the write probe the only transactions that failoverd makes: under the session lock and the lease, on a server
that has just been read as open, by a person's word about named transactions.
"""

from __future__ import annotations

import contextlib

from failoverd.drivers.mysql.claim_session import ClaimSession
from failoverd.drivers.mysql.statements import Said, Statement, quoted
from failoverd.gtid import GtidSet
from failoverd.model.divergence import Act, Change, Row
from failoverd.model.errors import FailoverdError, ServerError, StepFailed

NAME = Statement("SET SESSION GTID_NEXT = %s", "name the next transaction", changes=True)
NAME_NONE = Statement("SET SESSION GTID_NEXT = 'AUTOMATIC'", "name no transaction", changes=True)
BEGIN = Statement("START TRANSACTION", "begin a transaction", changes=True)
COMMIT = Statement("COMMIT", "commit a transaction", changes=True)
ROWS = Statement("SELECT ROW_COUNT() AS changed", "count changed rows")
_AT_ONCE = 100  # empty transactions in one round trip
_LIMIT = 10.0


class Amending:
    """Amends one primary over the session of its claim."""

    def __init__(self, session: ClaimSession) -> None:
        self._session = session

    def inject_empty(self, gtids: GtidSet) -> int:
        """Commit an empty transaction under each of these names that is not there yet; how many."""
        missing = gtids - self._open_state_executed()
        names = [
            f"{f'{uuid}:{tag}' if tag else uuid}:{n}" for uuid, tag, runs in missing.parts() for n in numbers(runs)
        ]
        for at in range(0, len(names), _AT_ONCE):
            said: list[Said] = []
            for name in names[at : at + _AT_ONCE]:
                said += [NAME.say(name), BEGIN.say(), COMMIT.say(), NAME_NONE.say()]
            self._named(said)
        return len(names)

    def _named(self, said: list[Said]) -> None:
        """Say them; whatever goes wrong, the session names no transaction afterwards."""
        try:
            self._session.batch(*said, limit=_LIMIT)
        except ServerError:
            self._session.give_back()
            with contextlib.suppress(FailoverdError):  # what went wrong before matters more
                self._session.change(NAME_NONE)
            raise

    def replay(self, changes: tuple[Change, ...]) -> int:
        """All changes in one transaction, each on exactly one row that is as it was; how many."""
        self._open_state_executed()
        self._session.change(BEGIN)
        try:
            for change in changes:
                self._make(change)
            self._session.change(COMMIT, limit=_LIMIT)
        except (ServerError, StepFailed):
            self._session.give_back()
            raise
        return len(changes)

    def _make(self, change: Change) -> None:
        statement = statement_of(change)
        values = [value for _, value in (*change.after, *change.before)]
        *_, counted = self._session.batch(statement.say(*values), ROWS.say(), limit=_LIMIT)
        if int(counted[0]["changed"]) != 1:
            where = ", ".join(f"{name}={value!r}" for name, value in change.key or change.before or change.after)
            raise StepFailed(
                f"a row of {change.schema}.{change.table} is not as it was: {where}",
                "nothing was replayed",
                "leave that transaction out, or mend the row by hand",
            )

    def _open_state_executed(self) -> GtidSet:
        state = self._session.read()
        if not state.writable:
            raise StepFailed(f"{self._session.where} takes no writes", "nothing was written there")
        return state.executed


def statement_of(change: Change) -> Statement:
    """The statement for a change: its values are those of the row after it, then those of the row before it."""
    verb = {Act.INSERT: "INSERT INTO", Act.UPDATE: "UPDATE", Act.DELETE: "DELETE FROM"}[change.act]
    words = [verb, f"{quoted(change.schema)}.{quoted(change.table)}"]
    if change.after:
        words += ["SET", pairs(change.after, ", ", "=")]
    if change.before:
        words += ["WHERE", pairs(change.before, " AND ", "<=>"), "LIMIT 2"]
    return Statement(" ".join(words), "change a row", changes=True)


def pairs(row: Row, between: str, sign: str) -> str:
    """Each column with a place for its value."""
    return between.join(f"{quoted(name)} {sign} %s" for name, _ in row)


def numbers(runs: tuple[tuple[int, int], ...]) -> list[int]:
    """Every number of these runs."""
    return [number for first, last in runs for number in range(first, last + 1)]
