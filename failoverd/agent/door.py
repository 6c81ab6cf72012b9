"""The privileged part: a fixed list of sub-commands with checked fields, each proving its target before it acts.

It runs as a child process of the agent behind one sudo rule, or in the agent's own process where that has the rights.
Whoever can talk to it can do these things to a mysqld's data directory, and bring or take an address, and nothing else:
it takes no command, no file name and no program from outside.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import Any, Callable

from failoverd.agent import addresses, breaking, fields, folders, guard, keeping, processes, splicing, standin
from failoverd.agent.binlog.places import LogPlace
from failoverd.agent.conversation import Call, Op
from failoverd.agent.faults import DOOR, NOT_FOUND, TIMEOUT, Fault, why_not
from failoverd.agent.fields import REQUIRED, Field

_SYSTEMCTL_TIME = 5.0
_SYSTEMD_RUNS = "/run/systemd/system"
_HELD = "masked-runtime"
# With these a unit is started again after a SIGKILL.
_RESTARTS = frozenset({"always", "on-failure", "on-abnormal", "on-abort"})
_DATABASE_UNITS = ("mysql", "mysqld", "mariadb", "percona")


def _places(value: Any) -> list[tuple[str, str]]:
    shape = {"basename": Field(fields.path), "index": Field(fields.path)}
    if not isinstance(value, list) or len(value) > 4:
        raise ValueError("a list of at most 4 logs is expected")
    try:
        checked = [fields.read(shape, one, "a log") for one in value]
    except Fault as fault:
        raise ValueError(str(fault)) from fault
    return [(one["basename"], one["index"]) for one in checked]


_DATADIR = {"datadir": Field(fields.path), "server_uuid": Field(fields.uuid)}
_LOGS = {**_DATADIR, "logs": Field(_places)}
_CHANNEL = {**_LOGS, "channel": Field(splicing.suffix)}


def look(call: Call) -> dict[str, Any]:
    """Say which mysqld run on a data directory, seen with the door's rights."""
    found = processes.look(call.args["datadir"])
    return {"processes": [{"pid": one.pid, "state": one.state, "proven": one.proven} for one in found]}


def kill(call: Call) -> dict[str, Any]:
    """SIGKILL every mysqld of a data directory and wait for its end."""
    killed = processes.kill_all(call.args["datadir"], call.args["server_uuid"], call.deadline)
    return {"gone": list(killed.gone), "pending": list(killed.pending), "alive": list(killed.alive)}


def start_guard(call: Call) -> dict[str, Any]:
    """Start a guard for a mark that exists."""
    _check_uuid(call)
    if not os.path.isfile(call.args["mark"]):
        raise Fault(NOT_FOUND, "there is no mark to guard for", call.args["mark"])
    return {"pid": guard.start(call.args["datadir"], call.args["server_uuid"], call.args["mark"])}


def stand_in(call: Call) -> dict[str, Any]:
    """Wait for the end of a mysqld, and start it again as it was started."""
    args = call.args
    return {"pid": standin.begin(args["datadir"], args["server_uuid"], args["mark"])}


def stop_guard(call: Call) -> dict[str, Any]:
    """Wait for a guard to end after its mark was taken away, and end it if it does not."""
    pid, mark = call.args["pid"], call.args["mark"]
    if os.path.exists(mark):
        raise Fault(DOOR, "the mark stands, so the guard stays", mark)
    try:
        doomed = processes.Doomed(pid)
    except ProcessLookupError:
        return {"ended": True}
    try:
        if guard.is_running(pid, mark) and not doomed.gone(0.5):
            doomed.kill(signal.SIGKILL)
        return {"ended": not guard.is_running(pid, mark) or doomed.gone(call.deadline.left())}
    finally:
        doomed.close()


def hold_unit(call: Call) -> dict[str, Any]:
    """Mask a systemd unit until the next boot, so that nothing starts it; Fault where that does not hold this mysqld.

    What is in /etc/systemd/system stands over a mask that lasts until the next boot, and systemctl says nothing of it.
    """
    _check_uuid(call)
    unit = call.args["unit"]
    if why := _unfit(unit, call.args["datadir"]):
        raise Fault(DOOR, why, call.args["datadir"], hint="use the guard to hold the restart")
    _systemctl("mask", "--runtime", unit)
    if _shown(unit, "LoadState") != "masked":
        _systemctl("unmask", "--runtime", unit)
        raise Fault(DOOR, f"unit {unit} cannot be masked", "its file in /etc/systemd/system stands over the mask")
    return {"masked": unit}


def release_unit(call: Call) -> dict[str, Any]:
    """Take the mask of a unit away again, if it has one that lasts until the next boot."""
    _check_uuid(call)
    unit = call.args["unit"]
    masked = os.path.isdir(_SYSTEMD_RUNS) and _shown(unit, "UnitFileState") == _HELD
    if masked:
        _systemctl("unmask", "--runtime", unit)
    return {"unmasked": masked}


def restart_unit(call: Call) -> dict[str, Any]:
    """Start a unit that has failed and that systemd was told to restart: what the hold has kept it from."""
    _check_uuid(call)
    unit = call.args["unit"]
    runs = os.path.isdir(_SYSTEMD_RUNS)
    wanted = runs and _shown(unit, "ActiveState") == "failed" and _shown(unit, "Restart") in _RESTARTS
    if wanted:
        _systemctl("reset-failed", unit)  # it may have failed too often for another start
        _systemctl("start", "--no-block", unit)
    return {"started": wanted}


def prove_unit(call: Call) -> dict[str, Any]:
    """Say why a unit would not be held, nor started when it is let go; {"why": ""} where it would. Changes nothing."""
    try:
        return {"why": _unfit(call.args["unit"], call.args["datadir"])}
    except (OSError, Fault) as error:
        return {"why": why_not(error)}


def keep(call: Call) -> dict[str, Any]:
    """Hard-link the logs' files."""
    args = call.args
    limits = args["most_files"], args["most_bytes"]
    return keeping.keep(_log_places(call), args["server_uuid"], args["operation"], *limits)


def let_go(call: Call) -> dict[str, Any]:
    """Remove the links whose cause is over."""
    return keeping.let_go(_log_places(call), call.args["server_uuid"], call.args["name"])


def set_aside(call: Call) -> dict[str, Any]:
    """Keep links whose cause is over under another name."""
    return keeping.set_aside(_log_places(call), call.args["server_uuid"], call.args["name"])


def kept(call: Call) -> dict[str, Any]:
    """List what is kept."""
    return keeping.kept(_log_places(call), call.args["server_uuid"])


def put(call: Call) -> dict[str, Any]:
    """Write the upload's delta files beside the relay log."""
    spliced = splicing.Spliced(_log_places(call)[0], call.args["channel"])
    uuid = call.args["server_uuid"]
    if call.args["replace"]:
        splicing.clean(spliced, uuid)
    return splicing.put(spliced, uuid, call.upload, call.deadline, lambda done: call.progress(done, 0))


def splice_clean(call: Call) -> dict[str, Any]:
    """Remove a channel's files."""
    return splicing.clean(splicing.Spliced(_log_places(call)[0], call.args["channel"]), call.args["server_uuid"])


def take_address(call: Call) -> dict[str, Any]:
    """Bring a virtual address here."""
    return addresses.take(call.args, call.deadline)


def leave_address(call: Call) -> dict[str, Any]:
    """Take a virtual address away from here."""
    return addresses.leave(call.args, call.deadline)


def prove_address(call: Call) -> dict[str, Any]:
    """Try what moving an address needs, on a loopback address of the door's own."""
    return {"rights": [{"right": name, "why": why} for name, why in addresses.prove(call.args, call.deadline).items()]}


def splice_move(call: Call) -> dict[str, Any]:
    """Give the files that lie aside to the channel."""
    place, uuid = _log_places(call)[0], call.args["server_uuid"]
    aside, spliced = (splicing.Spliced(place, call.args[key]) for key in ("aside", "channel"))
    return splicing.move(aside, spliced, uuid)


def prove(call: Call) -> dict[str, Any]:
    """Try each right on a process and on files of the door's own, as mysqld's account; none of mysqld's is touched."""
    datadir, uuid = call.args["datadir"], call.args["server_uuid"]
    rights = {"kill": _tried(_prove_kill, datadir), "see": _tried(_prove_see, datadir)}
    for place in _log_places(call):
        rights[f"files in {place.folder}"] = _tried(_prove_files, place, uuid)
    return {"rights": [{"right": name, "why": why} for name, why in rights.items()]}


def break_(call: Call) -> dict[str, Any]:
    """Do a fault of a drill, which ends by itself."""
    _check_uuid(call)
    return breaking.start(dict(call.args), call.deadline)


def mend(call: Call) -> dict[str, Any]:
    """Undo a fault of a drill, whoever did it."""
    _check_uuid(call)
    breaking.undo(call.args["fault"], call.args["datadir"])
    return {}


def _tried(attempt: Callable[..., None], *words: object) -> str:
    try:
        attempt(*words)
    except (OSError, Fault) as error:
        return why_not(error)
    return ""


_CHILD_LIFE = "10"  # seconds, longer than it is needed


def _prove_kill(datadir: str) -> None:
    with _child_of_owner(datadir) as child:
        doomed = processes.Doomed(child.pid)
        doomed.kill()
        ended = doomed.gone(2.0)
        doomed.close()
        if not ended:
            raise Fault(TIMEOUT, "a process of mysqld's account was killed and has not gone within 2 s")


def _prove_see(datadir: str) -> None:
    with _child_of_owner(datadir) as child:
        os.readlink(f"/proc/{child.pid}/cwd")


@contextlib.contextmanager
def _child_of_owner(datadir: str) -> Any:
    """A sleeping process of the account that owns the data directory, ended and reaped afterwards."""
    owner = os.stat(datadir)
    account = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    child = subprocess.Popen(["/bin/sleep", _CHILD_LIFE], cwd="/", **account)  # type: ignore[call-overload]
    try:
        yield child
    finally:
        with contextlib.suppress(PermissionError):  # then it ends by itself, and what was tried has been answered
            child.kill()
            child.wait()


def _prove_files(place: LogPlace, uuid: str) -> None:
    name = f"#failoverd_check.{os.getpid()}.{time.monotonic_ns()}"
    with folders.opened(place.folder, place.datadir, uuid) as folder:
        os.close(folder.create(name))
        try:
            os.link(name, f"{name}.link", src_dir_fd=folder.fd, dst_dir_fd=folder.fd, follow_symlinks=False)
            folder.remove(f"{name}.link")
        finally:
            folder.remove(name)


def _log_places(call: Call) -> list[LogPlace]:
    datadir = call.args["datadir"]
    return [LogPlace(os.path.realpath(basename), index, datadir) for basename, index in call.args["logs"]]


def _check_uuid(call: Call) -> None:
    if processes.server_uuid(call.args["datadir"]) != call.args["server_uuid"]:
        raise Fault(NOT_FOUND, "the data directory belongs to another server", call.args["datadir"])


def _unfit(unit: str, datadir: str) -> str:
    """Why a unit is not what runs the mysqld of this data directory; of a dead one its unit's name must do, or a mask.

    A unit that is masked until the next boot was held before, while its mysqld lived.
    """
    if not os.path.isdir(_SYSTEMD_RUNS):
        return "systemd does not run on this host"
    if _shown(unit, "LoadState") == "not-found":
        return f"systemd knows no unit {unit}"
    if processes.look(datadir):
        fits = _runs_in(unit, datadir)
    else:
        fits = unit.startswith(_DATABASE_UNITS) or _shown(unit, "UnitFileState") == _HELD
    return "" if fits else f"unit {unit} is not that of the mysqld on this data directory"


def _runs_in(unit: str, datadir: str) -> bool:
    """Whether a mysqld of this data directory lives in the unit's control group."""
    for process in processes.look(datadir):
        with contextlib.suppress(OSError), open(f"/proc/{process.pid}/cgroup", encoding="ascii") as stream:
            if any(f"/{unit}" in line for line in stream):
                return True
    return False


def _shown(unit: str, name: str) -> str:
    return _systemctl("show", "--value", "-p", name, unit).strip()


def _systemctl(*words: str) -> str:
    command, nothing = ["systemctl", *words], subprocess.DEVNULL
    try:
        done = subprocess.run(command, check=False, capture_output=True, timeout=_SYSTEMCTL_TIME, stdin=nothing)
    except subprocess.TimeoutExpired as error:
        raise Fault(TIMEOUT, f"systemctl {' '.join(words)} was not done within {_SYSTEMCTL_TIME:g} s") from error
    if done.returncode:
        raise Fault(DOOR, f"systemctl {' '.join(words)} failed", done.stderr.decode("utf-8", "replace")[:500])
    return done.stdout.decode("utf-8", "replace")


OPS = {
    "look": Op(look, {"datadir": Field(fields.path)}),
    "kill": Op(kill, _DATADIR),
    "start_guard": Op(start_guard, {**_DATADIR, "mark": Field(fields.path)}),
    "stand_in": Op(stand_in, {**_DATADIR, "mark": Field(fields.path)}),
    "stop_guard": Op(
        stop_guard, {"datadir": Field(fields.path), "pid": Field(fields.whole(2, 2**31)), "mark": Field(fields.path)}
    ),
    "hold_unit": Op(hold_unit, {**_DATADIR, "unit": Field(fields.unit)}),
    "release_unit": Op(release_unit, {**_DATADIR, "unit": Field(fields.unit)}),
    "restart_unit": Op(restart_unit, {**_DATADIR, "unit": Field(fields.unit)}),
    "prove_unit": Op(prove_unit, {"datadir": Field(fields.path), "unit": Field(fields.unit)}),
    "keep": Op(keep, {**_LOGS, "operation": Field(fields.operation), **keeping.LIMITS}),
    "let_go": Op(let_go, {**_LOGS, "name": Field(fields.links)}),
    "set_aside": Op(set_aside, {**_LOGS, "name": Field(fields.links)}),
    "kept": Op(kept, _LOGS),
    "put": Op(put, {**_CHANNEL, "replace": Field(fields.boolean, REQUIRED)}, uploads=True),
    "splice_clean": Op(splice_clean, _CHANNEL),
    "splice_move": Op(splice_move, {**_CHANNEL, "aside": Field(splicing.suffix)}),
    "prove": Op(prove, _LOGS),
    "break": Op(
        break_,
        {
            **_DATADIR,
            "fault": Field(fields.one_of(*breaking.KINDS)),
            "mark": Field(fields.path),
            "port": Field(fields.whole(1, 65535)),
            "seconds": Field(fields.whole(1, breaking.LONGEST)),
        },
    ),
    "mend": Op(mend, {**_DATADIR, "fault": Field(fields.one_of(*breaking.KINDS))}),
    "take_address": Op(take_address, addresses.FIELDS),
    "leave_address": Op(leave_address, addresses.FIELDS),
    "prove_address": Op(prove_address, addresses.FIELDS),
}
