"""The frames between manager and agent, and between the agent and its door: pure, no I/O.

A frame is the payload's length (4 bytes, big-endian), one byte for the kind (J: a JSON object in UTF-8, R: raw
bytes), and the payload. Anything else is an error: there is no way to find the next frame after garbage.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_PAYLOAD = 16 * 1024 * 1024
JSON = b"J"
RAW = b"R"
END_OF_UPLOAD = struct.pack(">I", 0) + RAW

_HEAD = struct.Struct(">Ic")


class WireError(Exception):
    """Bytes that are no frame, or a JSON frame that holds no object; the conversation cannot go on."""


@dataclass(frozen=True)
class Frame:
    """One frame; `json()` reads a J frame's object."""

    kind: bytes
    payload: bytes

    def json(self) -> dict[str, Any]:
        """Read the object; WireError for a raw frame, bad UTF-8, bad JSON, repeated keys, or anything but an object."""
        if self.kind != JSON:
            raise WireError("a JSON frame was expected, a raw one came")
        try:
            value = json.loads(self.payload.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise WireError(f"bad JSON in a frame: {error}") from error
        if not isinstance(value, dict):
            raise WireError("a JSON frame must hold an object")
        return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key is given twice")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def pack(kind: bytes, payload: bytes) -> bytes:
    """Make a frame's bytes; WireError when the payload is longer than MAX_PAYLOAD."""
    if len(payload) > MAX_PAYLOAD:
        raise WireError(f"a frame holds at most {MAX_PAYLOAD} bytes, not {len(payload)}")
    return _HEAD.pack(len(payload), kind) + payload


def pack_json(value: Mapping[str, Any]) -> bytes:
    """Make a J frame."""
    return pack(JSON, json.dumps(value, separators=(",", ":"), allow_nan=False).encode("utf-8"))


class FrameDecoder:
    """Turns a stream of bytes, in pieces of any size, into frames."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Give the frames that are complete now; WireError at the first byte that cannot begin one."""
        self._waiting += data
        while len(self._waiting) >= _HEAD.size:
            length, kind = _HEAD.unpack_from(self._waiting)
            if kind not in (JSON, RAW) or length > MAX_PAYLOAD:
                raise WireError(f"not a frame: {bytes(self._waiting[:16])!r}")
            end = _HEAD.size + length
            if len(self._waiting) < end:
                return
            payload = bytes(self._waiting[_HEAD.size : end])
            del self._waiting[:end]
            yield Frame(kind, payload)

    def finish(self) -> None:
        """Say that no more bytes come; WireError when a frame was cut short."""
        if self._waiting:
            raise WireError(f"the stream ended inside a frame ({len(self._waiting)} bytes of it came)")
