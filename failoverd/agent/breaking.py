"""Faults of a drill, each with a dead man's timer: whoever began it may die, and it ends all the same.

A process of its own does the fault and undoes it: when its time is over, or when its mark is taken away. Should that
process be killed too, the next agent that starts here undoes what the mark names.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from failoverd.agent import processes
from failoverd.agent.deadline import Deadline
from failoverd.agent.faults import DOOR, NOT_FOUND, TIMEOUT, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 600
"""Seconds that any fault of a drill may last."""

KINDS = ("kill", "freeze", "cut")
_TABLE = "failoverd_drill"
_READY = b"r"
_EVERY = 0.05
_TOOL_TIME = 5.0
_STOP_TIME = 2.0
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


def now() -> float:
    """Seconds since the host's boot, suspends too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def start(args: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
    """Start the process that does the fault and undoes it; returns when the fault is done, with its pid."""
    if not os.path.isfile(args["mark"]):
        raise Fault(NOT_FOUND, "there is no mark of the fault", args["mark"])
    words = [str(args[key]) for key in ("fault", "datadir", "server_uuid", "mark", "port")]
    command = [sys.executable, "-I", "-S", os.path.abspath(sys.argv[0]), "broken", *words, str(args["seconds"])]
    nothing = subprocess.DEVNULL
    child = subprocess.Popen(
        command, stdin=nothing, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, cwd="/"
    )
    said, complaint = _first_words(child, deadline)
    if said != _READY:
        raise Fault(DOOR, f"the fault {args['fault']} was not done", complaint)
    threading.Thread(target=child.wait, daemon=True).start()
    return {"pid": child.pid}


def _first_words(child: subprocess.Popen[bytes], deadline: Deadline) -> tuple[bytes, str]:
    """The byte that says that it is done, or why it is not; a process that is late is ended, and undoes what it did."""
    if child.stdout is None or child.stderr is None:
        return b"", "no pipes"
    os.set_blocking(child.stdout.fileno(), False)
    while deadline.left():
        said = child.stdout.read(1)
        if said:
            return said, ""
        if child.poll() is not None:
            return b"", child.stderr.read().decode("utf-8", "replace").strip()[-500:]
        deadline.pause(0.01)
    child.terminate()
    raise Fault(TIMEOUT, "the fault was not done in time")


def run(words: Iterable[str]) -> None:
    """Be the process: do the fault, wait, undo it. SIGTERM ends it early; says one byte when the fault is done."""
    fault, datadir, server_uuid, mark, port, seconds = words
    ends = now() + min(float(seconds), LONGEST)
    stopped: list[bool] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stopped.append(True))
    if processes.server_uuid(datadir) != server_uuid:
        raise SystemExit("the data directory belongs to another server")
    frozen: list[processes.Doomed] = []
    try:
        frozen = _do(fault, datadir, server_uuid, int(port))
        with contextlib.suppress(OSError):
            os.write(1, _READY)
            os.close(1)
        while not stopped and os.path.exists(mark) and now() < ends:
            time.sleep(_EVERY)
    finally:
        for one in frozen:
            one.kill(signal.SIGCONT)
        undo(fault, datadir)  # the mark is the agent's: this process may remove any file, so it removes none


def _do(fault: str, datadir: str, server_uuid: str, port: int) -> list[processes.Doomed]:
    """Do it; what was stopped, held so that its number cannot come to mean another process."""
    if fault == "cut":
        _nft(_rules(port))
        return []
    if fault == "kill":
        if not processes.kill_all(datadir, server_uuid, Deadline(3.0)).gone:
            raise SystemExit("there was no mysqld to kill")
        return []
    found = [processes.Doomed(one.pid) for one in processes.look(datadir) if one.proven]
    if not found:
        raise SystemExit("there is no mysqld to stop")
    for one in found:
        one.kill(signal.SIGSTOP)
    _await_stop(datadir)
    return found


def _await_stop(datadir: str) -> None:
    """A process stops when it is next to run: whoever takes the fault back must find it stopped."""
    ends = now() + _STOP_TIME
    while any(one.proven and one.state != "T" for one in processes.look(datadir)) and now() < ends:
        time.sleep(0.01)


def undo(fault: str, datadir: str) -> None:
    """Take back what is left of it; a fault that is over already is no error."""
    if fault == "cut":
        with contextlib.suppress(SystemExit):
            _nft(f"add table inet {_TABLE}\ndelete table inet {_TABLE}\n")
    if fault == "freeze":
        for one in processes.look(datadir):
            if one.proven and one.state == "T":
                with contextlib.suppress(OSError):
                    os.kill(one.pid, signal.SIGCONT)


def _rules(port: int) -> str:
    """Nothing of mysqld's port comes in or goes out; SSH, and with it the agent, stays."""
    lines = [f"add table inet {_TABLE}"]
    for chain, hook in (("coming", "input"), ("going", "output")):
        lines.append(f"add chain inet {_TABLE} {chain} {{ type filter hook {hook} priority -300; }}")
        lines += [f"add rule inet {_TABLE} {chain} tcp {end} {port} drop" for end in ("dport", "sport")]
    return "\n".join(lines) + "\n"


def _nft(rules: str) -> None:
    try:
        done = subprocess.run(
            ["nft", "-f", "-"],
            input=rules.encode(),
            capture_output=True,
            timeout=_TOOL_TIME,
            check=False,
            env={"PATH": _PATH},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SystemExit(f"nft cannot be used: {error}") from error
    if done.returncode:
        raise SystemExit(f"nft refused: {done.stderr.decode('utf-8', 'replace')[:300]}")
