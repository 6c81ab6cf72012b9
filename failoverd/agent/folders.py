"""Working in a log's folder with more rights than one's own: never through a path that somebody else can bend.

The folder is opened once and everything happens relative to that descriptor, without following links. It must belong
to the account that owns the data directory, whose auto.cnf must name the expected server.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from failoverd.agent.faults import BUSY, DOOR, NOT_FOUND, Fault
from failoverd.agent.processes import server_uuid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from failoverd.agent.binlog.places import LogPlace

_PLAIN = re.compile(r"[\w@.#-]+")


@dataclass(frozen=True)
class Folder:
    """An open folder that belongs to mysqld's account (`uid`, `gid`)."""

    path: str
    fd: int
    uid: int
    gid: int

    def names(self) -> list[str]:
        """The plain names in it, sorted."""
        return sorted(name for name in os.listdir(self.fd) if _PLAIN.fullmatch(name))

    def file_size(self, name: str) -> int | None:
        """A regular file's size; None for anything else."""
        try:
            status = os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def create(self, name: str) -> int:
        """Make a new file of mysqld's account, and give its descriptor; Fault BUSY when the name is taken."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(name, flags, 0o640, dir_fd=self.fd)
        except FileExistsError as error:
            raise Fault(BUSY, f"file {name} exists already", self.path) from error
        os.fchown(fd, self.uid, self.gid)
        return fd

    def remove(self, name: str) -> None:
        """Remove a file."""
        os.unlink(name, dir_fd=self.fd)

    def rename(self, name: str, new: str) -> None:
        """Give a file another name; Fault BUSY when that is taken."""
        if self.file_size(new) is not None:
            raise Fault(BUSY, f"file {new} exists already", self.path)
        os.rename(name, new, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    @contextlib.contextmanager
    def inner(self, name: str, make: bool) -> Iterator[Folder]:
        """Open a folder inside, made if asked; Fault NOT_FOUND when it does not exist."""
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o750, dir_fd=self.fd)
        try:
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.fd)
        except FileNotFoundError as error:
            raise Fault(NOT_FOUND, f"folder {name} does not exist", self.path) from error
        try:
            if make and os.fstat(fd).st_uid != self.uid:
                os.fchown(fd, self.uid, self.gid)
            yield Folder(os.path.join(self.path, name), fd, self.uid, self.gid)
        finally:
            os.close(fd)


@contextlib.contextmanager
def opened(path: str, datadir: str, expected_uuid: str) -> Iterator[Folder]:
    """Open a log's folder for work; Fault when it, or the data directory, is not the expected server's."""
    if server_uuid(datadir) != expected_uuid:
        raise Fault(NOT_FOUND, "the data directory belongs to another server", f"{datadir} is not of {expected_uuid}")
    owner = os.stat(datadir)
    fd = os.open(os.path.realpath(path), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(fd).st_uid != owner.st_uid:
            raise Fault(DOOR, "the log's folder belongs to another account than the data directory", path)
        yield Folder(os.path.realpath(path), fd, owner.st_uid, owner.st_gid)
    finally:
        os.close(fd)


def log_names(folder: Folder, place: LogPlace) -> list[str]:
    """The log's own files in its folder, oldest first, without the index."""
    numbered = [(place.number_of(name), name) for name in folder.names()]
    return [name for number, name in sorted((number, name) for number, name in numbered if number is not None)]
