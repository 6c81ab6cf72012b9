"""The transactions of a binary log file, one after the other, with the statements and rows that they carry.

Row events are read here and not taken from the text of mysqlbinlog: that program need not be on a manager's host, and
its text has neither types nor an end that can be trusted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from failoverd.agent.binlog import events
from failoverd.drivers.binlog.cursor import Cursor, Cut
from failoverd.drivers.binlog.tables import TableMap, table_map
from failoverd.drivers.binlog.values import NotRead, value_of
from failoverd.model.divergence import Act, Change, Row, Shape, Shapes, Transaction

_TABLE_MAP, _ROWS_QUERY, _PARTIAL_UPDATE = 19, 29, 39
_ACTS: Final[Mapping[int, Act]] = {30: Act.INSERT, 31: Act.UPDATE, 32: Act.DELETE}
_CONTROL = frozenset({"BEGIN", "COMMIT", "ROLLBACK"})
LARGEST_EVENT = 64 * 1024 * 1024
# Of one transaction this many bytes are shown; the file has it whole.
LARGEST_SHOWN = 32 * 1024 * 1024
_NOT_SHOWN: Final[Mapping[int, str]] = {
    events.TRANSACTION_PAYLOAD: "it is compressed: its rows are in the raw log and in mysqlbinlog's text only",
    _PARTIAL_UPDATE: "it changes parts of JSON columns: these rows are in the raw log and in mysqlbinlog's text only",
}


class _Draft:
    """A transaction while its events are read."""

    def __init__(self, gtid: str, at: float) -> None:
        self.gtid, self.at = gtid, at
        self.statements: list[str] = []
        self.changes: list[Change] = []
        self.problem = ""
        self.size = 0

    def done(self) -> Transaction:
        """It as a noun."""
        return Transaction(self.gtid, self.at, tuple(self.statements), tuple(self.changes), self.problem)


def transactions_of(path: Path, shapes: Shapes) -> Iterator[Transaction]:
    """Every transaction of a whole log file, in its order; memory holds one at a time, and no more of it than shown.

    What cannot be read of a transaction is its `problem`. Raises Cut where the file is no log file.
    """
    with path.open("rb") as file:
        if file.read(4) != events.MAGIC:
            raise Cut(f"{path} is no binary log file")
        reader, draft = _Reader(shapes), None
        for head, event in _events(file, reader):
            if head.kind in events.BEGINNINGS:
                if draft is not None:
                    yield draft.done()
                draft = reader.begun(head, event)
            elif draft is not None:
                reader.take(draft, head, event)
        if draft is not None:
            yield draft.done()


def _events(file: BinaryIO, reader: _Reader) -> Iterator[tuple[events.Header, bytes]]:
    """Events without their checksums; of one that is too large only its head."""
    while raw := file.read(events.HEADER_SIZE):
        if len(raw) < events.HEADER_SIZE:
            raise Cut("the file ends in the middle of an event")
        head = events.header(raw)
        size = head.size - events.HEADER_SIZE
        if size > LARGEST_EVENT:
            file.seek(size, 1)
            yield head, b""
            continue
        event = raw + file.read(size)
        if head.kind == events.FORMAT_DESCRIPTION:
            reader.checksums = events.has_checksums(event)
        yield head, event[: -events.CHECKSUM_SIZE] if reader.checksums else event


class _Reader:
    """What later events need of earlier ones: whether they have checksums, and the tables by their numbers."""

    def __init__(self, shapes: Shapes) -> None:
        self.checksums = False
        self._shapes = shapes
        self._known: dict[tuple[str, str], Shape] = {}
        self._tables: dict[int, TableMap] = {}

    def begun(self, head: events.Header, event: bytes) -> _Draft:
        """A transaction begins; its time is that of its commit where the event tells it to the microsecond."""
        # the decoder of these events expects their checksum
        told = events.gtid_event(event + bytes(events.CHECKSUM_SIZE))
        self._tables.clear()
        at = float(head.timestamp)
        if head.kind == events.GTID and len(event) >= 68:
            at = (int.from_bytes(event[61:68], "little") & ~(1 << 55)) / 1e6
        name = f"{told.uuid}:{told.tag}:{told.number}" if told.tag else f"{told.uuid}:{told.number}"
        return _Draft(name, at)

    def take(self, draft: _Draft, head: events.Header, event: bytes) -> None:
        """One event inside a transaction."""
        draft.size += head.size
        if not event or draft.size > LARGEST_SHOWN:
            draft.problem = draft.problem or "it is too large to be shown whole: the raw log has it"
            return
        try:
            self._take(draft, head.kind, event[events.HEADER_SIZE :])
        except (Cut, NotRead, struct.error, IndexError) as error:
            draft.problem = draft.problem or f"a part of it could not be read: {error}"

    def _take(self, draft: _Draft, kind: int, body: bytes) -> None:
        if kind == events.QUERY:
            said = _query(body)
            if said.upper() not in _CONTROL:
                draft.statements.append(said)
        elif kind == _ROWS_QUERY:
            draft.statements.append(body[1:].decode("utf-8", "replace"))
        elif kind == _TABLE_MAP:
            found = table_map(body)
            self._tables[found.number] = found
        elif kind in _ACTS:
            draft.changes += self._rows(_ACTS[kind], body)
        elif kind in _NOT_SHOWN:
            draft.problem = draft.problem or _NOT_SHOWN[kind]

    def _rows(self, act: Act, body: bytes) -> Iterator[Change]:
        data = Cursor(body)
        number, _flags = data.number(6), data.number(2)
        table = self._tables.get(number)
        if table is None:
            raise NotRead("rows of a table that the log does not describe")
        data.take(data.number(2) - 2)  # what newer versions add; its length counts itself
        width = data.packed()
        first = data.bits(width)
        second = data.bits(width) if act is Act.UPDATE else first
        shape = self._shape(table)
        while data.left:
            one = _row(table, shape.columns, first, data)
            other = _row(table, shape.columns, second, data) if act is Act.UPDATE else ()
            before, after = ((), one) if act is Act.INSERT else (one, other)
            named = tuple((name, value) for name, value in before or after if name in shape.key)
            key = named if len(named) == len(shape.key) else ()
            yield Change(act, table.schema, table.table, before, after, key)

    def _shape(self, table: TableMap) -> Shape:
        """Names for the columns: the log's own, those of the table now where they are as many, else their numbers."""
        place = (table.schema, table.table)
        if place not in self._known:
            self._known[place] = self._shapes(*place)
        known = self._known[place]
        if table.names:
            return Shape(table.names, known.key)
        if len(known.columns) == len(table.columns):
            return known
        return Shape(tuple(f"@{at}" for at in range(1, len(table.columns) + 1)))


def _row(table: TableMap, names: tuple[str, ...], present: list[bool], data: Cursor) -> Row:
    """One image of a row: the columns that are in it."""
    there = [at for at, is_there in enumerate(present) if is_there]
    empty = data.bits(len(there))
    return tuple(
        (names[at], None if is_null else value_of(table.columns[at], data))
        for at, is_null in zip(there, empty, strict=True)
    )


def _query(body: bytes) -> str:
    """The text of a query event: behind a fixed head, status variables, and the name of the database."""
    data = Cursor(body)
    data.take(8)
    schema, _error, status = data.number(1), data.number(2), data.number(2)
    data.take(status + schema + 1)
    return data.take(data.left).decode("utf-8", "replace")
