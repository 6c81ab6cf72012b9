"""Tables of a living server as divergence is judged by: their columns, and rows beside what somebody else has made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from failoverd.drivers.mysql import statements
from failoverd.drivers.mysql.session import Session
from failoverd.drivers.mysql.statements import Said
from failoverd.model.divergence import Act, Change, Clash, Shape
from failoverd.model.errors import ServerError

_LIMIT = 5.0  # seconds for one question
_NOT_STORED = 1 << 16
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
        return Shape(in_order(columns), tuple(str(row["name"]) for row in key))

    def compare(self, changes: Sequence[Change]) -> tuple[Clash, ...]:
        """What would become of each of these if it were made here now. Nothing is changed.

        They are asked together: a round trip for each row would take half a minute for ten thousand.
        """
        try:
            return self._compared(changes)
        except ServerError:
            if len(changes) > 1:
                return tuple(clash for change in changes for clash in self.compare([change]))
        return (Clash.UNKNOWN,)

    def _compared(self, changes: Sequence[Change]) -> tuple[Clash, ...]:
        asked = [change for change in changes if change.key and (change.schema, change.table) not in self._unreadable]
        if not asked:
            return (Clash.UNKNOWN,) * len(changes)
        said = [statements.READ_ONLY.say(), *map(counting, asked), statements.ROLL_BACK.say()]
        try:
            _, *counted, _ = self._session.batch(said, limit=_LIMIT)
        except ServerError as error:
            if len(asked) == 1:  # asked for every row, it would take a minute for ten thousand
                (one,) = asked
                self._unreadable.add((one.schema, one.table))
                self.problem = self.problem or f"{one.schema}.{one.table} could not be compared: {error}"
            if self._session.lost is None:
                self._session.rows(statements.ROLL_BACK, limit=_LIMIT)
            raise
        found = iter([clash_of(change, rows[0]) for change, rows in zip(asked, counted, strict=True)])
        here = set(map(id, asked))
        return tuple(next(found) if id(change) in here else Clash.UNKNOWN for change in changes)

    def close(self) -> None:
        """End the session."""
        self._session.close()


def counting(change: Change) -> Said:
    """The question how many rows have its key, and are as it was before, or would be after."""
    images = {"as_before": change.before, "as_after": change.after}
    return statements.count_rows(
        change.schema, change.table, change.key, {name: row for name, row in images.items() if row}
    )


def clash_of(change: Change, counted: Mapping[str, Any]) -> Clash:
    """What the answer means."""
    absent, as_before, as_after, other = _CLASHES[change.act]
    if not int(counted["found"]):
        return absent
    if int(counted.get("as_after", 0)):
        return as_after
    return as_before if int(counted.get("as_before", 0)) else other


def in_order(columns: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The columns as the table and its log count them: the engine counts what it stores, and tells the place of a
    column that it does not store in the lower half of that one's number.
    """
    found = [str(row["name"]) for row in columns if int(row["place"]) < _NOT_STORED]
    for row in columns:
        if int(row["place"]) >= _NOT_STORED:
            found.insert(int(row["place"]) % _NOT_STORED, str(row["name"]))
    return tuple(found)


def in_file_names(name: str) -> str:
    """A name as the server writes it in file names, for plain characters; others have tables of their own there."""
    return "".join(one if one in _PLAIN else f"@{ord(one):04x}" for one in name)
