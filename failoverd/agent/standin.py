"""Standing in for a supervisor: once, a mysqld that ends by itself after a clone is started again as it was started.

Nothing of it comes from outside: program, words, environment, folder and account are those of the process that runs
on the data directory when it is asked for. It waits in a process of its own, which outlives the manager's connection.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from failoverd.agent import processes
from failoverd.agent.deadline import Deadline
from failoverd.agent.faults import NOT_FOUND, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

# A clone of a large server takes hours; whoever ends later is not started (seconds).
LONGEST = 86400
# A supervisor starts it again within this, and is left to it (seconds).
_SUPERVISED = 3.0
_LOOK = 0.2
# What a clone leaves for the next start to put in place: without it a person has ended this mysqld, and it stays so.
_COPIED = "mysql.ibd.#clone"
_UNIT = re.compile(r"/([\w@.:-]+\.service)$")


@dataclass(frozen=True)
class Started:
    """How a process was started, and where its output goes."""

    program: str
    words: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str
    user: int
    group: int
    groups: tuple[int, ...]
    output: str
    unit: str
    umask: int
    files: tuple[int, int]


def begin(datadir: str, server_uuid: str, mark: str) -> int:
    """Start waiting for the end of the one mysqld on a data directory; the pid of who waits.

    Fault NOT_FOUND where there is none, or more than one, or it belongs to another server.
    """
    if processes.server_uuid(datadir) != server_uuid:
        raise Fault(NOT_FOUND, "the data directory belongs to another server", datadir)
    found = [one.pid for one in processes.look(datadir) if one.proven]
    if len(found) != 1:
        raise Fault(NOT_FOUND, "there is no single mysqld to wait for", datadir)
    words = [datadir, server_uuid, mark, str(found[0]), str(processes.started(found[0]))]
    command = [sys.executable, "-I", "-S", os.path.abspath(sys.argv[0]), "stand-in", *words]
    nothing = subprocess.DEVNULL
    child = subprocess.Popen(
        command, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing, start_new_session=True, cwd="/"
    )
    ready = child.stdout.read(1) if child.stdout is not None else b""
    if ready != b"r":
        raise Fault(NOT_FOUND, "the mysqld could not be waited for", f"process {found[0]}")
    return child.pid


def run(words: list[str]) -> None:
    """Wait; then start it where a copy waits for that, unless somebody else does or a fence has left its mark."""
    datadir, server_uuid, mark, number, since = words
    pid = int(number)
    doomed = processes.Doomed(pid)
    if processes.started(pid) != int(since):
        raise SystemExit(1)
    how = as_it_runs(pid)
    os.write(1, b"r")
    os.close(1)
    copied = os.path.join(datadir, _COPIED)
    if doomed.gone(LONGEST) and os.path.exists(copied) and alone(datadir) and not os.path.exists(mark):
        with contextlib.suppress(Fault):
            if processes.server_uuid(datadir) == server_uuid:
                start(how)


def alone(datadir: str) -> bool:
    """Whether nobody starts a mysqld there for as long as a supervisor would need."""
    deadline = Deadline(_SUPERVISED)
    while deadline.left() > _LOOK:
        if processes.look(datadir):
            return False
        deadline.pause(_LOOK)
    return not processes.look(datadir)


def as_it_runs(pid: int) -> Started:
    """How this process was started, as the kernel tells it."""
    folder = f"/proc/{pid}"
    with open(f"{folder}/environ", "rb") as stream:
        pairs = [os.fsdecode(one).partition("=") for one in stream.read().split(b"\0") if one]
    with open(f"{folder}/status", encoding="ascii", errors="replace") as stream:
        status = dict(line.split(":", 1) for line in stream if ":" in line)
    output = "/dev/null"
    with contextlib.suppress(OSError):
        output = os.readlink(f"{folder}/fd/1")
    return Started(
        program=os.readlink(f"{folder}/exe"),
        words=tuple(os.fsdecode(word) for word in processes.argv_of(pid) or []),
        environment={name: value for name, _, value in pairs},
        folder=os.readlink(f"{folder}/cwd"),
        user=int(status["Uid"].split()[1]),
        group=int(status["Gid"].split()[1]),
        groups=tuple(int(one) for one in status["Groups"].split()),
        output=output if os.path.isfile(output) else "/dev/null",
        unit=unit_of(pid),
        umask=int(status["Umask"], 8),
        files=open_files(pid),
    )


def open_files(pid: int) -> tuple[int, int]:
    """How many files it may have open, and how many it could ask for: a large server needs more than is usual."""
    with open(f"/proc/{pid}/limits", encoding="ascii") as stream:
        words = next(line for line in stream if line.startswith("Max open files")).split()
    soft, hard = (resource.RLIM_INFINITY if word == "unlimited" else int(word) for word in words[3:5])
    return soft, hard


def unit_of(pid: int) -> str:
    """The systemd unit in which it runs, "" where it runs in none."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cgroup", encoding="ascii") as stream:
        for line in stream:
            found = _UNIT.search(line.strip())
            if found and os.path.isdir("/run/systemd/system"):
                return found.group(1)
    return ""


def start(how: Started) -> None:
    """Start it the same way: by its unit where it has one, else by becoming the process that it was."""
    if how.unit:
        command = ["systemctl", "start", "--no-block", how.unit]
        subprocess.run(command, check=False, stdin=subprocess.DEVNULL, timeout=60)
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, how.files)
    if os.geteuid() == 0:
        os.setgroups(list(how.groups))
        os.setgid(how.group)
        os.setuid(how.user)
    os.umask(how.umask)
    os.chdir(how.folder)
    speak_into(how.output)
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    os.execve(how.program, how.words, dict(how.environment))


def speak_into(output: str) -> None:
    """Send what is said to the file it went to; what cannot be opened is done without.

    Only for who runs as that account already: the account chose the file's name, and for root it would open any file.
    """
    with contextlib.suppress(OSError):
        line = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOCTTY, 0o640)
        os.dup2(line, 1)
        os.dup2(line, 2)
        os.close(line)
