"""The flight recorder: the last minutes of every cluster's looks and verdicts in a ring of files, copied aside when
something has happened.

Nothing here may disturb the manager: moments are handed over without waiting and dropped where the disk is slower or
full, and the writer spends a small part of one processor at most.
"""

from __future__ import annotations

import json
import os
import queue
import struct
import time
import typing
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import UnionType
from typing import Any, Final, Literal

from cattrs import Converter

from failoverd.drivers.journal_codec import checked_name, opened, plain, versioned
from failoverd.gtid import GtidSet
from failoverd.model.errors import FailoverdError
from failoverd.model.flight import Moment
from failoverd.model.hooks import HookPolicy

# A ring has this many files of this size (bytes, compressed): with three servers about a quarter of an hour.
FILES: Final = 4
FILE_BYTES: Final = 1 << 20
# So many recordings of what happened are kept for each cluster, the newest ones.
KEPT: Final = 20
_KEPT_HEAD: Final = b"failoverd flight 1\n"
_LENGTH: Final = struct.Struct(">Q")
_WAITING: Final = 256
_SHARE: Final = 9.0  # rest for each second of work: a tenth of one processor
_WHOLE: Final = (int, float, str)


class Ring:
    """The files of one cluster. Every method raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = max((int(path.stem) for path in folder.glob("[0-9]*.flight")), default=0)
        self._stream: typing.BinaryIO | None = None
        self._squeeze = zlib.compressobj(1)

    def add(self, line: bytes) -> None:
        """One line at the end of the ring, readable at once."""
        if self._stream is None or self._stream.tell() > FILE_BYTES:
            self._turn()
        if self._stream is not None:
            self._stream.write(self._squeeze.compress(line) + self._squeeze.flush(zlib.Z_SYNC_FLUSH))
            self._stream.flush()

    def copy(self, name: str) -> None:
        """The whole ring as one file beside it; the oldest of many such copies goes."""
        kept = self._folder / "kept"
        kept.mkdir(parents=True, exist_ok=True)
        beside = kept / f".{name}"
        with beside.open("wb") as target:
            target.write(_KEPT_HEAD)
            for path in self._files():
                data = path.read_bytes()  # its stream has no end yet, so its length tells where the next one begins
                target.write(_LENGTH.pack(len(data)) + data)
        beside.replace(kept / f"{name}.flight")
        for old in sorted(kept.glob("*.flight"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
            old.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*.flight"))

    def _turn(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        self._folder.mkdir(parents=True, exist_ok=True)
        self._number += 1
        self._squeeze = zlib.compressobj(1)
        path = self._folder / f"{self._number:08d}.flight"
        self._stream = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "wb")
        for old in self._files()[:-FILES]:
            old.unlink(missing_ok=True)


class FlightRecorder:
    """Keeps moments in files below `folder`, one ring for each cluster. `run` is its worker."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: queue.Queue[Moment | tuple[str, str]] = queue.Queue(_WAITING)
        self._rings: dict[str, Ring] = {}

    def note(self, moment: Moment) -> None:
        """Take a moment in; it is dropped where too many wait already."""
        self._put(moment)

    def keep(self, cluster: str, name: str) -> None:
        """Copy the ring of a cluster aside under the name of what has happened."""
        self._put((cluster, name))

    def run(self) -> None:
        """Write what comes, for ever; what cannot be written is given up."""
        while True:
            self.write(self._waiting.get())

    def write(self, item: Moment | tuple[str, str]) -> None:
        """Write one item and rest in proportion."""
        begun = time.monotonic()
        cluster = item.snapshot.cluster if isinstance(item, Moment) else item[0]
        try:
            ring = self._rings.setdefault(cluster, Ring(self._folder / checked_name("cluster", cluster)))
            if isinstance(item, Moment):
                ring.add(line_of(item))
            else:
                ring.copy(checked_name("recording", item[1]))
        except (OSError, FailoverdError):
            self._rings.pop(cluster, None)  # another file the next time
        time.sleep((time.monotonic() - begun) * _SHARE)

    def _put(self, item: Moment | tuple[str, str]) -> None:
        try:
            self._waiting.put_nowait(item)
        except queue.Full:
            return


def line_of(moment: Moment) -> bytes:
    """One moment as it is recorded; people's own programs are none of its inputs."""
    told = replace(moment, policy=replace(moment.policy, hooks=HookPolicy()))
    return json.dumps(versioned(plain(told)), separators=(",", ":"), default=str).encode() + b"\n"


def read(path: Path) -> Iterator[Moment]:
    """The moments of a recording, oldest first; a torn end is left out. Raises FailoverdError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FailoverdError(f"{path} cannot be read", error.strerror or str(error)) from error
    for number, line in enumerate(lines(data, path), 1):
        try:
            yield _CONVERTER.structure(opened(json.loads(line), str(path)), Moment)
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            why = f"moment {number}: {type(error).__name__} {error}"
            raise FailoverdError(
                f"{path} cannot be understood", why, "replay it with the version that wrote it"
            ) from error


def lines(data: bytes, path: Path) -> Iterator[bytes]:
    """The whole lines of a file of the ring, or of all that one copy holds."""
    for part in parts(data) if data.startswith(_KEPT_HEAD) else (data,):
        try:
            text = zlib.decompressobj().decompress(part)
        except zlib.error as error:
            raise FailoverdError(f"{path} is no recording", str(error)) from error
        yield from (line for line in text.splitlines(keepends=True) if line.endswith(b"\n"))


def parts(data: bytes) -> Iterator[bytes]:
    """The files that one copy is made of."""
    at = len(_KEPT_HEAD)
    while at + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        yield data[at : at + length]
        at += length


def _as_it_is(kind: Any) -> bool:
    """Whether a union is one of plain values, which JSON keeps as they are."""
    if typing.get_origin(kind) not in {typing.Union, UnionType}:
        return False
    return any(part in _WHOLE or typing.get_origin(part) is Literal for part in typing.get_args(kind))


def _converter() -> Converter:
    made = Converter(detailed_validation=False)
    made.register_structure_hook(GtidSet, lambda text, _: GtidSet.parse(text))
    made.register_structure_hook(Path, lambda text, _: Path(text))
    made.register_structure_hook_func(_as_it_is, lambda value, _: value)
    return made


_CONVERTER = _converter()
