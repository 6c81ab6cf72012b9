"""What `failoverd status` shows of one cluster, as plain JSON data: the last look, its verdict, who manages it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from failoverd.model.documents import parts, word
from failoverd.model.history import Pause
from failoverd.model.pace import UNKNOWN, Pace
from failoverd.model.plans import Report
from failoverd.model.policy import ClusterPolicy, ServerSpec
from failoverd.model.published import Json, problem_json, report_json, rounded, seconds, time_text, verdict_json
from failoverd.model.sight import Channel, ServerState, Thread
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.steps import NOWHERE
from failoverd.model.verdict import Verdict

_LAST = frozenset({"operation", "kind", "outcome", "old_primary", "new_primary", "ended", "outage_seconds", "lost"})


@dataclass(frozen=True, slots=True)
class Management:
    """Who manages a cluster; `coordination` is ok, lost or local, `operation` an open one as JSON data, `traffic` the
    clients' ways where any are configured, `paces` how fast each server was seen to apply,
    `last` the newest operation of each kind that this manager ended.
    """

    epoch: int = 0
    active_manager: str | None = None
    standby_managers: tuple[str, ...] = ()
    coordination: str = "local"
    paused: Pause | None = None
    operation: Mapping[str, object] | None = None
    paused_servers: tuple[Pause, ...] = ()
    traffic: Mapping[str, object] | None = None
    paces: Mapping[str, Pace] = field(default_factory=dict)
    last: tuple[Report, ...] = ()


def status_json(
    snapshot: TopologySnapshot, verdict: Verdict, policy: ClusterPolicy, management: Management, wall: float
) -> Json:
    """One cluster's entry in the `clusters` of the published status; `wall` is when the look was taken."""
    judged = verdict_json(verdict)
    return {
        "name": policy.name,
        **judged,
        "epoch": management.epoch,
        "active_manager": management.active_manager,
        "standby_managers": list(management.standby_managers),
        "coordination": management.coordination,
        "paused": pause_json(management.paused),
        "operation": dict(management.operation) if management.operation is not None else None,
        "last_operations": [last_json(report) for report in management.last],
        "traffic": management.traffic,
        "seen": time_text(wall),
        "answered_in": {name: round(took, 6) for name, took in snapshot.answered_in.items()},
        "servers": [
            {
                **server_json(snapshot, verdict, policy, spec),
                **pace_json(management.paces.get(spec.name, UNKNOWN)),
                "paused": pause_of(spec.name, management.paused_servers),
            }
            for spec in policy.servers
        ],
    }


def pace_json(pace: Pace) -> Json:
    """How fast a server applies (transactions a second) and how large they are (bytes); null where nobody knows."""
    return {"apply_rate": rounded(pace.rate), "transaction_bytes": rounded(pace.bytes_each)}


def paces_told(published: Mapping[str, object]) -> Mapping[str, Pace]:
    """The paces of a published status."""
    servers = published.get("servers")
    told = servers if isinstance(servers, list | tuple) else []
    return {str(s["name"]): Pace(s.get("apply_rate"), s.get("transaction_bytes")) for s in told}


def last_json(last: Report) -> Json:
    """An operation that was ended, in short: what it was, how it ended, what it cost."""
    return {key: value for key, value in report_json(last).items() if key in _LAST}


def pause_json(pause: Pause | None) -> Json | None:
    """A pause as published."""
    return None if pause is None else {"by": pause.by, "reason": pause.reason, "until": time_text(pause.until)}


def pause_of(server: str, pauses: tuple[Pause, ...]) -> Json | None:
    """The pause of one server as published."""
    return pause_json(next((pause for pause in pauses if pause.server == server), None))


def with_pauses(published: Mapping[str, object], pauses: tuple[Pause, ...]) -> Json:
    """A published status with the pauses that are on record now: the active manager may not have looked since."""
    return {
        **published,
        "paused": pause_of("", pauses),
        "servers": [{**s, "paused": pause_of(word(s, "name"), pauses)} for s in parts(published, "servers")],
    }


def server_json(snapshot: TopologySnapshot, verdict: Verdict, policy: ClusterPolicy, spec: ServerSpec) -> Json:
    """One server; what a look that did not reach it cannot know is null."""
    state = snapshot.state(spec.name)
    channel = state.main if state is not None else None
    return {
        "name": spec.name,
        "host": spec.endpoint.host,
        "port": spec.endpoint.port,
        "role": role(snapshot, verdict, policy, spec.name),
        "reachable": state is not None,
        "read_only": state.read_only if state is not None else None,
        "super_read_only": state.super_read_only if state is not None else None,
        "source": source_name(policy, channel),
        "receiver": str(channel.receiver) if channel is not None else None,
        "applier": "yes" if channel is not None and channel.applier is Thread.YES else "no" if channel else None,
        "gtid_executed": str(state.executed) if state is not None else None,
        "gtid_received": str(channel.received) if channel is not None else None,
        "lag_seconds": seconds(channel.lag_seconds) if channel is not None else None,
        "promote": str(spec.promote),
        "agent": snapshot.agent_state(spec.name),
        "problems": [problem_json(p) for p in verdict.problems if p.server == spec.name],
    }


def source_name(policy: ClusterPolicy, channel: Channel | None) -> str | None:
    """Whom a channel follows: by name where it is listed, by address where not, null for nobody."""
    if channel is None or channel.source.host == NOWHERE.host:
        return None
    return policy.named(channel.source) or str(channel.source)


def role(snapshot: TopologySnapshot, verdict: Verdict, policy: ClusterPolicy, name: str) -> str:
    """What a server is at the moment: primary, replica, intermediate, returning, diverged, unknown."""
    if name == verdict.primary:
        return "primary"
    state = snapshot.state(name)
    if state is None:
        return "unknown"
    if source_name(policy, state.main) is None:
        diverged = any(p.server == name and p.id == "errant" for p in verdict.problems)
        return "diverged" if diverged else "returning"
    return "intermediate" if followed(snapshot, state) else "replica"


def followed(snapshot: TopologySnapshot, state: ServerState) -> bool:
    """Whether another server's default channel follows this one."""
    others = (s.main for s in snapshot.reached() if s.name != state.name)
    return any(c is not None and (c.source == state.endpoint or c.source_uuid == state.server_uuid) for c in others)
