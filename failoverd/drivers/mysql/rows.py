"""Rows of a server's answers, turned into the nouns of the model. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from failoverd.gtid import GtidSet
from failoverd.model.features import Engine, Features
from failoverd.model.semisync import SemiSync
from failoverd.model.sight import Channel, Endpoint, LogFiles, Settings, Thread, Trouble, Waits

Row = Mapping[str, Any]

_THREADS = MappingProxyType({"yes": Thread.YES, "connecting": Thread.CONNECTING, "no": Thread.NO})
_FILTERS = (
    "Replicate_Do_DB",
    "Replicate_Ignore_DB",
    "Replicate_Do_Table",
    "Replicate_Ignore_Table",
    "Replicate_Wild_Do_Table",
    "Replicate_Wild_Ignore_Table",
    "Replicate_Ignore_Server_Ids",
    "Replicate_Rewrite_DB",
)
_ON = frozenset({"1", "on", "yes"})


@dataclass(frozen=True, slots=True)
class Receiver:
    """What the replication tables add to the status of a channel; times are the server's own seconds.

    `heartbeat_at` is None where no heartbeat ever came.
    """

    server_now: float
    heartbeat_at: float | None
    queueing: str
    period: float


NO_RECEIVER = Receiver(0.0, None, "", 30.0)


def is_on(value: object) -> bool:
    """Whether a variable's value means ON; servers answer 1, ON and YES."""
    return str(value).lower() in _ON


def receiver_of(row: Row) -> Receiver:
    """One row of the joined replication tables."""
    at = float(row["heartbeat_at"] or 0)
    return Receiver(
        server_now=float(row["server_now"]),
        heartbeat_at=at if at > 0 else None,
        queueing=str(row["queueing"] or ""),
        period=float(row["period"]),
    )


def channel_of(row: Row, receiver: Receiver, age: float | None) -> Channel:
    """One row of SHOW REPLICA STATUS with what the tables add; `age` in seconds."""
    lag = row["Seconds_Behind_Source"]
    return Channel(
        name=str(row["Channel_Name"]),
        source=Endpoint(str(row["Source_Host"]), int(row["Source_Port"])),
        source_uuid=str(row["Source_UUID"] or "").lower(),
        receiver=_THREADS[str(row["Replica_IO_Running"]).lower()],
        applier=_THREADS[str(row["Replica_SQL_Running"]).lower()],
        received=GtidSet.parse(str(row["Retrieved_Gtid_Set"])),
        auto_position=is_on(row["Auto_Position"]),
        heartbeat_age=age,
        heartbeat_period=receiver.period,
        queueing=receiver.queueing,
        receiver_trouble=Trouble(int(row["Last_IO_Errno"]), str(row["Last_IO_Error"])),
        applier_trouble=Trouble(int(row["Last_SQL_Errno"]), str(row["Last_SQL_Error"])),
        delay=int(row["SQL_Delay"]),
        lag_seconds=None if lag is None else float(lag),
        relay_file=str(row["Relay_Log_File"] or ""),
        relay_position=int(row["Relay_Log_Pos"] or 0),
        filters=tuple(column for column in _FILTERS if row.get(column)),
        source_file=str(row["Source_Log_File"] or ""),
        source_position=int(row["Read_Source_Log_Pos"] or 0),
    )


def position_of(row: Row) -> tuple[str, str, int]:
    """What grows whenever a receiver gets anything: its set, and its place in the source's log."""
    return str(row["Retrieved_Gtid_Set"]), str(row["Source_Log_File"]), int(row["Read_Source_Log_Pos"])


def files_of(row: Row) -> LogFiles:
    """The paths of a server, absolute: a relative one is meant from its datadir."""
    datadir = str(row["datadir"])

    def path(key: str) -> str:
        name = str(row[key] or "")
        if not name or name == "stderr" or name.startswith("/"):
            return "" if name == "stderr" else name
        return datadir.rstrip("/") + "/" + name.removeprefix("./")

    return LogFiles(
        datadir=datadir,
        binary_basename=path("binary_basename"),
        binary_index=path("binary_index"),
        relay_basename=path("relay_basename"),
        relay_index=path("relay_index"),
        pid_file=path("pid_file"),
        error_log=path("error_log"),
    )


def settings_of(row: Row, read_only_at_start: bool | None) -> Settings:
    """The settings that decide what a server may be used for."""
    return Settings(
        gtid_mode=str(row["gtid_mode"]).upper() == "ON",
        log_bin=is_on(row["log_bin"]),
        log_replica_updates=is_on(row["log_replica_updates"]),
        sync_binlog=int(row["sync_binlog"]),
        flush_log=int(row["flush_log"]),
        binlog_checksum=str(row["binlog_checksum"]),
        relay_log_recovery=is_on(row["relay_log_recovery"]),
        preserve_commit_order=is_on(row["preserve_commit_order"]),
        read_only_at_start=read_only_at_start,
        net_timeout=float(row["net_timeout"]),
        keeps_logs=float(row["keeps_logs"]),
    )


def semi_sync_of(found: tuple[Row, ...], replicas: tuple[Row, ...]) -> SemiSync:
    """Variables and status of both plugins; what a plugin that is not loaded would tell is absent."""
    told = {str(row["name"]).removeprefix("rpl_semi_sync_"): str(row["value"]) for row in found}

    def number(name: str) -> int:
        return int(told.get(name, "0"))

    return SemiSync(
        source_plugin="source_enabled" in told,
        replica_plugin="replica_enabled" in told,
        source_on=is_on(told.get("source_enabled", "OFF")),
        source_active=is_on(told.get("source_status", "OFF")),
        clients=number("source_clients"),
        waiting=number("source_wait_sessions"),
        timeout=number("source_timeout"),
        after_sync=told.get("source_wait_point", "AFTER_SYNC").upper() == "AFTER_SYNC",
        waits_alone=is_on(told.get("source_wait_no_replica", "OFF")),
        wait_count=number("source_wait_for_replica_count"),
        replica_on=is_on(told.get("replica_enabled", "OFF")),
        acknowledges=is_on(told.get("replica_status", "OFF")),
        replicas=tuple(sorted(str(row["Replica_UUID"]).lower() for row in replicas)),
    )


# How the state of a session begins that cannot finish a write; whom it waits for is worded differently by generations.
_WAITS = (
    ("Waiting for global read lock", "read_lock"),
    ("Waiting for commit lock", "commit_lock"),
    ("waiting for handler commit", "commit_lock"),
    ("Waiting for disk space", "disk"),
    ("Waiting for semi-sync ACK from", "acknowledgement"),
)


def waits_of(sessions: tuple[Row, ...]) -> Waits:
    """How many sessions cannot finish a write, of all that the server lists."""
    states = [str(row["State"] or "") for row in sessions]
    return Waits(**Counter(what for state in states for begins, what in _WAITS if state.startswith(begins)))


def features_of(*answers: tuple[Row, ...]) -> Features:
    """Engines, the plugins of group replication and of clone, sleeping events, the table asked for, prepared
    transactions.
    """
    engines, group, clone, events, tables, prepared = answers
    return Features(
        engines=tuple(Engine(str(row["engine"]), int(row["tables"]), str(row["example"])) for row in engines),
        prepared=len(prepared),
        asleep=tuple(f"{row['place']}.{row['name']}" for row in events),
        group=bool(group),
        clone=bool(clone),
        tables=frozenset(str(row["name"]) for row in tables),
    )


def read_only_at_start(found: tuple[Row, ...]) -> bool | None:
    """Whether the server would start read-only; None where a later SET hides what it was started with.

    Either variable is enough: super_read_only = ON brings read_only with it. A persisted value beats every file.
    """
    if any(row["persisted"] is not None and is_on(row["persisted"]) for row in found):
        return True
    # a SET of one variable changes the other one too, without leaving a trace there
    if not found or any(row["persisted"] is None and str(row["source"]).upper() == "DYNAMIC" for row in found):
        return None
    return any(row["persisted"] is None and is_on(row["current"]) for row in found)
