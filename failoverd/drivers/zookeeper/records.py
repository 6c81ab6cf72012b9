"""Bytes of an entry: JSON, compressed where it is long, cut into parts where ZooKeeper's size limit would refuse it.
Pure.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from failoverd.model.errors import CoordinationError

COMPRESS_OVER = 32 * 1024
PART = 512 * 1024  # half of ZooKeeper's default limit for one request
_COMPRESSED = b"z"
_IN_PARTS = b"p"


@dataclass(frozen=True, slots=True)
class Packed:
    """A record as entries hold it: `head` under the record's own name, `parts` beside it."""

    head: bytes
    parts: tuple[bytes, ...] = ()


def pack(data: Mapping[str, Any], compress_over: int = COMPRESS_OVER, part: int = PART) -> Packed:
    """The record's bytes; plain JSON while it is short, so that people can read it with any client."""
    raw = json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()
    if len(raw) > compress_over:
        raw = _COMPRESSED + zlib.compress(raw, 1)
    if len(raw) <= part:
        return Packed(raw)
    parts = tuple(raw[start : start + part] for start in range(0, len(raw), part))
    return Packed(_IN_PARTS + str(len(parts)).encode(), parts)


def parts_of(head: bytes) -> int:
    """In how many parts the rest of a record lies beside its head; 0 where the head is all."""
    return int(head[1:]) if head.startswith(_IN_PARTS) else 0


def unpack(head: bytes, parts: Sequence[bytes], where: str) -> Mapping[str, Any]:
    """The record from its bytes; CoordinationError names the place of one that cannot be read."""
    raw = b"".join(parts) if parts else head
    try:
        data = json.loads(zlib.decompress(raw[1:]) if raw.startswith(_COMPRESSED) else raw)
    except (ValueError, zlib.error) as error:
        raise CoordinationError(f"record {where} cannot be read", str(error)) from error
    if not isinstance(data, dict):
        raise CoordinationError(f"record {where} cannot be read", f"it is a {type(data).__name__}, not an object")
    return data
