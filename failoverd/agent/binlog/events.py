"""The events that matter in a log file, decoded from their bytes: pure.

Sources: libs/mysql/binlog/event/*.h and libs/mysql/serialization of MySQL, checked against files of a real server.
"""

from __future__ import annotations

import functools
import struct
import zlib
from typing import NamedTuple

from failoverd.gtid import GtidSet, Interval

MAGIC = b"\xfebin"
ENCRYPTED_MAGIC = b"\xfdbin"

QUERY = 2
STOP = 3
ROTATE = 4
FORMAT_DESCRIPTION = 15
XID = 16
INCIDENT = 26
GTID = 33
ANONYMOUS_GTID = 34
PREVIOUS_GTIDS = 35
XA_PREPARE = 38
TRANSACTION_PAYLOAD = 40
GTID_TAGGED = 42

BEGINNINGS = frozenset({GTID, ANONYMOUS_GTID, GTID_TAGGED})
BETWEEN = frozenset({STOP, ROTATE, FORMAT_DESCRIPTION, PREVIOUS_GTIDS, INCIDENT, *BEGINNINGS})
"""What can stand where a transaction has ended; nothing of this stands inside one."""

LAST_KNOWN_TYPE = 60
"""Event types above this do not exist in any version; a damaged byte mostly lands there."""

IGNORABLE = 0x80
"""Flag of an event that a reader who does not know its type may pass over."""

HEADER_SIZE = 19
FLAGS_AT = 17
CHECKSUM_SIZE = 4
IN_USE = 1
"""Flag of a format description whose file is open or was not closed; its checksum is made without the flag."""

_HEADER = struct.Struct("<IBIIIH")
_SID_GNO = struct.Struct("<16sq")
_PAIR = struct.Struct("<qq")
_QUICK = struct.Struct("<4xB4xI6xx16sqB16x6xB")
_WIDTHS = {252: 2, 253: 3, 254: 8}


class Header(NamedTuple):
    """The 19 bytes before each event; `log_pos` is the end of the event in the file of the server that wrote it."""

    timestamp: int
    kind: int
    server_id: int
    size: int
    log_pos: int
    flags: int


class GtidEvent(NamedTuple):
    """The beginning of a transaction; `length` is the whole transaction's in bytes, 0 when the event does not say."""

    uuid: str
    tag: str
    number: int
    length: int


class BadEvent(ValueError):
    """Bytes that are not the event they claim to be."""


def header(data: bytes | bytearray | memoryview) -> Header:
    """Read a header out of at least 19 bytes."""
    return Header(*_HEADER.unpack_from(data))


@functools.lru_cache(maxsize=256)
def uuid_text(raw: bytes) -> str:
    """Write 16 bytes as a uuid."""
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def checksum_of(event: bytes) -> int:
    """Compute an event's checksum, as its last four bytes should say it."""
    body = event[:-CHECKSUM_SIZE]
    if body[4] == FORMAT_DESCRIPTION:
        body = body[:FLAGS_AT] + bytes([body[FLAGS_AT] & ~IN_USE]) + body[FLAGS_AT + 1 :]
    return zlib.crc32(body)


def has_checksums(event: bytes) -> bool:
    """Whether a format description says that the events after it end in a CRC32; BadEvent when it says neither."""
    # version 2, server version 50, time 4, header length 1, then at least the checksum algorithm
    shortest = HEADER_SIZE + 2 + 50 + 4 + 1 + 1 + CHECKSUM_SIZE
    if len(event) < shortest or event[HEADER_SIZE : HEADER_SIZE + 2] != b"\x04\x00":
        raise BadEvent("not a format description of binary log version 4")
    algorithm = event[-CHECKSUM_SIZE - 1]
    if algorithm not in (0, 1):
        raise BadEvent(f"unknown checksum algorithm {algorithm}")
    return algorithm == 1


def gtid_event(event: bytes) -> GtidEvent:
    """Decode a GTID event of any of the three kinds; BadEvent when the bytes do not fit."""
    try:
        return _tagged(event) if event[4] == GTID_TAGGED else _untagged(event)
    except (IndexError, struct.error) as error:
        raise BadEvent("the GTID event is cut short") from error


def _untagged(event: bytes) -> GtidEvent:
    sid, number = _SID_GNO.unpack_from(event, HEADER_SIZE + 1)
    anonymous = event[4] == ANONYMOUS_GTID
    if number < 1 and not anonymous:
        raise BadEvent(f"transaction number {number}")
    # flags 1, sid 16, number 8, then the logical clock: type 1, two numbers of 8; then one or two times of 7
    length = 0
    if len(event) > 68 and event[44] == 2:
        original_time_follows = event[67] & 0x80
        at = 75 if original_time_follows else 68
        length = _length_encoded(event, at) if at < len(event) else 0
    return GtidEvent("" if anonymous else uuid_text(sid), "", 0 if anonymous else number, length)


def quick_gtid(data: bytes) -> tuple[int, str, int, int]:
    """Give (size, uuid, number, length) of an untagged GTID event out of the 100 bytes from its beginning on.

    The length is 0 for everything else, and where the event does not say it.
    """
    kind, size, sid, number, clock, time_ends = _QUICK.unpack_from(data)
    at = 75 if time_ends & 0x80 else 68
    if kind != GTID or clock != 2 or number < 1 or size <= at:
        return size, "", 0, 0
    first = data[at]
    length = first if first < 251 else int.from_bytes(data[at + 1 : at + 1 + _WIDTHS.get(first, 0)], "little")
    return size, uuid_text(sid), number, length


def _length_encoded(data: bytes, at: int) -> int:
    first = data[at]
    if first < 251:
        return first
    width = _WIDTHS.get(first)
    if width is None:
        raise BadEvent("bad length of a transaction")
    return int.from_bytes(data[at + 1 : at + 1 + width], "little")


def _varlen(data: bytes, at: int) -> tuple[int, int]:
    """Read one variable-length number: as many ones at the low end of the first byte as bytes follow it."""
    first = data[at]
    extra = 0
    while first & (1 << extra):
        extra += 1
        if extra == 8:
            break
    end = at + 1 + extra
    if end > len(data):
        raise IndexError
    if extra == 8:
        return int.from_bytes(data[at + 1 : end], "little"), end
    return int.from_bytes(data[at:end], "little") >> (extra + 1), end


def _tagged(event: bytes) -> GtidEvent:
    """Fields are (id, value) in rising order: 0 flags, 1 uuid, 2 number, 3 tag, 4 to 7 clocks, 8 length."""
    at = HEADER_SIZE
    for _ in ("version", "size", "last field that may not be ignored"):
        _, at = _varlen(event, at)
    sid, tag, numbers = b"", "", {2: 0, 8: 0}
    field = -1
    while field < 8 and at < len(event) - CHECKSUM_SIZE:
        field, at = _varlen(event, at)
        if field == 1:
            sid, at = _uuid_bytes(event, at)
        elif field == 3:
            tag, at = _tag(event, at)
        else:
            numbers[field], at = _varlen(event, at)
    sign, number = numbers[2] & 1, numbers[2] >> 1
    if len(sid) != 16 or sign or number < 1:
        raise BadEvent("the tagged GTID event lacks a uuid or a number")
    return GtidEvent(uuid_text(sid), tag, number, numbers[8])


def _uuid_bytes(event: bytes, at: int) -> tuple[bytes, int]:
    out = bytearray()
    for _ in range(16):
        value, at = _varlen(event, at)
        if value > 255:
            raise BadEvent("a uuid has bytes only")
        out.append(value)
    return bytes(out), at


def _tag(data: bytes, at: int) -> tuple[str, int]:
    length, at = _varlen(data, at)
    raw = data[at : at + length]
    if length > 32 or len(raw) != length:
        raise BadEvent("a tag has at most 32 characters")
    try:
        return raw.decode("ascii"), at + length
    except UnicodeDecodeError as error:
        raise BadEvent("a tag has ASCII characters only") from error


def previous_gtids(body: bytes) -> GtidSet:
    """Decode the body (without header and checksum) of a PREVIOUS_GTIDS event of either format."""
    try:
        return _previous_gtids(body)
    except (IndexError, struct.error) as error:
        raise BadEvent("the PREVIOUS_GTIDS event is cut short") from error


def _previous_gtids(body: bytes) -> GtidSet:
    tagged = body[7] == 1
    count = int.from_bytes(body[1:7], "little") if tagged else int.from_bytes(body[:8], "little")
    at = 8
    parts: dict[tuple[str, str], tuple[Interval, ...]] = {}
    for _ in range(count):
        uuid, tag = uuid_text(body[at : at + 16]), ""
        at += 16
        if tagged:
            tag, at = _tag(body, at)
        (runs,) = struct.unpack_from("<q", body, at)
        at += 8
        if not 0 <= runs <= (len(body) - at) // 16:
            raise BadEvent("more intervals than the event has room for")
        found = [_PAIR.unpack_from(body, at + 16 * n) for n in range(runs)]
        at += 16 * runs
        parts[uuid, tag] = _intervals(found)
    if at != len(body):
        raise BadEvent("bytes are left over behind the last interval")
    return GtidSet.of(parts)


def _intervals(found: list[tuple[int, int]]) -> tuple[Interval, ...]:
    """Pairs of first number and number behind the last; BadEvent when they are no sorted set."""
    least = 1
    for first, after in found:
        if not least <= first < after:
            raise BadEvent("the intervals are no set")
        least = after + 1
    return tuple([(first, after - 1) for first, after in found])


def write_previous_gtids(gtids: GtidSet, server_id: int, at: int, with_checksum: bool) -> bytes:
    """Make the PREVIOUS_GTIDS event that stands at offset `at` of a file."""
    parts = list(gtids.parts())
    tagged = any(tag for _, tag, _ in parts)
    count = len(parts)
    body = bytearray(b"\x01" + count.to_bytes(6, "little") + b"\x01" if tagged else count.to_bytes(8, "little"))
    for uuid, tag, runs in parts:
        body += bytes.fromhex(uuid.replace("-", ""))
        if tagged:
            body += bytes([len(tag) << 1]) + tag.encode("ascii")
        body += struct.pack("<q", len(runs)) + b"".join(_PAIR.pack(first, last + 1) for first, last in runs)
    size = HEADER_SIZE + len(body) + (CHECKSUM_SIZE if with_checksum else 0)
    event = _HEADER.pack(0, PREVIOUS_GTIDS, server_id, size, at + size, IGNORABLE) + bytes(body)
    return event + struct.pack("<I", zlib.crc32(event)) if with_checksum else event
