"""Keeping log files: hard links beside them, which cost nothing and survive whatever mysqld deletes."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

from failoverd.agent import fields, folders
from failoverd.agent.binlog.places import KEPT
from failoverd.agent.faults import NOT_FOUND, Fault
from failoverd.agent.fields import Field
from failoverd.agent.folders import Folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from failoverd.agent.binlog.places import LogPlace

_LARGEST_INDEX = 16 * 1024 * 1024
LIMITS = {"most_files": Field(fields.whole(0, 2**31), 0), "most_bytes": Field(fields.whole(0, 2**50), 0)}


def keep(
    places: Iterable[LogPlace], uuid: str, operation: str, most_files: int = 0, most_bytes: int = 0
) -> dict[str, Any]:
    """Link every file of the logs into a folder named after the operation; doing it again adds what is new.

    With limits (0: none) the newest files of each log, of which the last one that fits in begins within them. An index
    is copied, because mysqld rewrites it in place. Gives {"files", "bytes"} of all that is kept.
    """
    totals = {"files": 0, "bytes": 0}
    for place in places:
        with (
            folders.opened(place.folder, place.datadir, uuid) as source,
            source.inner(KEPT, make=True) as all_kept,
            all_kept.inner(operation, make=True) as target,
        ):
            for name in _newest(source, folders.log_names(source, place), most_files, most_bytes):
                _link(source, target, name)
                totals["files"] += 1
                totals["bytes"] += source.file_size(name) or 0
            _copy_index(place.index, target)
            os.fsync(target.fd)
    return totals


def _newest(source: Folder, names: list[str], most_files: int, most_bytes: int) -> list[str]:
    """The end of a list of files, oldest first, within limits; the newest one whatever its size."""
    chosen: list[str] = []
    left = most_bytes
    for name in reversed(names):
        if (most_files and len(chosen) == most_files) or (most_bytes and left <= 0):
            break
        chosen.append(name)
        left -= source.file_size(name) or 0
    return chosen[::-1]


def let_go(places: Iterable[LogPlace], uuid: str, name: str) -> dict[str, Any]:
    """Remove the links whose cause is over; gives {"files": how many}."""
    removed = 0
    for all_kept in _kept_folders(places, uuid):
        with contextlib.suppress(Fault), all_kept.inner(name, make=False) as target:
            for file in target.names():
                target.remove(file)
                removed += 1
            os.rmdir(name, dir_fd=all_kept.fd)
    return {"files": removed}


def set_aside(places: Iterable[LogPlace], uuid: str, name: str) -> dict[str, Any]:
    """Give links another name, under which nobody takes them for a source any more: {"name"}."""
    aside = f"left-{time.time_ns() // 1_000_000}-{name}"
    for all_kept in _kept_folders(places, uuid):
        with contextlib.suppress(FileNotFoundError):
            os.rename(name, aside, src_dir_fd=all_kept.fd, dst_dir_fd=all_kept.fd)
    return {"name": aside}


def _kept_folders(places: Iterable[LogPlace], uuid: str) -> Iterator[Folder]:
    """The folder of all links of each log that has one."""
    for path, place in {place.folder: place for place in places}.items():
        with (
            contextlib.suppress(Fault),
            folders.opened(path, place.datadir, uuid) as source,
            source.inner(KEPT, make=False) as all_kept,
        ):
            yield all_kept


def kept(places: Iterable[LogPlace], uuid: str) -> dict[str, Any]:
    """List what is kept: {"operations": [{"operation", "files", "bytes"}]}, by name."""
    found: dict[str, dict[str, Any]] = {}
    for path, place in {place.folder: place for place in places}.items():
        with contextlib.suppress(Fault), folders.opened(path, place.datadir, uuid) as source:
            _list_kept(source, found)
    return {"operations": [found[name] for name in sorted(found)]}


def _list_kept(source: Folder, found: dict[str, dict[str, Any]]) -> None:
    with source.inner(KEPT, make=False) as all_kept:
        for name in all_kept.names():
            with all_kept.inner(name, make=False) as target:
                sizes = [target.file_size(one) or 0 for one in target.names()]
                entry = found.setdefault(name, {"operation": name, "files": 0, "bytes": 0})
                entry["files"] += len(sizes)
                entry["bytes"] += sum(sizes)


def _link(source: Folder, target: Folder, name: str) -> None:
    if source.file_size(name) is None:
        raise Fault(NOT_FOUND, f"{name} is no regular file", source.path)
    with contextlib.suppress(FileExistsError):
        os.link(name, name, src_dir_fd=source.fd, dst_dir_fd=target.fd, follow_symlinks=False)


def _copy_index(index: str, target: Folder) -> None:
    name = os.path.basename(index)
    try:
        fd = os.open(index, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    with open(fd, "rb") as stream:
        content = stream.read(_LARGEST_INDEX)
    if target.file_size(name) is not None:
        target.remove(name)
    with open(target.create(name), "wb") as stream:
        stream.write(content)
