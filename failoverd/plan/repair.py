"""Mending a replica whose relay log is damaged: fetch anew where somebody living has it all, else copy, else name.

Nothing is skipped. The damaged files are kept first, and thrown away only when everything in them is executed here or
stands elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from failoverd.gtid import GtidSet
from failoverd.model.history import History
from failoverd.model.plans import Group, Kind, Plan
from failoverd.model.policy import ClusterPolicy
from failoverd.model.sight import Endpoint, ServerState
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.sources import Route, sources_for
from failoverd.model.steps import (
    ApplyReadable,
    ClaimServer,
    DropSplice,
    IfItFails,
    KeepLogs,
    Refetch,
    Splice,
    Stage,
    Task,
)
from failoverd.model.verdict import Refusal
from failoverd.plan.recovery import choose_sources
from failoverd.plan.times import CLAIM, FOLLOW, STATEMENT, bringing


def plan_reading(policy: ClusterPolicy, old_primary: str, server: str, refusals: tuple[Refusal, ...] = ()) -> Plan:
    """First: claim the server, keep its files, and let its applier get as far as it can."""
    groups = (
        Group(Stage.CHECK, (Task(ClaimServer(server), CLAIM),)),
        Group(Stage.FREEZE, (Task(KeepLogs(server), policy.failover.salvage_timeout, IfItFails.GO_ON),)),
        Group(Stage.RECOVER, (Task(DropSplice(server), STATEMENT),)),
        Group(Stage.RECOVER, (Task(ApplyReadable(server), bringing(GtidSet(), 0, policy.failover.drain_timeout)),)),
    )
    return Plan(policy.name, Kind.REPAIR, old_primary, "", groups if not refusals else (), refusals=refusals)


def plan_mending(
    snapshot: TopologySnapshot,
    history: History,
    policy: ClusterPolicy,
    server: str,
    errant: Mapping[str, GtidSet],
) -> Plan:
    """Then, on what is left: `snapshot` holds what its own relay logs and others' logs were found to hold.

    `missing` are the transactions that nobody can give back: with any of them the relay logs are left as they are.
    """
    old = history.recorded.name if history.recorded else ""
    state = snapshot.state(server)
    if state is None or state.main is None or healthy(state):
        return Plan(policy.name, Kind.REPAIR, old, "", ())
    need = needed(snapshot, history, server)
    givers = living(snapshot, history, policy, state, errant)
    giver = next((g for g in givers if need <= g.executed), None)
    if giver is not None:
        fetch = Task(Refetch(server, giver.name, giver.endpoint, giver.executed), FOLLOW)
        return Plan(policy.name, Kind.REPAIR, old, "", (Group(Stage.REPOINT, (fetch,)),))
    return copying(snapshot, policy, state, old, need)


def needed(snapshot: TopologySnapshot, history: History, server: str) -> GtidSet:
    """What a server has received and not executed, also where only its files tell: of those the legitimate part."""
    state = snapshot.state(server)
    if state is None:
        return GtidSet()
    lying = GtidSet()
    for holding in snapshot.holdings:
        if holding.server == server:
            lying |= holding.missing - state.executed
    uuid = history.recorded.server_uuid if history.recorded else ""
    return state.unapplied | (lying & (history.last_executed | lying.of_uuid(uuid)) if uuid else lying)


def healthy(state: ServerState) -> bool:
    """Whether there is nothing to mend: no damage was found, and the applier runs or has nothing left."""
    damaged = state.main is not None and bool(state.main.damage)
    return not damaged and state.applies


def living(
    snapshot: TopologySnapshot,
    history: History,
    policy: ClusterPolicy,
    state: ServerState,
    errant: Mapping[str, GtidSet],
) -> Iterator[ServerState]:
    """Who can send what this server lacks: its source first, then the primary, then anybody.

    Nobody with errant transactions, and nobody whose binary logs begin behind what the server has.
    """
    main = state.main
    names = [policy.named(main.source) if main is not None else None]
    names += [history.recorded.name if history.recorded else None, *(spec.name for spec in policy.servers)]
    for name in dict.fromkeys(filter(None, names)):
        giver = snapshot.state(name)
        if giver is None or name == state.name or name in errant:
            continue
        if follows(snapshot, policy, giver, state.name):
            continue
        if giver.purged <= state.executed and state.executed <= giver.executed:
            yield giver


def follows(snapshot: TopologySnapshot, policy: ClusterPolicy, state: ServerState, top: str) -> bool:
    """Whether a server gets what it has from that one, directly or through others."""
    seen: set[str] = set()
    at: ServerState | None = state
    while at is not None and at.main is not None and at.name not in seen:
        seen.add(at.name)
        name = policy.named(at.main.source)
        if name == top:
            return True
        at = snapshot.state(name) if name is not None else None
    return False


def copying(snapshot: TopologySnapshot, policy: ClusterPolicy, state: ServerState, old: str, need: GtidSet) -> Plan:
    """Copy what can be copied out of logs, its own included; begin new relay logs only when nothing is left in them."""
    logs = tuple(s for s in sources_for(snapshot, state.name, old, {}) if s.route is not Route.REPLICATION)
    chosen = choose_sources(need, logs)
    groups = []
    for source in chosen:
        splice = Splice(state.name, source.server, source.kind, source.gtids, source.size)
        patience = bringing(source.gtids, source.size, policy.failover.salvage_timeout)
        groups.append(Group(Stage.RECOVER, (Task(splice, patience),)))
        need -= source.gtids
    if not need and state.main is not None:
        endpoint: Endpoint = state.main.source
        name = policy.named(endpoint) or str(endpoint)
        groups.append(Group(Stage.REPOINT, (Task(Refetch(state.name, name, endpoint, GtidSet()), FOLLOW),)))
    return Plan(policy.name, Kind.REPAIR, old, "", tuple(groups), missing=need)
