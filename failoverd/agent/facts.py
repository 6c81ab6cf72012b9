"""What the host says of a server: is mysqld alive, how did it end, what is fenced, how full is the disk."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, Any

from failoverd.agent import addresses, guard, processes, starting
from failoverd.agent.faults import Fault

if TYPE_CHECKING:
    from failoverd.agent.deadline import Deadline
    from failoverd.agent.doorway import Doorway
    from failoverd.agent.home import Home, Server

_TAIL = 65536
_ORDERLY = re.compile(rb"MY-010910|Shutdown complete")
_BEGUN = re.compile(rb"MY-010116|starting as process|MY-010931|ready for connections")


def mysqld(server: Server, doorway: Doorway, deadline: Deadline) -> dict[str, Any]:
    """Give {"alive", "pids", "state", "how"}: the lock on ibdata1 first, which costs next to nothing, then /proc.

    A mysqld whose data directory this account cannot see is asked of the door; where that is shut too, it counts as
    alive, because a server that may live must never be taken for a dead one.
    """
    with contextlib.suppress(Fault):
        holder = processes.lock_holder(server.datadir)
        if holder == processes.OUT_OF_SIGHT:
            return {"alive": True, "pids": [], "state": "", "how": "lock"}
        state = processes.state_of(holder) if holder is not None else None
        if holder is not None and state is not None and processes.is_mysqld(processes.argv_of(holder) or [b""]):
            return {"alive": True, "pids": [holder], "state": state, "how": "lock"}
    found = processes.look(server.datadir)
    if any(not one.proven for one in found):
        with contextlib.suppress(Fault):
            seen = doorway.call("look", {"datadir": server.datadir}, deadline)["processes"]
            found = [processes.Process(one["pid"], one["state"], one["proven"]) for one in seen]
    if not found:
        return {"alive": False, "pids": [], "state": "", "how": "none"}
    return {"alive": True, "pids": [one.pid for one in found], "state": found[0].state, "how": "process"}


def facts(home: Home, cluster: str, server: Server, doorway: Doorway, deadline: Deadline) -> dict[str, Any]:
    """Everything in one answer."""
    living = mysqld(server, doorway, deadline)
    argv = command_line(home, cluster, server.name, processes.argv_of((*living["pids"], 0)[0]))
    return {
        "mysqld": living,
        "datadir": server.datadir,
        "server_uuid": processes.server_uuid(server.datadir),
        "remembered": dict(server.remembered),
        "disk": disk(server.datadir),
        "fenced": fenced(home, cluster, server.name),
        "addresses": addresses.held(),
        "starts_closed": starting.starts_closed(server.datadir, argv),
        "orderly": not living["alive"] and ended_orderly(server.error_log),
    }


def command_line(home: Home, cluster: str, server: str, living: list[bytes] | None) -> list[bytes] | None:
    """Give the command line of a living mysqld and keep it; of a dead one the last that was seen, None without any.

    A disk that takes nothing silences no evidence: then it is not kept.
    """
    path = home.path(cluster, f"{server}.started.json")
    if living is not None:
        with contextlib.suppress(Fault):
            home.save(path, {"argv": [os.fsdecode(word) for word in living]})
        return living
    kept = home.load(path)
    return [os.fsencode(word) for word in kept["argv"]] if kept else None


def disk(path: str) -> dict[str, Any]:
    """Give bytes free (for ordinary accounts) and in total, and whether the file system is read-only."""
    status = os.statvfs(path)
    return {
        "free": status.f_bavail * status.f_frsize,
        "total": status.f_blocks * status.f_frsize,
        "read_only": bool(status.f_flag & os.ST_RDONLY),
    }


def fenced(home: Home, cluster: str, server: str) -> dict[str, Any] | None:
    """Give the mark of a fenced server, with "guarded" telling whether its guard lives; None when it has no mark."""
    path = home.mark_path(cluster, server)
    mark = home.load(path)
    if mark is None:
        return None
    pid = mark.get("guard")
    return {**mark, "guarded": isinstance(pid, int) and guard.is_running(pid, path)}


def ended_orderly(error_log: str) -> bool:
    """Whether the error log's last lines show a finished shutdown; False also where it cannot be read."""
    if not error_log:
        return False
    try:
        with open(error_log, "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _TAIL))
            tail = stream.read(_TAIL)
    except OSError:
        return False
    ended = max((found.start() for found in _ORDERLY.finditer(tail)), default=-1)
    begun = max((found.start() for found in _BEGUN.finditer(tail)), default=-1)
    return ended > begun
