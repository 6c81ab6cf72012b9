"""Is one server set up for what a failover asks of it: a table of its settings, each row with a remedy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from failoverd.model.finding import Severity
from failoverd.model.policy import ClusterPolicy
from failoverd.model.sight import ServerState

# A replica that is further behind would hold a failover up (seconds).
LAG = 10.0
# Logs that are kept for less than this are gone before a person has brought a server back (seconds).
KEPT_LOGS = 86400.0


@dataclass(frozen=True, slots=True)
class ServerRow:
    """One thing that can be wrong with a server that answers; `found` gives a detail for the sentence, or None."""

    id: str
    severity: Severity
    sentence: str
    hint: str
    found: Callable[[ServerState, ClusterPolicy], str | None]


def _when(holds: bool, detail: object = "") -> str | None:
    return str(detail) if holds else None


def _slow_heartbeat(state: ServerState, policy: ClusterPolicy) -> str | None:
    channel = state.main
    slow = channel is not None and not 0 < channel.heartbeat_period <= policy.replication.heartbeat
    return f"{channel.heartbeat_period:g} s" if channel is not None and slow else None


def _long_timeout(state: ServerState, policy: ClusterPolicy) -> str | None:
    long = state.main is not None and state.settings.net_timeout > policy.replication.net_timeout
    return _when(long, f"{state.settings.net_timeout:g} s")


def _behind(state: ServerState, _: ClusterPolicy) -> str | None:
    lag = state.main.lag_seconds if state.main else None
    return f"{lag:g} s" if lag is not None and lag > LAG else None


def _durability(state: ServerState, _: ClusterPolicy) -> str | None:
    sync, flush = state.settings.sync_binlog, state.settings.flush_log
    return _when((sync, flush) != (1, 1), f"sync_binlog={sync}, innodb_flush_log_at_trx_commit={flush}")


ERROR, WARNING, OK = Severity.ERROR, Severity.WARNING, Severity.OK

SERVER_ROWS: tuple[ServerRow, ...] = (
    ServerRow(
        "gtid-mode-off",
        ERROR,
        "the GTID mode of {name} is off: nobody can tell what it lacks",
        "set gtid_mode=ON and enforce_gtid_consistency=ON there, in MySQL's documented steps",
        lambda s, _: _when(not s.settings.gtid_mode),
    ),
    ServerRow(
        "binary-log-off",
        ERROR,
        "{name} writes no binary log: nobody could follow it",
        "start it with log_bin",
        lambda s, _: _when(not s.settings.log_bin),
    ),
    ServerRow(
        "replica-updates-off",
        ERROR,
        "{name} does not log what it replicates: nobody could get that from it",
        "start it with log_replica_updates=ON",
        lambda s, _: _when(not s.settings.log_replica_updates),
    ),
    ServerRow(
        "starts-writable",
        ERROR,
        "{name} would start writable: as an old primary that comes back it would be a second writer",
        "super_read_only=ON into its configuration, and RESET PERSIST for a persisted OFF; failoverd opens the primary",
        lambda s, _: _when(s.settings.read_only_at_start is False),
    ),
    ServerRow(
        "start-unknown",
        WARNING,
        "whether {name} starts read-only cannot be told",
        "super_read_only=ON into its configuration; grant SELECT on performance_schema so that it can be seen",
        lambda s, _: _when(s.settings.read_only_at_start is None and not s.writable),
    ),
    ServerRow(
        "start-hidden",
        OK,
        "{name} was opened while it ran, which hides whether it starts read-only: see that its configuration says so",
        "super_read_only=ON into its configuration",
        lambda s, _: _when(s.settings.read_only_at_start is None and s.writable),
    ),
    ServerRow(
        "file-position",
        ERROR,
        "{name} follows by file and position, not by GTID",
        "STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION=1; START REPLICA",
        lambda s, _: _when(s.main is not None and not s.main.auto_position),
    ),
    ServerRow(
        "delayed",
        WARNING,
        "{name} applies with a delay of {detail}: it will not be promoted",
        "SOURCE_DELAY=0, or say promote: never",
        lambda s, _: _when(s.main is not None and s.main.delay > 0, f"{s.main.delay} s" if s.main else ""),
    ),
    ServerRow(
        "filtered",
        WARNING,
        "{name} does not get everything, by {detail}: it will not be promoted",
        "remove the filters and rebuild it, or say promote: never",
        lambda s, _: ", ".join(s.main.filters) or None if s.main is not None else None,
    ),
    ServerRow(
        "short-logs",
        WARNING,
        "{name} keeps its binary logs for {detail} only: what comes back later than that cannot be attached",
        "binlog_expire_logs_seconds of a day or more",
        lambda s, _: _when(0 < s.settings.keeps_logs < KEPT_LOGS, f"{s.settings.keeps_logs:g} s"),
    ),
    ServerRow(
        "group-replication",
        ERROR,
        "{name} is a member of a replication group: failoverd does not manage groups",
        "leave the group, or leave the cluster to what manages the group",
        lambda s, _: _when(any(c.name.startswith("group_replication") for c in s.channels)),
    ),
    ServerRow(
        "circular",
        ERROR,
        "{name} takes writes and follows another server, {detail}",
        "RESET REPLICA ALL there, after its sets were compared: one primary follows nobody",
        lambda s, _: _when(s.writable and s.main is not None, s.main.source if s.main else ""),
    ),
    ServerRow(
        "checksum",
        WARNING,
        "the logs of {name} carry no checksums ({detail}): damage could be applied in silence",
        "set binlog_checksum=CRC32",
        lambda s, _: _when(s.settings.binlog_checksum.upper() != "CRC32", s.settings.binlog_checksum),
    ),
    ServerRow(
        "durability",
        WARNING,
        "a crash of its host can take acknowledged transactions from {name} ({detail})",
        "set both to 1",
        _durability,
    ),
    ServerRow(
        "commit-order",
        WARNING,
        "{name} commits out of order: a crash can leave gaps that a promotion would keep",
        "set replica_preserve_commit_order=ON",
        lambda s, _: _when(not s.settings.preserve_commit_order),
    ),
    ServerRow(
        "relay-log-recovery",
        WARNING,
        "{name} throws its relay logs away when it starts: they can be the only copy of what a dead primary sent",
        "set relay_log_recovery=OFF",
        lambda s, _: _when(s.settings.relay_log_recovery),
    ),
    ServerRow(
        "slow-heartbeat",
        WARNING,
        "{name} gets a heartbeat only every {detail}: it testifies late that its source is gone",
        "replication.tune: true, or SOURCE_HEARTBEAT_PERIOD on the replica",
        _slow_heartbeat,
    ),
    ServerRow(
        "long-net-timeout",
        WARNING,
        "{name} waits {detail} before it gives a silent source up",
        "replication.tune: true, or replica_net_timeout on the replica",
        _long_timeout,
    ),
    ServerRow("lag", WARNING, "{name} is {detail} behind", "a failover to it would wait for that", _behind),
    ServerRow(
        "offline-mode",
        ERROR,
        "{name} is in offline mode: clients cannot connect",
        "SET GLOBAL offline_mode=OFF",
        lambda s, _: _when(s.offline_mode),
    ),
)
