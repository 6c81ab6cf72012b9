"""What a person wants done on the primary about transactions that only another server has.

Besides the write probe the only transactions that failoverd makes: under the session lock and the lease, on a server
that has just been read as open, by a person's word about named transactions.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

from failoverd.drivers.mysql.claim_session import ClaimSession
from failoverd.drivers.mysql.statements import PREPARE_SESSION, Said, Statement, compared, count_rows, quoted, same
from failoverd.gtid import GtidSet
from failoverd.model.divergence import Act, Change
from failoverd.model.errors import FailoverdError, ServerError, StepFailed

NAME = Statement("SET SESSION GTID_NEXT = %s", "name the next transaction", changes=True)
NAME_NONE = Statement("SET SESSION GTID_NEXT = 'AUTOMATIC'", "name no transaction", changes=True)
BEGIN = Statement("START TRANSACTION", "begin a transaction", changes=True)
COMMIT = Statement("COMMIT", "commit a transaction", changes=True)
ROWS = Statement("SELECT ROW_COUNT() AS changed", "count changed rows")
# Whatever modes a row was made under, its values are what counts: none is bent to fit, none is made up, and dates that
# are none are taken as they were.
BY_VALUES = Statement(
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO',"
    " foreign_key_checks = ON, unique_checks = ON",
    "take rows by their values",
    changes=True,
)
COLUMNS = Statement(
    "SELECT COLUMN_NAME AS name, GENERATION_EXPRESSION <> '' AS made FROM information_schema.COLUMNS"
    " WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
    "list the columns of a table that is written to",
)
# Triggers are shown to those who may make some, and to others it looks as if there were none.
TRIGGERS = Statement(
    "SELECT (SELECT COUNT(*) FROM information_schema.TRIGGERS"
    " WHERE EVENT_OBJECT_SCHEMA = %s AND EVENT_OBJECT_TABLE = %s) AS triggers,"
    " (SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'TRIGGER'"
    " AND GRANTEE = @failoverd_grantee)"
    " + (SELECT COUNT(*) FROM information_schema.SCHEMA_PRIVILEGES WHERE PRIVILEGE_TYPE = 'TRIGGER'"
    " AND GRANTEE = @failoverd_grantee AND %s LIKE TABLE_SCHEMA)"
    " + (SELECT COUNT(*) FROM information_schema.TABLE_PRIVILEGES WHERE PRIVILEGE_TYPE = 'TRIGGER'"
    " AND GRANTEE = @failoverd_grantee AND TABLE_SCHEMA = %s AND TABLE_NAME = %s) AS sees",
    "list the triggers of a table",
)
GRANTEE = Statement(
    "SELECT CONCAT(QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', 1)), '@',"
    " QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', -1))) INTO @failoverd_grantee",
    "name our account",
)
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
        made: dict[tuple[str, str], frozenset[str]] = {}
        self._session.change(BY_VALUES)
        try:
            self._session.change(BEGIN)
            for change in changes:
                place = (change.schema, change.table)
                if place not in made:
                    made[place] = self._made_by_itself(*place)
                self._make(without(change, made[place]))
            self._session.change(COMMIT, limit=_LIMIT)
        except (ServerError, StepFailed):
            self._session.give_back()
            raise
        finally:
            with contextlib.suppress(FailoverdError):  # a session that is lost needs no modes
                self._session.rows(PREPARE_SESSION)
        return len(changes)

    def _made_by_itself(self, schema: str, table: str) -> frozenset[str]:
        """The columns that the table makes itself. StepFailed where its triggers would do their work once more."""
        (columns, _, (told,)) = self._session.batch(
            COLUMNS.say(schema, table), GRANTEE.say(), TRIGGERS.say(schema, table, schema, schema, table), limit=_LIMIT
        )
        place = f"{schema}.{table}"
        if int(told["triggers"]):
            why = "they would fire again, and what they did then is in the log, too: nothing was replayed"
            raise StepFailed(f"{place} has triggers", why, "leave its transactions out, and mend them by hand")
        if not int(told["sees"]):
            why = f"our account does not see the triggers of {place}: nothing was replayed"
            raise StepFailed(f"{place} may have triggers", why, f"GRANT TRIGGER ON {place}")
        return frozenset(str(row["name"]) for row in columns if int(row["made"]))

    def _make(self, change: Change) -> None:
        """One row; looked at again behind it, because a server has many ways to keep something else."""
        statement = statement_of(change)
        judged = [read_back(change)] if change.after else []
        _, counted, *again = self._session.batch(statement.say(*values_of(change)), ROWS.say(), *judged, limit=_LIMIT)
        if int(counted[0]["changed"]) != 1 or any(int(rows[0]["alike"]) != 1 for rows in again):
            where = ", ".join(f"{name}={value!r}" for name, value in change.key or change.before or change.after)
            why = "is not as it was" if int(counted[0]["changed"]) != 1 else "would not be kept as it is in the log"
            raise StepFailed(
                f"a row of {change.schema}.{change.table} {why}: {where}",
                "nothing was replayed",
                "leave that transaction out, or mend the row by hand",
            )

    def _open_state_executed(self) -> GtidSet:
        state = self._session.read()
        if not state.writable:
            raise StepFailed(f"{self._session.where} takes no writes", "nothing was written there")
        return state.executed


def without(change: Change, made: frozenset[str]) -> Change:
    """A change without the columns that the table makes itself: nobody may give them a value."""
    rows = (tuple((name, value) for name, value in row if name not in made) for row in (change.before, change.after))
    before, after = rows
    return replace(change, before=before, after=after)


def statement_of(change: Change) -> Statement:
    """The statement for a change: its values are those of the row after it, of its key, and of the row before it."""
    verb = {Act.INSERT: "INSERT INTO", Act.UPDATE: "UPDATE", Act.DELETE: "DELETE FROM"}[change.act]
    words = [verb, f"{quoted(change.schema)}.{quoted(change.table)}"]
    if change.after:
        words += ["SET", ", ".join(f"{quoted(name)} = %s" for name, _ in change.after)]
    if change.before:
        words += ["WHERE", " AND ".join((*same(change.key, by_index=True), *same(change.before))), "LIMIT 2"]
    return Statement(" ".join(words), "change a row", changes=True)


def values_of(change: Change) -> list[object]:
    """The values for the places of this statement."""
    found = compared((*change.key, *change.before)) if change.before else []
    return [*(value for _, value in change.after), *found]


def read_back(change: Change) -> Said:
    """Whether the row is there now as the change leaves it."""
    after = dict(change.after)
    key = tuple((name, after.get(name, value)) for name, value in change.key)
    return count_rows(change.schema, change.table, key, {"alike": change.after})


def numbers(runs: tuple[tuple[int, int], ...]) -> list[int]:
    """Every number of these runs."""
    return [number for first, last in runs for number in range(first, last + 1)]
