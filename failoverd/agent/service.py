"""The agent's operations: what a manager can ask."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Any, Callable

from failoverd.agent import addresses, breaking, broken, facts, fencing, fields, keeping, probe, processes, splicing
from failoverd.agent.binlog.scan import Scanner
from failoverd.agent.conversation import Call, Op
from failoverd.agent.faults import BAD_REQUEST, NOT_FOUND, UNKNOWN, Fault, why_not
from failoverd.agent.fields import Field
from failoverd.agent.logs import KIND, SERVER
from failoverd.gtid import GtidSet

if TYPE_CHECKING:
    from failoverd.agent.binlog.places import LogPlace
    from failoverd.agent.doorway import Doorway
    from failoverd.agent.home import Home, Server

_NAME_OR_PATH = fields.matching(r"(/|\./)?[\w@.#/+:-]{0,1000}", "a path")
_VIP = Field(fields.optional(addresses.vip), None)
_UNIT = Field(fields.optional(fields.unit), None)
_CA_FILE = Field(fields.optional(fields.path), None)
_CHANNEL = {**SERVER, "name_suffix": Field(splicing.suffix, "fo_recover")}

_REMEMBERED = {
    "server": Field(fields.server),
    "datadir": Field(fields.path),
    "server_uuid": Field(fields.uuid),
    "log_bin_basename": Field(_NAME_OR_PATH, ""),
    "log_bin_index": Field(_NAME_OR_PATH, ""),
    "relay_log_basename": Field(_NAME_OR_PATH, ""),
    "relay_log_index": Field(_NAME_OR_PATH, ""),
    "log_error": Field(_NAME_OR_PATH, ""),
    "port": Field(fields.whole(0, 65535), 0),
    "pid_file": Field(_NAME_OR_PATH, ""),
}
_UPWARDS = re.compile(r"(^|/)\.\.(/|$)")


class Agent:
    """Holds what the operations share; `ops` is the table that a conversation serves, beside that of the logs."""

    def __init__(self, home: Home, doorway: Doorway) -> None:
        self._home = home
        self._doorway = doorway
        fenced = {
            **SERVER,
            "server_uuid": Field(fields.uuid),
            "hold": Field(fields.hold, "guard"),
            "operation": Field(fields.operation),
            "vip": _VIP,
        }
        address = {**SERVER, "vip": Field(addresses.vip)}
        self.ops = {
            "remember": Op(self._remember, _REMEMBERED),
            "facts": Op(self._facts, SERVER),
            "agent_check": Op(self._agent_check, {**SERVER, "vip": _VIP, "unit": _UNIT, "ca_file": _CA_FILE}),
            "probe": probe.OP,
            "epoch": Op(lambda call: {"epoch": self._home.epoch(call.cluster)}, {}),
            "raise_epoch": self._changing(lambda _call: {}, {}),
            "put": self._changing(self._put, {**_CHANNEL, "replace": Field(fields.boolean, False)}, uploads=True),
            "splice_clean": self._changing(self._splice_clean, _CHANNEL),
            "splice_move": self._changing(self._splice_move, {**_CHANNEL, "aside": Field(splicing.suffix)}),
            "keep": self._changing(
                self._keep, {**SERVER, "operation": Field(fields.operation), "kind": KIND, **keeping.LIMITS}
            ),
            "trim": self._changing(self._trim, {**SERVER, "name": Field(fields.links), "held": Field(fields.gtid_set)}),
            "kept": Op(self._kept, SERVER),
            "fence": self._changing(self._fence, fenced),
            "stand_in": self._changing(self._stand_in, {**SERVER, "server_uuid": Field(fields.uuid)}),
            "take_address": self._changing(self._take_address, address),
            "leave_address": self._changing(self._leave_address, address),
            "break": self._changing(
                self._break,
                {
                    **SERVER,
                    "server_uuid": Field(fields.uuid),
                    "fault": Field(fields.one_of(*breaking.KINDS)),
                    "port": Field(fields.whole(1, 65535)),
                    "seconds": Field(fields.whole(1, breaking.LONGEST)),
                },
            ),
            # To undo is never too late: it asks for no epoch.
            "mend": Op(self._mend, {"server": Field(fields.server)}),
            "release": self._changing(self._release, {"server": Field(fields.server)}),
        }

    def _changing(
        self, handler: Callable[[Call], dict[str, Any]], wanted: dict[str, Field], uploads: bool = False
    ) -> Op:
        """Make an operation that holds the cluster's lock under the request's epoch while it acts."""

        def act(call: Call) -> dict[str, Any]:
            if call.epoch is None:
                raise Fault(BAD_REQUEST, "a change needs an epoch")
            with self._home.acting(call.cluster, call.epoch, self._doorway.pid, call.deadline):
                return {**handler(call), "epoch": call.epoch}

        return Op(act, wanted, changes=True, uploads=uploads)

    def _server(self, call: Call) -> Server:
        return self._home.server(call.cluster, call.args["server"], call.args["datadir"])

    def _door_args(self, server: Server) -> dict[str, Any]:
        """Name a server to the door, by the uuid that was remembered, else the one its data directory has now."""
        return fencing.door_args(server, server.server_uuid or processes.server_uuid(server.datadir))

    def _break(self, call: Call) -> dict[str, Any]:
        asked = {key: call.args[key] for key in ("server", "server_uuid", "fault", "port", "seconds")}
        asked |= {"cluster": call.cluster, "datadir": self._server(call).datadir}
        return broken.begin(self._home, self._doorway, asked, call.deadline)

    def _mend(self, call: Call) -> dict[str, Any]:
        return broken.end(self._home, self._doorway, call.cluster, call.args["server"], call.deadline)

    def _remember(self, call: Call) -> dict[str, Any]:
        told = {key: value for key, value in call.args.items() if key != "server"}
        upwards = [key for key, value in told.items() if isinstance(value, str) and _UPWARDS.search(value)]
        if upwards:
            raise Fault(BAD_REQUEST, f"field {upwards[0]!r} leads upwards", told[upwards[0]])
        self._home.remember(call.cluster, call.args["server"], told)
        return {}

    def _facts(self, call: Call) -> dict[str, Any]:
        return facts.facts(self._home, call.cluster, self._server(call), self._doorway, call.deadline)

    def _agent_check(self, call: Call) -> dict[str, Any]:
        server = self._server(call)
        tried = {
            "read the data directory": _why(processes.server_uuid, server.datadir),
            "ask for the lock": _why(processes.lock_holder, server.datadir),
        }
        for kind, place in (("binary", server.binary), ("relay", server.relay)):
            if place is not None:
                tried[f"read {kind} logs in {place.folder}"] = _why(_read_newest, place)
        state = self._doorway.state()
        tried["door"] = "" if state == "ok" else state
        rights = [{"right": right, "why": why} for right, why in tried.items()]
        if state == "ok":
            rights.extend(self._doorway.call("prove", self._door_args(server), call.deadline)["rights"])
            if call.args["vip"] is not None:
                rights.extend(self._doorway.call("prove_address", call.args["vip"], call.deadline)["rights"])
        settings = self._tried_settings(call, server, by_door=state == "ok")
        return {"ok": not any(one["why"] for one in rights), "rights": rights, "settings": settings}

    def _tried_settings(self, call: Call, server: Server, by_door: bool) -> list[dict[str, str]]:
        """What the configuration says of this host, and why it is not so here; of a unit only an open door tells."""
        tried, unit, ca_file = [], call.args["unit"], call.args["ca_file"]
        if unit is not None and by_door:
            args = {"unit": unit, "datadir": server.datadir}
            tried.append({"key": "mysqld.service", **self._doorway.call("prove_unit", args, call.deadline)})
        if ca_file is not None:
            tried.append({"key": "replication.ca_file", "why": _unfound(ca_file)})
        return tried

    def _put(self, call: Call) -> dict[str, Any]:
        server = self._server(call)
        place = server.place("relay")
        args = {**self._door_args(server), "channel": call.args["name_suffix"], "replace": call.args["replace"]}
        args["logs"] = [{"basename": place.basename, "index": place.index}]
        written = self._doorway.call("put", args, call.deadline, call.upload, call.progress)
        paths = [os.path.join(place.folder, name) for name in written["files"]]
        holds = GtidSet()
        for one in Scanner().scan(paths, verify=False, check=call.deadline.check):
            holds |= one.holds
        return {
            "relay_log_file": written["files"][0],
            "files": len(paths),
            "bytes": written["bytes"],
            "gtids": str(holds),
        }

    def _splice_clean(self, call: Call) -> dict[str, Any]:
        server = self._server(call)
        place = server.place("relay")
        args = {**self._door_args(server), "channel": call.args["name_suffix"]}
        args["logs"] = [{"basename": place.basename, "index": place.index}]
        return self._doorway.call("splice_clean", args, call.deadline)

    def _splice_move(self, call: Call) -> dict[str, Any]:
        server = self._server(call)
        place = server.place("relay")
        args = {**self._door_args(server), "channel": call.args["name_suffix"], "aside": call.args["aside"]}
        args["logs"] = [{"basename": place.basename, "index": place.index}]
        moved = self._doorway.call("splice_move", args, call.deadline)["files"]
        return {"relay_log_file": moved[0], "files": len(moved)}

    def _keep(self, call: Call) -> dict[str, Any]:
        server, kind = self._server(call), call.args["kind"]
        args = {key: call.args[key] for key in ("operation", *keeping.LIMITS)} | self._door_args(server)
        if kind != "both":
            place = server.place(kind)
            args["logs"] = [{"basename": place.basename, "index": place.index}]
        return self._doorway.call("keep", args, call.deadline)

    def _trim(self, call: Call) -> dict[str, Any]:
        """End the links of one name: nobody needs what is held; what is not stays, and is no source any more."""
        server, name = self._server(call), call.args["name"]
        left, faults = GtidSet(), list[Fault]()
        for place in (server.binary, server.relay):
            links = [] if place is None else place.only_kept([name])
            for one in Scanner().scan(links, verify=False, check=call.deadline.check):
                left |= one.holds - call.args["held"]
                faults += one.faults
        act = "set_aside" if left or faults else "let_go"
        self._doorway.call(act, {**self._door_args(server), "name": name}, call.deadline)
        return {"left": str(left), "faults": [fault.as_json() for fault in faults]}

    def _kept(self, call: Call) -> dict[str, Any]:
        return self._doorway.call("kept", self._door_args(self._server(call)), call.deadline)

    def _fence(self, call: Call) -> dict[str, Any]:
        args = call.args
        order = fencing.Order(
            call.cluster,
            self._server(call),
            args["server_uuid"],
            args["hold"],
            args["operation"],
            call.epoch or 0,
            args["vip"],
        )
        return fencing.fence(self._home, self._doorway, order, call.deadline)

    def _stand_in(self, call: Call) -> dict[str, Any]:
        args = {"datadir": self._server(call).datadir, "server_uuid": call.args["server_uuid"]}
        mark = self._home.mark_path(call.cluster, call.args["server"])
        return self._doorway.call("stand_in", {**args, "mark": mark}, call.deadline)

    def _take_address(self, call: Call) -> dict[str, Any]:
        mark = self._home.load(self._home.mark_path(call.cluster, call.args["server"]))
        if mark is not None:
            raise Fault(
                NOT_FOUND, f"server {call.args['server']} is fenced here", "a fenced host gets no address", "release it"
            )
        return self._doorway.call("take_address", call.args["vip"], call.deadline)

    def _leave_address(self, call: Call) -> dict[str, Any]:
        return self._doorway.call("leave_address", call.args["vip"], call.deadline)

    def _release(self, call: Call) -> dict[str, Any]:
        server, epoch = call.args["server"], call.epoch or 0
        return fencing.release(self._home, self._doorway, call.cluster, server, epoch, call.deadline)


def _why(attempt: Callable[..., object], *words: object) -> str:
    """Try something; "" when it works, else why not."""
    try:
        attempt(*words)
    except (OSError, Fault) as error:
        return why_not(error)
    return ""


def _unfound(path: str) -> str:
    """Why there is no such file; what this account may not see may still be there for mysqld's."""
    try:
        return "" if stat.S_ISREG(os.stat(path).st_mode) else f"{path} is not a file"
    except PermissionError as error:
        return f"{UNKNOWN}{error}"
    except OSError as error:
        return str(error)


def _read_newest(place: LogPlace) -> None:
    for path in place.files()[-1:]:
        with open(path, "rb") as stream:
            stream.read(4)
