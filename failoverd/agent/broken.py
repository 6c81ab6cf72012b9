"""The marks of faults of a drill: what is under way on which server, and the second timer for what outlived its own."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import TYPE_CHECKING, Any

from failoverd.agent import processes
from failoverd.agent.breaking import now
from failoverd.agent.deadline import Deadline
from failoverd.agent.faults import DOOR, Fault

if TYPE_CHECKING:
    from failoverd.agent.doorway import Doorway
    from failoverd.agent.home import Home

ENDING = ".broken"
_SECOND_LOOK = 2.0
# What the first timer may be late.
_LATE = 1.0


def begin(home: Home, doorway: Doorway, asked: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
    """Note the fault, then let the door do it; one at a time for each server."""
    mark = mark_path(home, asked["cluster"], asked["server"])
    if under_way(home.load(mark)):
        raise Fault(DOOR, "a fault of a drill is under way on this server", mark, "end it first")
    noted = {**asked, "boot": processes.boot(), "ends": now() + asked["seconds"]}
    home.save(mark, noted)
    keys = ("fault", "datadir", "server_uuid", "port", "seconds")
    try:
        return doorway.call("break", {**{key: asked[key] for key in keys}, "mark": mark}, deadline)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(mark)
        raise


def end(home: Home, doorway: Doorway, cluster: str, server: str, deadline: Deadline) -> dict[str, Any]:
    """Undo the fault now; {"ended": whether there was one}."""
    path = mark_path(home, cluster, server)
    mark = home.load(path)
    if mark is None:
        return {"ended": False}
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    doorway.call(
        "mend", {"fault": mark["fault"], "datadir": mark["datadir"], "server_uuid": mark["server_uuid"]}, deadline
    )
    return {"ended": True}


def watch(home: Home, doorway: Doorway) -> None:
    """Be the second dead man's timer, as long as this agent lives: the first one could have been killed."""
    while True:
        with contextlib.suppress(OSError):
            resume(home, doorway)
        time.sleep(_SECOND_LOOK)


def resume(home: Home, doorway: Doorway) -> None:
    """Undo what a mark names whose time is over, or that is from before the host's last boot: its process is gone."""
    for name in sorted(os.listdir(home.state)):
        if not name.endswith(ENDING):
            continue
        path = os.path.join(home.state, name)
        with contextlib.suppress(Fault, OSError, KeyError, ValueError):
            with open(path, "rb") as stream:
                mark = json.loads(stream.read())
            if under_way(mark):
                continue
            args = {key: mark[key] for key in ("fault", "datadir", "server_uuid")}
            doorway.call("mend", args, Deadline(10.0))
            os.unlink(path)


def under_way(mark: dict[str, Any] | None) -> bool:
    """Whether a fault of this mark may still be there by its own timer."""
    return mark is not None and mark["boot"] == processes.boot() and now() < float(mark["ends"]) + _LATE


def mark_path(home: Home, cluster: str, server: str) -> str:
    """Where the mark of a server's fault lies."""
    return home.path(cluster, f"{server}{ENDING}")
