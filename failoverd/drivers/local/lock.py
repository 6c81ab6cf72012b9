"""The file lock of one cluster: held by one process of this machine at a time, given back by the kernel when it
dies.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from failoverd.drivers.files import unreadable, unwritable
from failoverd.drivers.identity import Identity
from failoverd.model.errors import LockLost


class LocalLease:
    """The held lock and its epoch. It ends with `give_back`, or when somebody removed or replaced the lock file."""

    def __init__(self, path: Path, descriptor: int, epoch: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._epoch = epoch
        self._why = ""

    @property
    def epoch(self) -> int:
        """Grows with each taking of the lock."""
        return self._epoch

    @property
    def alive(self) -> bool:
        """Whether the lock is still ours."""
        if not self._why:
            self._look()
        return not self._why

    def check(self) -> None:
        """Raise LockLost unless the lock is ours at this moment."""
        if not self.alive:
            raise LockLost(f"the lease of epoch {self._epoch} has ended", self._why)

    def give_back(self, why: str) -> None:
        """End the lease and release the lock; nothing happens the second time."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._why = self._why or why

    def _look(self) -> None:
        try:
            held, there = os.fstat(self._descriptor), self._path.stat()
        except OSError as error:
            self._why = f"the lock file cannot be seen: {error.strerror}"
            return
        if (held.st_dev, held.st_ino) != (there.st_dev, there.st_ino):
            self._why = "the lock file was replaced by another one"


def acquire(path: Path, identity: Identity) -> int | None:
    """Take the lock without waiting; the descriptor that holds it, None where another process has it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        told = {
            "v": 1,
            "manager": identity.name,
            "pid": identity.pid,
            "host": identity.host,
            "version": identity.version,
        }
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(told).encode(), 0)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as error:
        os.close(descriptor)
        raise unwritable(path, error) from error
    return descriptor


def holder(path: Path) -> str | None:
    """The name of the manager whose living process holds the lock, None where nobody does. Raises CoordinationError."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _name(os.pread(descriptor, 4096, 0))
    finally:
        os.close(descriptor)
    return None


def _name(data: bytes) -> str:
    try:
        return str(json.loads(data)["manager"])
    except (ValueError, KeyError, TypeError):
        return "unknown"  # it has just taken the lock and is writing its name
