"""Which mysqld runs on a data directory, by what the kernel says: its lock on ibdata1, and /proc."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from failoverd.agent.faults import NOT_FOUND, Fault

if TYPE_CHECKING:
    from failoverd.agent.deadline import Deadline

_FLOCK = struct.Struct("@hhqqi4x")
_UUID = re.compile(rb"^\s*server[-_]uuid\s*=\s*([0-9A-Fa-f-]{36})\s*$", re.MULTILINE)
_PROGRAMS = frozenset({b"mysqld", b"mysqld-debug", b"mariadbd"})
_LOADER = re.compile(rb"ld[-.].*so.*|ld-linux.*|ld-musl.*")
OUT_OF_SIGHT = 0
_SIGKILL_BIT = 1 << (signal.SIGKILL - 1)


@dataclass(frozen=True)
class Process:
    """A mysqld: its state letter as in /proc/PID/stat, and whether its data directory is proven to be the asked one."""

    pid: int
    state: str
    proven: bool


def server_uuid(datadir: str) -> str:
    """Read the uuid out of auto.cnf; Fault NOT_FOUND when there is none."""
    path = os.path.join(datadir, "auto.cnf")
    try:
        with open(path, "rb") as stream:
            found = _UUID.search(stream.read(65536))
    except OSError as error:
        raise Fault.of_os_error(error, "the data directory's auto.cnf cannot be read") from error
    if not found:
        raise Fault(NOT_FOUND, "auto.cnf names no server_uuid", path)
    return found.group(1).decode("ascii").lower()


def lock_holder(datadir: str) -> int | None:
    """The process that holds InnoDB's lock on ibdata1, None when nobody does or the file does not exist.

    OUT_OF_SIGHT is a holder that lives where we see no processes (another container). A lock of an open file
    description (which the guard uses) has no process and is not reported: mysqld takes the POSIX kind. Asking needs
    read permission only.
    """
    try:
        fd = os.open(os.path.join(datadir, "ibdata1"), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Fault.of_os_error(error, "ibdata1 cannot be opened to ask for its lock") from error
    try:
        answer = fcntl.fcntl(fd, fcntl.F_GETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    finally:
        os.close(fd)
    kind, _, _, _, pid = _FLOCK.unpack(answer)
    return pid if kind != fcntl.F_UNLCK and pid >= OUT_OF_SIGHT else None


def is_mysqld(argv: list[bytes]) -> bool:
    """Whether a command line is mysqld's own, also through a loader; not a shell's or supervisor's that names one."""
    program = os.path.basename(argv[0])
    if program in _PROGRAMS:
        return True
    loaded = bool(_LOADER.fullmatch(program))
    return loaded and any(os.path.basename(word) in _PROGRAMS and b"/" in word for word in argv[1:])


def look(datadir: str) -> list[Process]:
    """Every living mysqld that holds, or may hold, this data directory.

    `proven` is False where neither its command line nor its working directory (which only its owner or root can see)
    tell the data directory. Zombies do not count, unless other threads of theirs still live.
    """
    real = os.path.realpath(datadir)
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            process = _judge(int(name), real)
            if process is not None:
                found[process.pid] = process
    holder = lock_holder(datadir)
    if holder == OUT_OF_SIGHT:
        # it lives, and cannot be killed from here
        found[OUT_OF_SIGHT] = Process(OUT_OF_SIGHT, "", proven=False)
    elif holder is not None and holder not in found:
        # a dying leader of living threads has no command line any more, but the lock names it
        state = state_of(holder)
        if state is not None and (state == "Z" or is_mysqld(argv_of(holder) or [b""])):
            found[holder] = Process(holder, state, proven=True)
    return sorted(found.values(), key=lambda process: process.pid)


def _judge(pid: int, real: str) -> Process | None:
    argv = argv_of(pid)
    if argv is None or not is_mysqld(argv):
        return None
    told = _datadir_of(pid, argv)
    if told is not None and told != real:
        return None
    state = state_of(pid)
    return None if state is None else Process(pid, state, proven=told is not None)


def argv_of(pid: int) -> list[bytes] | None:
    """A process's command line, None when it has none (any more)."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb", buffering=0) as stream:
            data = stream.read(65536)
    except OSError:
        return None
    return data.rstrip(b"\0").split(b"\0") if data else None


def _datadir_of(pid: int, argv: list[bytes]) -> str | None:
    told = [word.partition(b"=")[2] for word in argv if word.startswith((b"--datadir=", b"--data-dir="))]
    if told:
        return os.path.realpath(os.path.join(f"/proc/{pid}/cwd", os.fsdecode(told[-1])))
    with contextlib.suppress(OSError):
        return os.path.realpath(os.readlink(f"/proc/{pid}/cwd"))
    return None


def state_of(pid: int) -> str | None:
    """A process's state letter; None when it is gone, or a zombie without living threads."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as stream:
            state = stream.read(1024).rpartition(b")")[2].split()[0].decode("ascii")
        alone = state in "ZX" and len(os.listdir(f"/proc/{pid}/task")) <= 1
    except OSError:
        return None
    return None if alone else state


def started(pid: int) -> int:
    """When a process began, in the kernel's ticks since boot: with the pid it names one process; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as stream:
            return int(stream.read(1024).rpartition(b")")[2].split()[19])
    except OSError:
        return 0


def boot() -> str:
    """The id of the host's present boot."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
        return stream.read().strip()


def kill_pending(pid: int) -> bool:
    """Whether SIGKILL was sent and only waits for the process to leave the kernel."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as stream:
            lines = dict(line.split(":", 1) for line in stream if ":" in line)
    except OSError:
        return False
    return any(int(lines.get(name, "0").strip(), 16) & _SIGKILL_BIT for name in ("SigPnd", "ShdPnd"))


class Doomed:
    """A process held by a pidfd, so that its number cannot come to mean another one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._fd = os.pidfd_open(pid)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; a process that is gone already is no error."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._fd, number)

    def gone(self, wait: float) -> bool:
        """Whether all its threads have ended, waiting at most `wait` seconds."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(int(wait * 1000)))

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)


@dataclass(frozen=True)
class Killed:
    """What became of the processes that were sent SIGKILL.

    gone: all threads have ended. pending: the kernel has not let them go yet, but they cannot answer a client any
    more. alive: neither could be shown before the deadline.
    """

    gone: tuple[int, ...] = ()
    pending: tuple[int, ...] = ()
    alive: tuple[int, ...] = ()


def kill_all(datadir: str, expected_uuid: str, deadline: Deadline) -> Killed:
    """SIGKILL every mysqld that is proven to hold this data directory, and wait for the end of each.

    Fault NOT_FOUND, before anything is killed, when auto.cnf names another server.
    """
    if server_uuid(datadir) != expected_uuid:
        raise Fault(NOT_FOUND, "the data directory belongs to another server", f"{datadir} is not of {expected_uuid}")
    ends: dict[str, list[int]] = {"gone": [], "pending": [], "alive": []}
    doomed = [one for process in look(datadir) if process.proven and (one := _take(process.pid, datadir))]
    for one in doomed:
        one.kill()
    for one in doomed:
        ends[_end_of(one, deadline)].append(one.pid)
        one.close()
    return Killed(*(tuple(ends[name]) for name in ("gone", "pending", "alive")))


def _take(pid: int, datadir: str) -> Doomed | None:
    """Open a pidfd and look again: the number may have changed hands in between."""
    try:
        doomed = Doomed(pid)
    except ProcessLookupError:
        return None
    again = _judge(pid, os.path.realpath(datadir))
    if (again is not None and again.proven) or lock_holder(datadir) == pid:
        return doomed
    doomed.close()
    return None


def _end_of(doomed: Doomed, deadline: Deadline) -> str:
    if doomed.gone(min(0.2, deadline.left())):
        return "gone"
    while not doomed.gone(min(0.02, deadline.left())):
        state = state_of(doomed.pid)
        if state == "Z" or (state == "D" and kill_pending(doomed.pid)):
            return "pending"
        if not deadline.left():
            return "alive"
    return "gone"
