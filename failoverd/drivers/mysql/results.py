"""Results whose columns have been described before: a look asks the same each time, and reading the descriptions anew
would take two fifths of what watching costs.

The bytes of a description decide: those that are the same as before mean the same, all others are read as ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pymysql.connections import Connection, MySQLResult
from pymysql.constants import COMMAND

Row = Mapping[str, Any]
Key = tuple[str, str, int, int]


@dataclass(frozen=True, slots=True)
class Columns:
    """A description as it came, what the library made of it, and the number of the packet behind it."""

    told: bytes
    fields: Sequence[Any]
    converters: Sequence[Any]
    description: Sequence[Any]
    following: int


class Talk(Connection):
    """The library's connection, asked and heard in two steps."""

    known: ClassVar[dict[Key, Columns]] = {}
    server_version: str
    _next_seq_id: int

    def __init__(self, **options: Any) -> None:
        self.hearing = ""
        self._unread = b""
        self._noted: list[bytes] | None = None
        super().__init__(**options)

    def send(self, text: str) -> None:
        """Send statements, and wait for nothing."""
        self._execute_command(COMMAND.COM_QUERY, text)  # type: ignore[attr-defined]

    def hear(self, texts: Sequence[str]) -> Iterator[tuple[Row, ...]]:
        """The rows of each statement that was sent, named by its text; an empty one for what need not be the same the
        next time.
        """
        more, left = True, iter(texts)
        while more:
            self.hearing = next(left, "")
            self._read_query_result()
            found: Any = self._result
            names = [field.name for field in found.fields] if found.rows is not None else []
            yield tuple(dict(zip(names, row, strict=True)) for row in found.rows or ())
            more = bool(found.has_next)

    def describe(self, result: _Result) -> None:
        """Let a result know its columns, which are described next; those of a statement without a name are read."""
        if not self.hearing:
            result.read_descriptions()
            return
        key = (self.hearing, self.server_version, self._next_seq_id, result.field_count)
        known = self.known.get(key)
        if known is not None:
            told = self._read_bytes(len(known.told))
            if told == known.told:
                self._next_seq_id = known.following
                result.take(known)
                return
            self._unread = told
        self._noted = []
        result.read_descriptions()
        told, self._noted = b"".join(self._noted), None
        self.known[key] = Columns(told, result.fields, result.converters, result.description, self._next_seq_id)

    def _read_query_result(self, unbuffered: bool = False) -> int | None:
        self._result = None
        result = _Result(self)
        result.read()
        self._result = result
        if result.server_status is not None:
            self.server_status = result.server_status
        return result.affected_rows

    def _read_bytes(self, count: int) -> bytes:
        first, self._unread = self._unread[:count], self._unread[count:]
        read: bytes = first
        if len(first) < count or not count:
            read += super()._read_bytes(count - len(first))  # type: ignore[misc]
        if self._noted is not None:
            self._noted.append(read)
        return read


class _Result(MySQLResult):
    """The library's result, which asks its connection whether the columns are known."""

    connection: Talk

    def take(self, known: Columns) -> None:
        """Be of these columns."""
        self.fields, self.converters, self.description = known.fields, known.converters, known.description

    def read_descriptions(self) -> None:
        """Read them as ever."""
        super()._get_descriptions()  # type: ignore[misc]

    def _get_descriptions(self) -> None:
        self.connection.describe(self)
