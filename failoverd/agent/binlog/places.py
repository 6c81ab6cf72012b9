"""Which files belong to a server's binary or relay log, in their order."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

KEPT = "#failoverd_kept"
"""The folder beside the logs that holds, by operation, hard links of files that mysqld may delete."""

_NUMBER = re.compile(r"\.([0-9]{6,})")
_LARGEST_INDEX = 16 * 1024 * 1024


@dataclass(frozen=True)
class LogPlace:
    """Where the files of one log are: `basename` is the absolute path without its number, `index` the index file.

    `datadir` is what relative paths in an index are relative to (mysqld's own working directory).
    """

    basename: str
    index: str
    datadir: str

    @property
    def folder(self) -> str:
        """The directory that holds the files."""
        return os.path.dirname(self.basename)

    def number_of(self, name: str) -> int | None:
        """The number of a file name of this log, None for any other name (of another channel, or an index)."""
        prefix = os.path.basename(self.basename)
        found = _NUMBER.fullmatch(name[len(prefix) :]) if name.startswith(prefix) else None
        return int(found.group(1)) if found else None

    def files(self) -> list[str]:
        """Absolute paths, oldest first: what lies in the folder, and what the index names elsewhere.

        The folder counts, not the index alone: a relay log may lie there that an emptied index no longer names, and
        its transactions may be nowhere else. A file that the index names but that is gone was purged.
        """
        numbered: dict[int, str] = {}
        for path in self.indexed():
            number = self.number_of(os.path.basename(path))
            if number is not None and os.path.isfile(path):
                numbered[number] = path
        for name in os.listdir(self.folder):
            number = self.number_of(name)
            if number is not None:
                numbered.setdefault(number, os.path.join(self.folder, name))
        return [numbered[number] for number in sorted(numbered)]

    def kept(self, operation: str) -> list[str]:
        """Absolute paths, oldest first, of what was linked for one operation; none when nothing was."""
        folder = os.path.join(self.folder, KEPT, operation)
        try:
            numbered = [(self.number_of(name), name) for name in os.listdir(folder)]
        except FileNotFoundError:
            return []
        return [os.path.join(folder, name) for _, name in sorted((n, name) for n, name in numbered if n is not None)]

    def only_kept(self, operations: Iterable[str]) -> list[str]:
        """What was linked for these operations and is nowhere else, each file once: a link is the same file."""
        seen = {_inode(path) for path in self.files()}
        found = []
        for path in (path for name in operations for path in self.kept(name)):
            inode = _inode(path)
            if inode not in seen:
                seen.add(inode)
                found.append(path)
        return found

    def indexed(self) -> list[str]:
        """The paths that the index file names, absolute; none when there is no index file."""
        try:
            with open(self.index, "rb") as stream:
                lines = stream.read(_LARGEST_INDEX).splitlines()
        except FileNotFoundError:
            return []
        named = (os.fsdecode(line.strip()) for line in lines if line.strip())
        return [os.path.normpath(os.path.join(self.datadir, name)) for name in named]


def _inode(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return -1, -1
    return status.st_dev, status.st_ino
