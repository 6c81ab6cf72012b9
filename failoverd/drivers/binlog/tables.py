"""Table maps: what the log says of a table right before it says what became of its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from failoverd.drivers.binlog.cursor import Cursor
from failoverd.drivers.binlog.values import ENUM, NUMBERS, SET, TEXTS, Column, NotRead, real_kind

_SIGNEDNESS, _DEFAULT_CHARSET, _COLUMN_CHARSET, _COLUMN_NAME = 1, 2, 3, 4
_STRING = 254
# How many bytes describe a column of this kind; the others are told apart by their kind alone.
_META_BYTES: Final = {4: 1, 5: 1, 15: 2, 16: 2, 17: 1, 18: 1, 19: 1, 242: 1, 245: 1, 246: 2, 252: 1, 253: 2, 255: 1}


@dataclass(frozen=True, slots=True)
class TableMap:
    """One table: its columns in order, and their names where the log has them (binlog_row_metadata=FULL)."""

    number: int
    schema: str
    table: str
    columns: tuple[Column, ...]
    names: tuple[str, ...] = ()


@lru_cache(maxsize=256)  # the same bytes stand before every change of a table: reading them took half of the time
def table_map(body: bytes) -> TableMap:
    """Decode the body of a table map event. Raises Cut or NotRead."""
    data = Cursor(body)
    number, _flags = data.number(6), data.number(2)
    schema, table = _name(data), _name(data)
    kinds = data.take(data.packed())
    described = Cursor(data.take(data.packed()))
    columns = tuple(_column(kind, described) for kind in kinds)
    data.bits(len(columns))  # which of them may be NULL: each row says itself which are
    found = TableMap(number, schema, table, columns)
    while data.left:
        field, value = data.number(1), Cursor(data.take(data.packed()))
        if field in _FIELDS:
            found = _FIELDS[field](found, value)
    return found


def _name(data: Cursor) -> str:
    found = data.take(data.number(1)).decode("utf-8", "replace")
    data.take(1)  # a zero ends it
    return found


def _column(kind: int, described: Cursor) -> Column:
    if kind == _STRING:
        return Column(*real_kind(described.number(1), described.number(1)))
    if kind in {ENUM, SET}:
        raise NotRead(f"a column of kind {kind} stands where strings are expected")
    return Column(kind, described.number(_META_BYTES.get(kind, 0)))


def _signs(found: TableMap, data: Cursor) -> TableMap:
    """One bit for each column of numbers, the highest of each byte first."""
    at = [place for place, column in enumerate(found.columns) if column.kind in NUMBERS]
    raw = data.take((len(at) + 7) // 8)
    unsigned = {place for turn, place in enumerate(at) if raw[turn // 8] >> (7 - turn % 8) & 1}
    columns = (replace(column, unsigned=place in unsigned) for place, column in enumerate(found.columns))
    return replace(found, columns=tuple(columns))


def _texts(found: TableMap) -> list[int]:
    return [place for place, column in enumerate(found.columns) if column.kind in TEXTS]


def _with_collations(found: TableMap, collations: dict[int, int]) -> TableMap:
    columns = (replace(c, collation=collations.get(place, c.collation)) for place, c in enumerate(found.columns))
    return replace(found, columns=tuple(columns))


def _common_charset(found: TableMap, data: Cursor) -> TableMap:
    """One collation for all texts, then those that differ, by their turn among the texts."""
    texts, common = _texts(found), data.packed()
    collations = dict.fromkeys(texts, common)
    while data.left:
        turn, collation = data.packed(), data.packed()
        collations[texts[turn]] = collation
    return _with_collations(found, collations)


def _charsets(found: TableMap, data: Cursor) -> TableMap:
    return _with_collations(found, {place: data.packed() for place in _texts(found)})


def _names(found: TableMap, data: Cursor) -> TableMap:
    names = []
    while data.left:
        names.append(data.take(data.packed()).decode("utf-8", "replace"))
    return replace(found, names=tuple(names))


_FIELDS: Final[dict[int, Callable[[TableMap, Cursor], TableMap]]] = {
    _SIGNEDNESS: _signs,
    _DEFAULT_CHARSET: _common_charset,
    _COLUMN_CHARSET: _charsets,
    _COLUMN_NAME: _names,
}
