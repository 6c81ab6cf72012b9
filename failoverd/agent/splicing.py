"""Putting delta files beside a server's relay log, for a channel of their own."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from failoverd.agent import folders
from failoverd.agent.binlog.delta import DeltaReader
from failoverd.agent.faults import BAD_REQUEST, BUSY, NOT_FOUND, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from failoverd.agent.binlog.places import LogPlace
    from failoverd.agent.deadline import Deadline
    from failoverd.agent.folders import Folder

_SUFFIX = re.compile(r"fo_[a-z0-9_]{1,32}")


def suffix(value: Any) -> str:
    """Check a channel's name: fo_ and letters, digits, underscores; what failoverd does not own it never touches."""
    if not isinstance(value, str) or not _SUFFIX.fullmatch(value):
        raise ValueError("a name like fo_recover is expected")
    return value


@dataclass(frozen=True)
class Spliced:
    """The names that mysqld gives the relay log files and the index of a channel."""

    place: LogPlace
    channel: str

    @property
    def index(self) -> str:
        """The channel's index file: the default channel's name with -CHANNEL before its ending."""
        stem, ending = os.path.splitext(os.path.basename(self.place.index))
        return f"{stem}-{self.channel}{ending}"

    def file(self, number: int) -> str:
        """The name of the channel's relay log file with this number."""
        return f"{os.path.basename(self.place.basename)}-{self.channel}.{number:06d}"

    def owns(self, name: str) -> bool:
        """Whether a name is exactly one of this channel's."""
        prefix = re.escape(f"{os.path.basename(self.place.basename)}-{self.channel}")
        return name == self.index or re.fullmatch(rf"{prefix}\.[0-9]{{6,}}", name) is not None


def clean(spliced: Spliced, uuid: str) -> dict[str, Any]:
    """Remove the channel's files; gives {"removed": names}."""
    removed: list[str] = []
    for path in sorted({spliced.place.folder, os.path.dirname(spliced.place.index)}):
        with folders.opened(path, spliced.place.datadir, uuid) as folder:
            for name in filter(spliced.owns, folder.names()):
                folder.remove(name)
                removed.append(name)
            os.fsync(folder.fd)
    return {"removed": removed}


def move(aside: Spliced, spliced: Spliced, uuid: str) -> dict[str, Any]:
    """Give the files of one channel to another one, in their order; gives {"files": names}.

    Fault BUSY when the other has files already, NOT_FOUND when there is nothing to give.
    """
    with _both(spliced, uuid) as (folder, index_folder):
        files = sorted(name for name in folder.names() if aside.owns(name) and name != aside.index)
        if not files:
            raise Fault(NOT_FOUND, f"no file of {aside.channel} lies there", folder.path)
        if index_folder.file_size(aside.index) is not None:
            index_folder.remove(aside.index)
        writer = _Writer(spliced, folder)
        for name in files:
            writer.names.append(spliced.file(len(writer.names) + 1))
            folder.rename(name, writer.names[-1])
        writer.write_index(index_folder)
        os.fsync(folder.fd)
        os.fsync(index_folder.fd)
        return {"files": writer.names}


@contextlib.contextmanager
def _both(spliced: Spliced, uuid: str) -> Iterator[tuple[Folder, Folder]]:
    """The folders of a channel's files and of its index; Fault BUSY when files of the channel exist already."""
    with (
        folders.opened(spliced.place.folder, spliced.place.datadir, uuid) as folder,
        folders.opened(os.path.dirname(spliced.place.index), spliced.place.datadir, uuid) as index_folder,
    ):
        taken = [name for one in (folder, index_folder) for name in one.names() if spliced.owns(name)]
        if taken:
            hint = "end the channel on the server first (RESET REPLICA ALL FOR CHANNEL), then replace"
            raise Fault(BUSY, f"relay log files of channel {spliced.channel} exist already", taken[0], hint)
        yield folder, index_folder


def put(
    spliced: Spliced, uuid: str, frames: Iterable[bytes], deadline: Deadline, progress: Callable[[int], None]
) -> dict[str, Any]:
    """Write the stream's delta files and an index with absolute paths; nothing is left behind on failure.

    Gives {"files": names, "bytes"}. Fault BUSY when files of the channel exist already. What was written is not forced
    to the disk: these are copies, and after a crash of the host they are laid out anew.
    """
    with _both(spliced, uuid) as (folder, index_folder):
        writer = _Writer(spliced, folder)
        try:
            writer.write_all(frames, deadline, progress)
            writer.write_index(index_folder)
        except BaseException:
            writer.undo()
            raise
        os.fsync(folder.fd)
        os.fsync(index_folder.fd)
        return {"files": writer.names, "bytes": writer.bytes}


class _Writer:
    """Writes one upload."""

    def __init__(self, spliced: Spliced, folder: Folder) -> None:
        self._spliced = spliced
        self._folder = folder
        self._fd: int | None = None
        self.names: list[str] = []
        self.bytes = 0

    def write_all(self, frames: Iterable[bytes], deadline: Deadline, progress: Callable[[int], None]) -> None:
        """Take the frames of the stream to its end."""
        reader = DeltaReader()
        for frame in frames:
            deadline.check()
            for new_file, data in reader.feed(frame):
                self._piece(new_file, data)
            progress(self.bytes)
        reader.finish()
        self._close()
        if not self.names:
            raise Fault(BAD_REQUEST, "the upload holds no file")

    def write_index(self, folder: Folder) -> None:
        """Write the index last: without it mysqld does not know the files."""
        lines = "".join(f"{os.path.join(self._folder.path, name)}\n" for name in self.names)
        with open(folder.create(self._spliced.index), "wb") as stream:
            stream.write(os.fsencode(lines))
            stream.flush()
            os.fsync(stream.fileno())

    def undo(self) -> None:
        """Remove what was written."""
        self._close()
        for name in self.names:
            with contextlib.suppress(OSError):
                self._folder.remove(name)

    def _piece(self, new_file: bool, data: bytes) -> None:
        if new_file:
            self._close()
            name = self._spliced.file(len(self.names) + 1)
            self._fd = self._folder.create(name)
            self.names.append(name)
        view = memoryview(data)
        while view and self._fd is not None:
            view = view[os.write(self._fd, view) :]
        self.bytes += len(data)

    def _close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
