"""Is everything there that a failover will need: tables whose rows are what `check` says, each with a remedy.

What a verdict shows about single servers (decide/problems.py) is a part of it; the rows here are about settings, rights
and the cluster as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from failoverd.decide import candidate, grants, problems
from failoverd.decide.situation import Situation
from failoverd.model.finding import Finding, Severity
from failoverd.model.history import History
from failoverd.model.host import AgentSilent
from failoverd.model.policy import ClusterPolicy, Reaction
from failoverd.model.sight import ServerState
from failoverd.model.snapshot import TopologySnapshot

# A replica that is further behind would hold a failover up (seconds).
LAG = 10.0
# The rows of decide/problems.py that are said better here.
_SAID_HERE = frozenset({"agent"})
_LESS = frozenset({"other-channels"})


@dataclass(frozen=True, slots=True)
class Ground:
    """What the cluster-wide rows look at; `managers` are the active one and those in line, None where nobody asked."""

    situation: Situation
    held: Mapping[str, frozenset[str]]
    coordination: str = "ok"
    managers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ServerRow:
    """One thing that can be wrong with a server that answers; `found` gives a detail for the sentence, or None."""

    id: str
    severity: Severity
    sentence: str
    hint: str
    found: Callable[[ServerState, ClusterPolicy], str | None]


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """One thing that can be wrong with the cluster as a whole."""

    id: str
    severity: Severity
    sentence: str
    hint: str
    found: Callable[[Ground], str | None]


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


def _twice(ground: Ground, attribute: str) -> str | None:
    """Servers that share what must be each one's own."""
    seen: dict[object, str] = {}
    for state in ground.situation.snapshot.reached():
        value = getattr(state, attribute)
        first = seen.setdefault(value, state.name)
        if first != state.name:
            return f"{first} and {state.name} ({value})"
    return None


def _winner(ground: Ground) -> str:
    s = ground.situation
    return candidate.rank(s.snapshot, s.history, s.policy).elect


def _losers(ground: Ground) -> str:
    s = ground.situation
    return "; ".join(f"{name}: {why}" for name, why in candidate.rank(s.snapshot, s.history, s.policy).why_not)


def _said_only(ground: Ground) -> str | None:
    policy = ground.situation.policy.failover
    return _when(policy.automatic and Reaction.ALERT in {policy.on.dead, policy.on.frozen}, "")


def _paused(ground: Ground) -> str | None:
    pause = ground.situation.history.paused
    return f"{pause.by}: {pause.reason}" if pause else None


CLUSTER_ROWS: tuple[ClusterRow, ...] = (
    ClusterRow(
        "coordination-lost",
        ERROR,
        "ZooKeeper cannot be reached: nobody would act",
        "look at the ensemble and at the way to it",
        lambda g: _when(g.coordination == "lost"),
    ),
    ClusterRow(
        "no-manager",
        WARNING,
        "no manager is active: nobody would notice",
        "start failoverd run, as a service on at least two hosts",
        lambda g: _when(g.managers == ()),
    ),
    ClusterRow(
        "no-standby",
        WARNING,
        "there is no standby manager: {detail} is alone",
        "start failoverd run on another host",
        lambda g: g.managers[0] if g.coordination == "ok" and g.managers and len(g.managers) == 1 else None,
    ),
    ClusterRow(
        "local-coordination",
        WARNING,
        "coordination is local: there is no standby, and commands work on this host only",
        "name a ZooKeeper ensemble in the section zookeeper",
        lambda g: _when(g.coordination == "local"),
    ),
    ClusterRow(
        "no-candidate",
        ERROR,
        "nobody could be promoted: {detail}",
        "mend one of them",
        lambda g: _when(not _winner(g), _losers(g) or "there is no other server"),
    ),
    ClusterRow(
        "same-uuid",
        ERROR,
        "servers share a server_uuid: {detail}",
        "stop one, remove its auto.cnf, start it again",
        lambda g: _twice(g, "server_uuid"),
    ),
    ClusterRow(
        "same-id", ERROR, "servers share a server_id: {detail}", "give each its own", lambda g: _twice(g, "server_id")
    ),
    ClusterRow(
        "not-automatic",
        WARNING,
        "the manager does not fail over by itself",
        "failover.automatic: true, or be there to run failoverd failover",
        lambda g: _when(not g.situation.policy.failover.automatic),
    ),
    ClusterRow(
        "alert-only",
        WARNING,
        "a dead or frozen primary leads to an alert only",
        "failover.on says what each verdict leads to",
        _said_only,
    ),
    ClusterRow("paused", WARNING, "paused by {detail}", "failoverd acts again when the pause ends", _paused),
    ClusterRow(
        "unfenced-window",
        OK,
        "fencing is best-effort: a primary whose whole host is cut off but lives may go on taking writes",
        "failover.fencing: required waits for a proven fence instead",
        lambda g: _when(g.situation.policy.failover.fencing == "best-effort"),
    ),
    ClusterRow("candidate", OK, "{detail} would win now", "", lambda g: _winner(g) or None),
)

AGENT_HINTS: Mapping[str, str] = {
    "missing": "failoverd agent install {cluster} {name}",
    "old": "failoverd agent install {cluster} {name} --upgrade",
    "unreachable": "look at sshd there, ssh.user and ssh.key_file, and at the host's key in ssh.known_hosts",
}


def findings(
    snapshot: TopologySnapshot,
    history: History,
    policy: ClusterPolicy,
    held: Mapping[str, frozenset[str]],
    coordination: str = "ok",
    managers: tuple[str, ...] | None = None,
) -> tuple[Finding, ...]:
    """Everything that `check` says about a cluster: what is wrong, and one word for each server where nothing is.

    `held` are the privileges found on each server that was asked, as `grants.held` reads them. `coordination` is the
    published word; `managers` the active one and those in line, None where nobody asked.
    """
    situation = Situation(snapshot, history, policy, snapshot.taken_at, 0.0)
    ground = Ground(situation, held, coordination, managers)
    found = list(about_cluster(ground))
    for spec in policy.servers:
        said = tuple(about_server(ground, spec.name))
        found += said
        if all(finding.severity is OK for finding in said):
            found.append(Finding("ready", policy.name, spec.name, f"{spec.name} is ready", severity=OK))
    return tuple(found)


def about_cluster(ground: Ground, rows: tuple[ClusterRow, ...] = CLUSTER_ROWS) -> Iterator[Finding]:
    """The rows about the cluster as a whole that fire."""
    for row in rows:
        detail = row.found(ground)
        if detail is not None:
            yield Finding(
                row.id, ground.situation.policy.name, "", row.sentence.format(detail=detail), row.hint, row.severity
            )


def about_server(ground: Ground, name: str, rows: tuple[ServerRow, ...] = SERVER_ROWS) -> Iterator[Finding]:
    """The rows about one server that fire: what a verdict shows, its settings, our rights there, its agent."""
    cluster = ground.situation.policy.name
    for problem in problems.problems(ground.situation):
        if problem.server == name and problem.id not in _SAID_HERE:
            severity = WARNING if problem.id in _LESS else ERROR
            yield Finding(problem.id, cluster, name, problem.sentence, problem.hint, severity)
    state = ground.situation.snapshot.state(name)
    for row in rows if state is not None else ():
        detail = row.found(state, ground.situation.policy) if state is not None else None
        if detail is not None:
            yield Finding(row.id, cluster, name, row.sentence.format(name=name, detail=detail), row.hint, row.severity)
    yield from about_rights(ground, name)
    yield from about_agent(ground, name)


def about_rights(ground: Ground, name: str) -> Iterator[Finding]:
    """Privileges that our account lacks, one word where it lacks none; nothing on a server that cannot be asked."""
    cluster = ground.situation.policy.name
    if name not in ground.held:
        if ground.situation.snapshot.state(name) is not None:
            sentence, hint = f"what our account may do on {name} could not be read", "SHOW GRANTS as our account"
            yield Finding(grants.UNREAD_GRANTS, cluster, name, sentence, hint, WARNING)
        return
    lacking = grants.lacking(ground.held[name])
    if not lacking:
        yield Finding(grants.ALL_GRANTED, cluster, name, f"our account on {name} has every right it needs", severity=OK)
    for privilege in lacking:
        yield Finding(
            grants.MISSING_GRANT,
            cluster,
            name,
            f"our account on {name} lacks {privilege.name}, needed for {privilege.used_for}",
            f"GRANT {privilege.name} ON {privilege.on} TO our account",
            ERROR if privilege.needed else WARNING,
        )


def about_agent(ground: Ground, name: str) -> Iterator[Finding]:
    """An agent that does not answer, or may not do what needs more rights."""
    cluster = ground.situation.policy.name
    sight = ground.situation.snapshot.hosts.get(name)
    if sight is None:
        sentence = f"the agent of {name} was not asked: no salvage from its host, no fence"
        yield Finding(
            "agent-missing", cluster, name, sentence, AGENT_HINTS["missing"].format(cluster=cluster, name=name)
        )
    elif isinstance(sight, AgentSilent):
        hint = AGENT_HINTS.get(sight.state, AGENT_HINTS["unreachable"]).format(cluster=cluster, name=name)
        sentence = f"the agent of {name} is {sight.state}: {sight.text}"
        yield Finding(f"agent-{sight.state}", cluster, name, sentence, hint)
    elif sight.door != "ok":
        sentence = f"the agent of {name} may read but not fence or splice: {sight.door}"
        yield Finding("agent-door", cluster, name, sentence, "the sudoers line that failoverd agent install prints")
