"""A column's bytes as a value: one reader for each kind of column that a binary log knows.

What has no reader here cannot even be passed over: `NotRead` ends the reading of its row. JSON, geometry and vectors
have no plain form; their bytes are given as they are.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from failoverd.drivers.binlog.cursor import Cursor
from failoverd.model.divergence import Value

NUMBERS: Final = frozenset({1, 2, 3, 4, 5, 8, 9, 246})
TEXTS: Final = frozenset({15, 252, 253, 254})
ENUM, SET = 247, 248
_STRING = 254
_UTF8 = frozenset({33, 45, 46, 76, 83}) | frozenset(range(192, 248)) | frozenset(range(255, 324))
_LATIN1 = frozenset({5, 8, 15, 31, 47, 48, 49, 94})
_ASCII = frozenset({11, 65})
_LARGEST_FLOAT = (2 - 2**-23) * 2.0**127
_DIGITS_IN_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)


class NotRead(ValueError):
    """A kind of column that is not known here."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column as the log describes it; `meta` is what its kind adds, `collation` 0 where it is not told."""

    kind: int
    meta: int = 0
    unsigned: bool = False
    collation: int = 0


def value_of(column: Column, data: Cursor) -> Value:
    """The next value. Raises NotRead or Cut."""
    reader = _READERS.get(column.kind)
    if reader is None:
        raise NotRead(f"columns of kind {column.kind} are not known")
    return reader(column, data)


def real_kind(first: int, second: int) -> tuple[int, int]:
    """The true kind and length behind the two bytes that describe a string, an enumeration or a set."""
    if first & 0x30 != 0x30:
        return first | 0x30, second | (((first & 0x30) ^ 0x30) << 4)
    return first, second


def _whole(width: int) -> Callable[[Column, Cursor], Value]:
    return lambda column, data: data.number(width) if column.unsigned else data.signed(width)


def _double(column: Column, data: Cursor) -> Value:
    del column
    return float(struct.unpack("<d", data.take(8))[0])


def _float(column: Column, data: Cursor) -> Value:
    del column
    raw = data.take(4)
    found = struct.unpack("<f", raw)[0]
    # the shortest text that means these four bytes: more digits would be noise of the conversion, fewer another value
    rounded = (float(f"{found:.{digits}g}") for digits in range(6, 10))
    fitting = (one for one in rounded if abs(one) <= _LARGEST_FLOAT and struct.pack("<f", one) == raw)
    return next(fitting, float(found))


def _year(column: Column, data: Cursor) -> Value:
    del column
    year = data.number(1)
    return 1900 + year if year else 0


def _date(column: Column, data: Cursor) -> Value:
    del column
    raw = data.number(3)
    return f"{raw >> 9:04}-{raw >> 5 & 15:02}-{raw & 31:02}"


def _fraction(raw: int, digits: int) -> str:
    """The digits behind the second; `raw` counts in steps of the stored precision."""
    stored = 2 * ((digits + 1) // 2)
    return f".{raw:0{stored}}"[: digits + 1] if digits else ""


def _timestamp(column: Column, data: Cursor) -> Value:
    seconds = int.from_bytes(data.take(4), "big")
    fraction = _fraction(int.from_bytes(data.take((column.meta + 1) // 2), "big"), column.meta)
    if not seconds:
        return f"0000-00-00 00:00:00{fraction}"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S") + fraction


def _datetime(column: Column, data: Cursor) -> Value:
    raw = int.from_bytes(data.take(5), "big") - (1 << 39)
    fraction = _fraction(int.from_bytes(data.take((column.meta + 1) // 2), "big"), column.meta)
    year, month = divmod(raw >> 22, 13)
    day = f"{year:04}-{month:02}-{raw >> 17 & 31:02}"
    return f"{day} {raw >> 12 & 31:02}:{raw >> 6 & 63:02}:{raw & 63:02}{fraction}"


def _time(column: Column, data: Cursor) -> Value:
    wide = (column.meta + 1) // 2
    raw = int.from_bytes(data.take(3 + wide), "big") - (1 << (23 + 8 * wide))
    sign, raw = ("-", -raw) if raw < 0 else ("", raw)
    clock, fraction = raw >> 8 * wide, _fraction(raw & ((1 << 8 * wide) - 1), column.meta)
    return f"{sign}{clock >> 12 & 1023:02}:{clock >> 6 & 63:02}:{clock & 63:02}{fraction}"


def _decimal(column: Column, data: Cursor) -> Value:
    """Groups of nine digits in four bytes, most significant first; the sign is the first bit, and turns all others."""
    precision, scale = column.meta & 255, column.meta >> 8
    before, after = divmod(precision - scale, 9), divmod(scale, 9)
    widths = [(before[1], _DIGITS_IN_BYTES[before[1]])] if before[1] else []
    widths += [(9, 4)] * (before[0] + after[0])
    widths += [(after[1], _DIGITS_IN_BYTES[after[1]])] if after[1] else []
    raw = bytearray(data.take(sum(width for _, width in widths)))
    negative = not raw[0] & 0x80
    raw[0] ^= 0x80
    groups = Cursor(bytes(byte ^ 0xFF for byte in raw) if negative else bytes(raw))
    digits = "".join(f"{int.from_bytes(groups.take(width), 'big'):0{count}}" for count, width in widths)
    whole, rest = digits[: precision - scale].lstrip("0") or "0", digits[precision - scale :]
    return ("-" if negative else "") + (f"{whole}.{rest}" if scale else whole)


def _bit(column: Column, data: Cursor) -> Value:
    count = 8 * (column.meta >> 8) + (column.meta & 255)
    return int.from_bytes(data.take((count + 7) // 8), "big")


def _text(column: Column, data: Cursor) -> Value:
    """A length of one byte, of two where the column can hold more than 255."""
    return _characters(column, data.take(data.number(2 if column.meta > 255 else 1)))


def _blob(column: Column, data: Cursor) -> Value:
    return _characters(column, data.take(data.number(column.meta)))


def _raw(column: Column, data: Cursor) -> Value:
    return data.take(data.number(column.meta))


def _choice(column: Column, data: Cursor) -> Value:
    """The number of an enumeration's member, or a set's bits; their names are not in the log."""
    return data.number(column.meta)


def _characters(column: Column, raw: bytes) -> Value:
    names = ((_UTF8, "utf-8"), (_LATIN1, "cp1252"), (_ASCII, "ascii"))
    name = next((name for collations, name in names if column.collation in collations), "")
    if not name:
        return raw
    try:
        return raw.decode(name)
    except UnicodeDecodeError:
        return raw


_READERS: Final[dict[int, Callable[[Column, Cursor], Value]]] = {
    1: _whole(1),
    2: _whole(2),
    3: _whole(4),
    4: _float,
    5: _double,
    8: _whole(8),
    9: _whole(3),
    10: _date,
    13: _year,
    15: _text,
    16: _bit,
    17: _timestamp,
    18: _datetime,
    19: _time,
    242: _raw,
    245: _raw,
    246: _decimal,
    ENUM: _choice,
    SET: _choice,
    252: _blob,
    253: _text,
    _STRING: _text,
    255: _raw,
}
