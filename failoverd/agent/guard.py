"""The guard: a process of its own that keeps a fenced mysqld from coming back, until the mark is taken away.

It takes a write lock on ibdata1 as soon as that is free, which no newcomer's InnoDB gets past, and kills every new
mysqld on the data directory. It belongs to nobody's session and outlives the manager's connection.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import struct
import subprocess
import sys
import threading
import time

from failoverd.agent import addresses, processes
from failoverd.agent.deadline import Deadline
from failoverd.agent.faults import Fault

_FLOCK = struct.Struct("@hhqqi4x")
_PAUSE_WITHOUT_LOCK = 0.02
_PAUSE_WITH_LOCK = 0.05
"""With the lock held a newcomer only waits at InnoDB's door, so killing it is less urgent."""

# A fenced host keeps no virtual address: whoever brings it back there loses it again within this time (seconds).
_ADDRESS_EVERY = 0.25

_READY = b"r"
_START_TIME = 10.0


class Watch:
    """Holds one data directory against newcomers; `step` is called again and again."""

    def __init__(self, datadir: str, server_uuid: str) -> None:
        self._datadir = datadir
        self._server_uuid = server_uuid
        self._fd: int | None = None

    @property
    def locked(self) -> bool:
        """Whether the lock on ibdata1 is ours."""
        return self._fd is not None

    def step(self) -> None:
        """Take the lock if it is free, and kill whoever came; nothing that goes wrong ends the watch."""
        with contextlib.suppress(OSError, Fault):
            self._lock()
        with contextlib.suppress(OSError, Fault):
            processes.kill_all(self._datadir, self._server_uuid, Deadline(0.001))
        with contextlib.suppress(OSError, Fault):
            self._lock()

    def pause(self) -> float:
        """Seconds until the next step."""
        return _PAUSE_WITH_LOCK if self.locked else _PAUSE_WITHOUT_LOCK

    def let_go(self) -> None:
        """Give the lock back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _lock(self) -> None:
        if self._fd is not None:
            return
        fd = os.open(os.path.join(self._datadir, "ibdata1"), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            # a lock of the open file: asking for others' locks elsewhere in this process cannot lose it
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        except OSError:
            os.close(fd)
            raise
        self._fd = fd


def run(datadir: str, server_uuid: str, mark: str) -> None:
    """Be the guard until the mark is gone; says one byte on standard output after the first step."""
    watch = Watch(datadir, server_uuid)
    watch.step()
    with contextlib.suppress(OSError):
        os.write(1, _READY)
        os.close(1)
    looked = float("-inf")
    while os.path.exists(mark):
        began = time.monotonic()
        watch.step()
        if began - looked > _ADDRESS_EVERY:
            looked = began
            shed_address(mark)
        # on a host with very many processes a look takes long: never more than a tenth of one processor
        time.sleep(max(watch.pause(), 9 * (time.monotonic() - began)))


def shed_address(mark: str) -> None:
    """Take the virtual address that the mark names away, where something has brought it back here."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, Fault), open(mark, "rb") as stream:
        args = json.loads(stream.read()).get("vip")
        if args and args["address"] in addresses.held():
            addresses.leave(args, Deadline(2.0))


def start(datadir: str, server_uuid: str, mark: str) -> int:
    """Start a guard and watch in its place until it is ready; give its pid at once."""
    command = [sys.executable, "-I", "-S", os.path.abspath(sys.argv[0]), "guard", datadir, server_uuid, mark]
    nothing = subprocess.DEVNULL
    child = subprocess.Popen(
        command, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing, start_new_session=True, cwd="/"
    )
    threading.Thread(target=_stand_in, args=(child, Watch(datadir, server_uuid)), daemon=True).start()
    return child.pid


def _stand_in(child: subprocess.Popen[bytes], watch: Watch) -> None:
    """Watch until the guard says that it does; then reap it, whenever it ends."""
    ready = threading.Event()

    def wait_ready() -> None:
        if child.stdout is not None and child.stdout.read(1) == _READY:
            ready.set()
        child.wait()

    threading.Thread(target=wait_ready, daemon=True).start()
    deadline = Deadline(_START_TIME)
    watch.step()
    while deadline.left() and not ready.wait(watch.pause()):
        watch.step()
    watch.let_go()


def is_running(pid: int, mark: str) -> bool:
    """Whether this pid is a guard that watches for this mark."""
    words = processes.argv_of(pid) or []
    return b"guard" in words and os.fsencode(mark) in words
