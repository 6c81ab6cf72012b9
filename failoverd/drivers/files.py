"""Small files that survive a crash: replaced as a whole, on disk before the call returns."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path

from failoverd.model.errors import CoordinationError


def replace_file(path: Path, data: bytes, mode: int = 0o640) -> None:
    """Put the bytes in place at once: readers see the old file or the new one. Raises CoordinationError."""
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise unwritable(path, error) from error


def append_line(path: Path, data: bytes, *, durable: bool) -> None:
    """Add one line, whole or not at all; with `durable` it is on disk before the call returns. Raises
    CoordinationError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o640), "ab", buffering=0) as file:
            _cut_torn_line(file.fileno())
            _write_whole(file.fileno(), data + b"\n")
            if durable:
                os.fsync(file.fileno())
        if new and durable:
            sync_folder(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error


def _cut_torn_line(descriptor: int) -> None:
    """Take away what a crash has left of a line: nobody was ever told that it was written."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        os.ftruncate(descriptor, os.pread(descriptor, size, 0).rfind(b"\n") + 1)


def _write_whole(descriptor: int, data: bytes) -> None:
    before = os.fstat(descriptor).st_size
    try:
        written = 0
        while written < len(data):
            written += os.write(descriptor, data[written:])
    except OSError:
        os.ftruncate(descriptor, before)  # half a line would spoil the next one
        raise


def read_file(path: Path) -> bytes | None:
    """All bytes, None where there is no such file. Raises CoordinationError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error) from error


def remove_file(path: Path) -> None:
    """Take a file away for good; nothing happens where there is none. Raises CoordinationError."""
    try:
        path.unlink(missing_ok=True)
        if path.parent.exists():
            sync_folder(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error


def sync_file(path: Path) -> None:
    """Bring what was appended to disk. Raises CoordinationError."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unwritable(path, error) from error


def sync_folder(folder: Path) -> None:
    """Make names that were just made or replaced in a folder survive a crash."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unreadable(path: Path, error: OSError) -> CoordinationError:
    """The error for a file that cannot be read."""
    return CoordinationError(f"{path} cannot be read", error.strerror or str(error))


def unwritable(path: Path, error: OSError) -> CoordinationError:
    """The error for a file that cannot be written."""
    hint = "manager.state_dir and manager.run_dir must be writable and have room"
    return CoordinationError(f"{path} cannot be written", error.strerror or str(error), hint)


def keeper_of(run_dir: Path) -> Callable[[str, str], None]:
    """What writes the last status of a cluster where this host's people and programs find it."""

    def keep(cluster: str, document: str) -> None:
        replace_file(run_dir / cluster / "status.json", document.encode())

    return keep


def kept_in(run_dir: Path) -> Callable[[str], dict[str, object] | None]:
    """What reads that status back; None where there is none, or nothing that can be understood."""

    def kept(cluster: str) -> dict[str, object] | None:
        with contextlib.suppress(CoordinationError, ValueError):
            told = json.loads(read_file(run_dir / cluster / "status.json") or b"null")
            return told if isinstance(told, dict) else None
        return None

    return kept
