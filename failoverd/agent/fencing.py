"""Fencing: mark, keep, hold the restart, kill, prove; and the way back."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from failoverd.agent import addresses, guard, processes
from failoverd.agent.deadline import Deadline
from failoverd.agent.faults import DOOR, NOT_FOUND, STALE_EPOCH, Fault
from failoverd.agent.home import sync_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from failoverd.agent.doorway import Doorway
    from failoverd.agent.home import Home, Server

_NOTHING_KEPT = {"files": 0, "bytes": 0}
_SETTLE = 0.05
_MASK = "systemd:"


@dataclass(frozen=True)
class Order:
    """What is asked: fence this server of this cluster, hold its restart in this way, under this epoch."""

    cluster: str
    server: Server
    uuid: str
    hold: str
    operation: str
    epoch: int
    vip: Mapping[str, Any] | None = None


def fence(home: Home, doorway: Doorway, order: Order, deadline: Deadline) -> dict[str, Any]:
    """Fence a server; `proven` only if every mysqld of it is gone (or dying in the kernel) and none can come back.

    The durable mark comes first, so that a later agent goes on holding what this one began; log files are linked
    before the kill, because nothing that follows may cost them. Fault when auto.cnf names another server.
    """
    datadir = order.server.datadir
    if processes.server_uuid(datadir) != order.uuid:
        raise Fault(NOT_FOUND, "the data directory belongs to another server", f"{datadir} is not of {order.uuid}")
    # what cannot be shown in time is answered as not proven, not left to the alarm
    inner = Deadline(deadline.left() * 0.9)
    mark_path = home.mark_path(order.cluster, order.server.name)
    mark: dict[str, Any] = {
        "cluster": order.cluster,
        "server": order.server.name,
        "datadir": datadir,
        "server_uuid": order.uuid,
        "hold": order.hold,
        "unit": order.hold.partition(":")[2],
        "operation": order.operation,
        "epoch": order.epoch,
        "since": round(time.time(), 3),
        "boot": processes.boot(),
        "guard": (home.load(mark_path) or {}).get("guard", 0),
        "vip": order.vip,
        "proven": False,
    }
    home.save(mark_path, mark)
    kept = _keep(doorway, order, inner)
    # the guard may kill before we do: what lived until now and does not afterwards counts as killed, too
    lived = _living(doorway, datadir, inner)
    held = _hold(doorway, mark, mark_path, inner)
    mark["guard"] = held.get("pid", mark["guard"])
    mark["hold"] = held["how"]
    home.save(mark_path, mark)
    killed = _kill(doorway, datadir, order.uuid, inner)
    address = drop_address(doorway, mark, inner)
    left = _left(doorway, datadir, killed["pending"], inner)
    mark["proven"] = bool(held["ok"]) and not left
    home.save(mark_path, mark)
    return {
        "killed": sorted({*lived, *killed["gone"], *killed["pending"]} - set(left)),
        "pending": killed["pending"],
        "left": left,
        "proven": mark["proven"],
        "hold": held,
        "keep": kept,
        "address": address,
    }


def drop_address(doorway: Doorway, mark: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
    """Take the virtual address of a mark away from here; a failure is told: the dead server serves nobody by it."""
    if not mark.get("vip"):
        return {"left": False, "problem": ""}
    try:
        if mark["vip"]["address"] not in addresses.held():
            return {"left": False, "problem": ""}
        return {**doorway.call("leave_address", mark["vip"], deadline), "problem": ""}
    except (Fault, OSError) as error:
        return {"left": False, "problem": str(error)}


def _keep(doorway: Doorway, order: Order, deadline: Deadline) -> dict[str, Any]:
    """Link the log files; a failure is told, and stops nothing: two writers are worse than a log not linked."""
    args = {**door_args(order.server, order.uuid), "operation": order.operation}
    try:
        return {**doorway.call("keep", args, deadline), "problem": ""}
    except (Fault, OSError) as error:
        return {**_NOTHING_KEPT, "problem": str(error)}


def _hold(doorway: Doorway, mark: dict[str, Any], mark_path: str, deadline: Deadline) -> dict[str, Any]:
    """Keep mysqld from coming back; {"how", "ok", "problem"} and the guard's "pid". The guard stands in for a mask that
    does not count.
    """
    how, problem = str(mark["hold"]), ""
    target = {"datadir": mark["datadir"], "server_uuid": mark["server_uuid"]}
    try:
        if how.startswith(_MASK):
            try:
                doorway.call("hold_unit", {**target, "unit": mark["unit"]}, deadline)
            except (Fault, OSError) as error:
                how, problem = "guard", str(error)
        if how != "guard":
            return {"how": how, "ok": True, "problem": problem}
        pid = mark["guard"]
        if not guard.is_running(pid, mark_path):
            pid = doorway.call("start_guard", {**target, "mark": mark_path}, deadline)["pid"]
    except (Fault, OSError) as error:
        return {"how": how, "ok": False, "problem": f"{problem}; {error}" if problem else str(error)}
    return {"how": how, "ok": True, "problem": problem, "pid": pid}


def _kill(doorway: Doorway, datadir: str, uuid: str, deadline: Deadline) -> dict[str, Any]:
    """Kill, and once more if somebody slipped in between."""
    target = {"datadir": datadir, "server_uuid": uuid}
    killed: dict[str, Any] = {"gone": [], "pending": [], "alive": []}
    for _ in range(2):
        again = doorway.call("kill", target, deadline)
        if not any(again.values()):
            break
        killed = {key: [*killed[key], *again[key]] for key in killed}
    return killed


def _living(doorway: Doorway, datadir: str, deadline: Deadline) -> list[int]:
    return [one["pid"] for one in doorway.call("look", {"datadir": datadir}, deadline)["processes"]]


def _left(doorway: Doorway, datadir: str, pending: list[int], deadline: Deadline) -> list[int]:
    """Look once more: pids that are still there, without those that only wait for the kernel to let them go.

    A newcomer that the guard has already killed may still be visible for a moment.
    """
    while True:
        left = [pid for pid in _living(doorway, datadir, deadline) if pid not in pending]
        if not left or deadline.left() <= _SETTLE:
            return left
        with contextlib.suppress(Fault):
            deadline.pause(_SETTLE / 5)


def release(home: Home, doorway: Doorway, cluster: str, server: str, epoch: int, deadline: Deadline) -> dict[str, Any]:
    """Let a fenced server come back: mask or guard away, mark away; {"released": whether there was a mark}.

    Where systemd would have started its unit again, had it not been held, it is started: "started" tells of that.
    Fault STALE_EPOCH when the mark is of a higher epoch.
    """
    path = home.mark_path(cluster, server)
    mark = home.load(path)
    if mark is None:
        return {"released": False}
    if epoch < int(mark.get("epoch", 0)):
        raise Fault(STALE_EPOCH, f"epoch {epoch} is over", f"server {server} was fenced in epoch {mark['epoch']}")
    unit = mark.get("unit", str(mark["hold"]).partition(":")[2])
    target = {"datadir": mark["datadir"], "server_uuid": mark["server_uuid"], "unit": unit}
    if unit:  # an earlier fence may have masked it, although this mark's hold is the guard
        doorway.call("release_unit", target, deadline)
    os.unlink(path)
    sync_folder(home.state)
    pid = mark.get("guard")
    if isinstance(pid, int) and pid > 1:
        args = {"pid": pid, "mark": path, "datadir": mark["datadir"]}
        if not doorway.call("stop_guard", args, deadline)["ended"]:
            raise Fault(DOOR, "the guard did not end", f"process {pid}")
    return {"released": True, **(doorway.call("restart_unit", target, deadline) if unit else {})}


def resume_guards(home: Home, doorway: Doorway) -> None:
    """Start the guards again that marks ask for and that are gone; a mark that cannot be served stays for the next.

    A mark from before the host's last boot asks for nothing: mysqld may have been started on purpose since then.
    """
    for path, mark in home.marks():
        drop_address(doorway, mark, Deadline(5.0))
        pid = mark.get("guard")
        wanted = mark.get("hold") == "guard" and mark.get("boot") == processes.boot()
        if not wanted or (isinstance(pid, int) and guard.is_running(pid, path)):
            continue
        with contextlib.suppress(Fault, OSError, KeyError):
            held = _hold(doorway, mark, path, Deadline(10.0))
            if held["ok"] and os.path.exists(path):
                home.save(path, {**mark, "guard": held["pid"]})


def door_args(server: Server, uuid: str) -> dict[str, Any]:
    """Name a server's data directory and logs to the door."""
    places = [place for place in (server.binary, server.relay) if place is not None]
    logs = [{"basename": place.basename, "index": place.index} for place in places]
    return {"datadir": server.datadir, "server_uuid": uuid, "logs": logs}
