"""What agents answer, as nouns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failoverd.drivers.ssh.releases import OLD, difference
from failoverd.gtid import GtidSet
from failoverd.model.errors import AgentError
from failoverd.model.host import FenceProof, Holding, HostFacts, LogKind, Verified

UNFENCED = "UNFENCED"


def silence(error: AgentError) -> str:
    """The state of an agent that gave this error, in the words of the published JSON."""
    return {"MISSING": "missing", OLD: "old"}.get(error.code, "unreachable")


def fault_words(told: Mapping[str, Any]) -> tuple[str, ...]:
    """What a reply says of files that could not be read or trusted, one sentence each."""
    faults = [fault for fault in told.get("faults") or () if isinstance(fault, dict)]
    return tuple(": ".join(str(fault[key]) for key in ("what", "detail") if fault.get(key)) for fault in faults)


def holding(server: str, kind: LogKind, told: Mapping[str, Any]) -> Holding:
    """The reply to `scan` as a noun.

    A torn end is what a kill leaves: what stood there was never acknowledged, so it is no problem of the answer.
    """
    problem = "; ".join(fault_words(told))
    missing = GtidSet.parse(told["missing"])
    return Holding(server, kind, missing, int(told["bytes"]), int(told["files"]), not problem, problem)


def host_facts(
    server: str, told: Mapping[str, Any], epoch: int, now: float, hello: Mapping[str, Any], sha256: str
) -> HostFacts:
    """The reply to `facts` as a noun; `sha256` is the hash of our own zipapp."""
    mysqld, disk, mark = told["mysqld"], told.get("disk") or {}, told.get("fenced")
    has_error_log = bool((told.get("remembered") or {}).get("log_error"))
    dead_in_order = bool(told.get("orderly"))
    orderly = None if mysqld["alive"] or not (dead_in_order or has_error_log) else dead_in_order
    return HostFacts(
        server=server,
        alive=bool(mysqld["alive"]),
        pids=tuple(int(pid) for pid in mysqld["pids"]),
        process_state=str(mysqld.get("state", "")),
        server_uuid=str(told.get("server_uuid") or ""),
        read_at=now,
        orderly=orderly,
        fenced_epoch=int(mark["epoch"]) if mark else None,
        disk_free=disk.get("free"),
        disk_read_only=bool(disk.get("read_only")),
        highest_epoch=epoch,
        version=str(hello.get("version", "")),
        release=difference(hello, sha256),
        door=str(hello.get("door", "ok")),
        addresses=frozenset(str(address) for address in told.get("addresses") or ()),
        starts_closed=told.get("starts_closed"),
    )


def verified(server: str, told: Mapping[str, Any]) -> Verified:
    """The reply to `verify` as a noun; what ends the newest file is still being written and is no damage."""
    faults = [": ".join(filter(None, (str(f["what"]), str(f["detail"])))) for f in told["faults"]]
    damage = faults[0] + (f" and {len(faults) - 1} more" if len(faults) > 1 else "") if faults else ""
    return Verified(server, GtidSet.parse(told["sound"]), GtidSet.parse(told["behind"]), damage)


def fence_proof(server: str, told: Mapping[str, Any]) -> FenceProof:
    """The reply to `fence` as a noun, with what was measured in words."""
    killed = tuple(int(pid) for pid in told.get("killed", ()))
    hold = told.get("hold") or {}
    proven = told.get("proven") is True
    if not proven:
        why = str(hold.get("problem") or f"processes {told.get('left')} are left")
        return FenceProof(server, UNFENCED, proven=False, killed=killed, hold=why)
    deaths = f"mysqld {', '.join(map(str, killed))} killed" if killed else "no mysqld is left"
    return FenceProof(
        server, f"agent: {deaths}, held by {hold.get('how', '?')}", True, killed, str(hold.get("how", ""))
    )
