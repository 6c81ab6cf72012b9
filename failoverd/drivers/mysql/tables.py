"""Tables of a living server as divergence is judged by: their columns, and rows beside what somebody else has made."""

from __future__ import annotations

from typing import Final

from failoverd.drivers.mysql import statements
from failoverd.drivers.mysql.session import Session
from failoverd.model.divergence import Act, Change, Clash, Row, Shape
from failoverd.model.errors import ServerError

_LIMIT = 5.0  # seconds for one question
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")

# What becomes of a change where no row has its key, where one is as it was before, as it would be after, or another.
_CLASHES: Final = {
    Act.INSERT: (Clash.NONE, Clash.NONE, Clash.DONE, Clash.DIFFERS),
    Act.UPDATE: (Clash.MISSING, Clash.NONE, Clash.DONE, Clash.DIFFERS),
    Act.DELETE: (Clash.DONE, Clash.NONE, Clash.NONE, Clash.DIFFERS),
}


class Tables:
    """One session for reading; ended by `close`. After an error of the server every answer is that nobody knows."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._unreadable: set[tuple[str, str]] = set()
        self.problem = ""

    def shape(self, schema: str, table: str) -> Shape:
        """The columns of a table and its primary key; empty where the server does not say it."""
        name = f"{in_file_names(schema)}/{in_file_names(table)}"
        try:
            columns = self._session.rows(statements.READ_COLUMNS, name, limit=_LIMIT)
            key = self._session.rows(statements.READ_KEY, name, limit=_LIMIT)
        except ServerError as error:
            self.problem = self.problem or f"the columns of {schema}.{table} are not known: {error}"
            return Shape()
        return Shape(tuple(str(row["name"]) for row in columns), tuple(str(row["name"]) for row in key))

    def compare(self, change: Change) -> Clash:
        """What would become of this change if it were made here now. Nothing is changed."""
        place = (change.schema, change.table)
        if not change.key or place in self._unreadable:
            return Clash.UNKNOWN
        try:
            found, before = self._alike(change, change.before)
            after = self._alike(change, change.after)[1] if change.after else False
        except ServerError as error:
            self._unreadable.add(place)  # asked for every row, it would take a minute for ten thousand
            self.problem = self.problem or f"{change.schema}.{change.table} could not be compared: {error}"
            return Clash.UNKNOWN
        absent, as_before, as_after, other = _CLASHES[change.act]
        if not found:
            return absent
        if after:
            return as_after
        return as_before if before and change.before else other

    def _alike(self, change: Change, row: Row) -> tuple[bool, bool]:
        """Whether a row has this key, and whether it is this one."""
        names, key = [name for name, _ in row], [name for name, _ in change.key]
        one = statements.count_rows(change.schema, change.table, key, names)
        values = [value for _, value in (*row, *change.key)]
        said = [statements.READ_ONLY.say(), one.say(*values), statements.ROLL_BACK.say()]
        try:
            found = self._session.batch(said, limit=_LIMIT)[1][0]
        except ServerError:
            if self._session.lost is None:
                self._session.rows(statements.ROLL_BACK, limit=_LIMIT)
            raise
        return bool(int(found["found"])), bool(int(found["alike"]))

    def close(self) -> None:
        """End the session."""
        self._session.close()


def in_file_names(name: str) -> str:
    """A name as the server writes it in file names, for plain characters; others have tables of their own there."""
    return "".join(one if one in _PLAIN else f"@{ord(one):04x}" for one in name)
