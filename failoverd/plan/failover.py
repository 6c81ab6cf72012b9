"""A failover in two plans: the opening fixes positions, the closing is made on the fixed ones; a reopening in one."""

from __future__ import annotations

from types import MappingProxyType

from failoverd.gtid import GtidSet
from failoverd.model.history import History
from failoverd.model.hooks import Point
from failoverd.model.plans import Group, Kind, Plan
from failoverd.model.policy import ClusterPolicy
from failoverd.model.ranking import Ranking
from failoverd.model.sight import Thread, Why
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.sources import foreseen
from failoverd.model.steps import (
    SPLICE_CHANNEL,
    ClaimServer,
    CloseReturned,
    DisarmSource,
    Drain,
    DropSplice,
    FenceHost,
    FenceSession,
    ForgetSource,
    IfItFails,
    OpenWrites,
    PublishPrimary,
    ReleaseFence,
    Stage,
    StartReceiver,
    StopReceiver,
    Task,
)
from failoverd.model.verdict import Refusal
from failoverd.plan import lossless
from failoverd.plan.estimate import Paces, eta, measured_rate, size_of
from failoverd.plan.hooks import fence_hooks, hook_groups, hook_tasks, with_hooks
from failoverd.plan.recovery import recovery_groups
from failoverd.plan.repointing import Attachment, attachments, repoint_group
from failoverd.plan.times import CLAIM, RECEIVER, STATEMENT
from failoverd.plan.traffic import leaving, traffic_group

# The host answers although the server does not: its agent is worth the fencing time-out even if it was silent just now.
HOST_ANSWERS = frozenset({Why.REFUSED, Why.RESET, Why.LEAVING})


def plan_opening(snapshot: TopologySnapshot, history: History, policy: ClusterPolicy) -> Plan:
    """Claim every reachable server, then shut the old primary out and stop all receivers, side by side.

    Who wins is open until positions are fixed. Where only the old primary's own port can close it, its receivers get
    what it holds before they are stopped.
    """
    old = history.recorded.name if history.recorded else ""
    groups = [claims(snapshot), *hook_groups(policy, Stage.CHECK, Point.ON_VALIDATED, Point.BEFORE_FREEZE)]
    firm = must_be_fenced(snapshot, policy, old)
    fence = (*fence_tasks(snapshot, history, policy), *fence_hooks(policy, old, firm=firm))
    freeze = freeze_tasks(snapshot, policy, old) + left_splices(snapshot) + lossless.left_waiting(snapshot, old)
    fence += other_writers(snapshot, old)
    if any(isinstance(task.step, FenceSession) for task in fence):
        groups += [Group(Stage.FENCE, fence), Group(Stage.FREEZE, last_fetch(snapshot, policy, old))]
        groups.append(Group(Stage.FREEZE, freeze))
    else:
        groups.append(Group(Stage.FENCE, fence + freeze))
    groups += hook_groups(policy, Stage.FREEZE, Point.ON_FROZEN)
    return Plan(policy.name, Kind.FAILOVER, old, "", filled(groups))


def plan_closing(
    snapshot: TopologySnapshot,
    history: History,
    policy: ClusterPolicy,
    ranking: Ranking,
    refusals: tuple[Refusal, ...] = (),
) -> Plan:
    """From fixed positions to the end: recover, disarm, open, publish, repoint.

    `snapshot` holds the states of claimed servers and the scan results, `refusals` what stands after overrides; with a
    refusal or without an elect the plan has no steps.
    """
    old = history.recorded.name if history.recorded else ""
    found = attachments(snapshot, history, policy, ranking) if ranking.elect else ()
    groups: list[Group] = []
    if ranking.elect and not refusals:
        groups += recovery_groups(snapshot, policy, ranking, old)
        groups += takeover(snapshot, policy, ranking, found)
    untouched = tuple((a.server, a.why_not) for a in found if a.why_not)
    return Plan(
        cluster=policy.name,
        kind=Kind.FAILOVER,
        old_primary=old,
        elect=ranking.elect,
        groups=filled(groups),
        why_not=joined(ranking.why_not, untouched),
        refusals=refusals,
        target=ranking.target,
        missing=ranking.missing,
        errant=ranking.errant,
        left_alone=untouched,
    )


def takeover(
    snapshot: TopologySnapshot, policy: ClusterPolicy, ranking: Ranking, found: tuple[Attachment, ...]
) -> list[Group]:
    """Open the elect, then repoint the others; in lossless mode they follow and acknowledge before it is opened."""
    traffic = traffic_group(policy, ranking.elect)
    told = hook_tasks(policy, ranking.elect, Point.ON_PROMOTED, Point.ON_TRAFFIC_MOVED)
    beside = leaving(snapshot, policy, ranking.elect) + told
    if not policy.lossless:
        return [*promotion(ranking.elect), traffic, with_hooks(repoint_group(policy, ranking, found), beside)]
    disarm, *opening = promotion(ranking.elect)
    ackers = lossless.acknowledging(snapshot, policy, ranking.elect, found)
    wait = lossless.waiting(policy, ranking.elect, ackers)
    forget = Group(Stage.REPOINT, (Task(ForgetSource(ranking.elect), STATEMENT, IfItFails.GO_ON),))
    return [disarm, lossless.followers(snapshot, policy, found), wait, *opening, traffic, with_hooks(forget, beside)]


def predict(
    snapshot: TopologySnapshot,
    history: History,
    policy: ClusterPolicy,
    ranking: Ranking,
    refusals: tuple[Refusal, ...] = (),
    paces: Paces = MappingProxyType({}),
) -> Plan:
    """Opening and closing as they would be now, all steps shown even under a refusal; for people, never executed."""
    opening = plan_opening(snapshot, history, policy)
    closing = plan_closing(foreseen(snapshot, history), history, policy, ranking)
    groups = opening.groups + closing.groups
    return Plan(
        cluster=policy.name,
        kind=Kind.FAILOVER,
        old_primary=opening.old_primary,
        elect=closing.elect,
        groups=groups,
        why_not=closing.why_not,
        refusals=refusals,
        target=closing.target,
        missing=closing.missing,
        errant=closing.errant,
        left_alone=closing.left_alone,
        eta=eta(groups, snapshot, paces) if closing.elect else None,
        apply_rate=measured_rate(closing.elect, paces),
        missing_bytes=size_of(closing.missing, paces),
    )


def plan_reopen(
    snapshot: TopologySnapshot, history: History, policy: ClusterPolicy, refusals: tuple[Refusal, ...] = ()
) -> Plan:
    """Open the recorded primary after a restart: claim all, release a hold on it, open, publish, wake receivers."""
    old = history.recorded.name if history.recorded else ""
    groups = [claims(snapshot)]
    facts = snapshot.facts(old)
    if facts is not None and facts.fenced_epoch is not None:
        groups.append(Group(Stage.FENCE, (Task(ReleaseFence(old), policy.failover.fencing_timeout),)))
    if policy.lossless:
        groups.append(Group(Stage.REPOINT, given_up(snapshot, old)))
        groups += lossless.acknowledge_again(snapshot, policy, old)
    groups.append(Group(Stage.PROMOTE, (Task(OpenWrites(old), STATEMENT),)))
    groups.append(Group(Stage.PROMOTE, (Task(PublishPrimary(old), STATEMENT),)))
    groups.append(traffic_group(policy, old))
    groups.append(Group(Stage.REPOINT, given_up(snapshot, old) + leaving(snapshot, policy, old)))
    steps = filled(groups) if not refusals else ()
    return Plan(policy.name, Kind.REOPEN, old, old, steps, refusals=refusals)


def claims(snapshot: TopologySnapshot) -> Group:
    """Claim whoever answers; who could not be claimed is not eligible, and too few of them is a refusal."""
    tasks = [Task(ClaimServer(s.name), CLAIM, IfItFails.GO_ON) for s in snapshot.reached()]
    return Group(Stage.CHECK, tuple(tasks))


def must_be_fenced(snapshot: TopologySnapshot, policy: ClusterPolicy, old: str) -> bool:
    """Whether nothing goes on without a proven fence: people want it, or the old primary answers."""
    return policy.failover.fencing == "required" or snapshot.state(old) is not None


def fence_tasks(snapshot: TopologySnapshot, history: History, policy: ClusterPolicy) -> tuple[Task, ...]:
    """The strongest fence that can be had: the agent, else the server's own session, else none.

    A primary that answers is alive beyond doubt: without a fence that holds there would be two writers.
    """
    if history.recorded is None:
        return ()
    old = history.recorded
    last = not policy.hooks.count(Point.FENCE)  # else a hook comes behind
    fails = IfItFails.STOP if last and must_be_fenced(snapshot, policy, old.name) else IfItFails.GO_ON
    timeout = policy.failover.fencing_timeout
    hiccup = snapshot.agent_state(old.name) == "unreachable" and snapshot.missed(old.name).why in HOST_ANSWERS
    if snapshot.facts(old.name) is not None or hiccup:
        return (Task(FenceHost(old.name, old.server_uuid, policy.server(old.name).hold), timeout, fails),)
    if snapshot.state(old.name) is not None:
        return (Task(FenceSession(old.name), timeout, fails),)
    return ()


def other_writers(snapshot: TopologySnapshot, old: str) -> tuple[Task, ...]:
    """Close whoever else takes writes, as an earlier primary does that nobody could fence: else there would be two.

    Also in maintenance: one writer stands above being left alone.
    """
    return tuple(Task(CloseReturned(s.name), STATEMENT) for s in snapshot.writable() if old and s.name != old)


def freeze_tasks(snapshot: TopologySnapshot, policy: ClusterPolicy, old: str) -> tuple[Task, ...]:
    """Stop every replica's receiver, also one that is stopped: the step confirms it. Maintenance is left alone."""
    return tuple(
        Task(StopReceiver(s.name), RECEIVER, IfItFails.GO_ON)
        for s in snapshot.reached()
        if s.name != old and s.main is not None and not policy.server(s.name).maintenance
    )


def left_splices(snapshot: TopologySnapshot) -> tuple[Task, ...]:
    """The splice channels that an interrupted recovery has left: no source can be changed beside one."""
    return tuple(
        Task(DropSplice(s.name), STATEMENT, IfItFails.GO_ON)
        for s in snapshot.reached()
        if any(channel.name == SPLICE_CHANNEL for channel in s.channels)
    )


def last_fetch(snapshot: TopologySnapshot, policy: ClusterPolicy, old: str) -> tuple[Task, ...]:
    """Let running receivers bring what a closed but living primary holds, before they are stopped."""
    primary = snapshot.state(old)
    held = primary.executed if primary is not None else GtidSet()
    return tuple(
        Task(Drain(s.name, held), policy.failover.salvage_timeout, IfItFails.GO_ON)
        for s in snapshot.reached()
        if s.name != old and s.main is not None and s.main.receiver is Thread.YES and not held <= s.executed
    )


def promotion(elect: str) -> list[Group]:
    """Disarm, open (the point of no return), publish: one after the other."""
    steps = (DisarmSource(elect), OpenWrites(elect), PublishPrimary(elect))
    return [Group(Stage.PROMOTE, (Task(step, STATEMENT),)) for step in steps]


def given_up(snapshot: TopologySnapshot, primary: str) -> tuple[Task, ...]:
    """Receivers that stopped by an error while the primary was away; one that a person stopped has none and stays."""
    return tuple(
        Task(StartReceiver(s.name), STATEMENT, IfItFails.GO_ON)
        for s in snapshot.reached()
        if s.name != primary and s.main and s.main.receiver is Thread.NO and s.main.receiver_trouble
    )


def filled(groups: list[Group]) -> tuple[Group, ...]:
    """Groups that hold a step."""
    return tuple(group for group in groups if group.tasks)


def joined(why_not: tuple[tuple[str, str], ...], untouched: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Why each server lost, and behind it why it is left alone."""
    also = dict(untouched)
    named = {name for name, _ in why_not}
    both = [(name, "; ".join(filter(None, (why, also.get(name, ""))))) for name, why in why_not]
    return (*both, *(pair for pair in untouched if pair[0] not in named))
