"""A planned change of the primary in one plan, its undo, and what is left of it once the elect may be open.

Whatever can be done before the freeze is done before it; between the closing of the old primary and the opening of the
new one stands only what safety demands.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from failoverd.model.history import History
from failoverd.model.hooks import Point
from failoverd.model.plans import Group, Kind, Plan
from failoverd.model.policy import ClusterPolicy
from failoverd.model.ranking import Ranking
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.steps import (
    Acknowledge,
    AwaitAcks,
    CatchUp,
    CloseWrites,
    DisarmSource,
    FenceHost,
    ForgetSource,
    GetReady,
    IfItFails,
    KeepOut,
    LetIn,
    OpenWrites,
    PublishPrimary,
    ReleaseFence,
    Repoint,
    RunHooks,
    Stage,
    StartApplier,
    StartReceiver,
    Step,
    StopReceiver,
    StopWaiting,
    Task,
)
from failoverd.model.verdict import Refusal
from failoverd.plan import lossless
from failoverd.plan.estimate import Paces, eta, measured_rate
from failoverd.plan.failover import claims, filled
from failoverd.plan.hooks import hook_groups, hook_tasks, with_hooks
from failoverd.plan.repointing import Attachment, attachments
from failoverd.plan.times import FOLLOW, READY, STATEMENT
from failoverd.plan.traffic import leaving, traffic_group


def plan_switchover(
    snapshot: TopologySnapshot,
    history: History,
    policy: ClusterPolicy,
    ranking: Ranking,
    refusals: tuple[Refusal, ...] = (),
    paces: Paces = MappingProxyType({}),
) -> Plan:
    """The whole change; without an elect it has no steps. Steps are shown also under a refusal: it is never executed
    then.
    """
    old = history.recorded.name if history.recorded else ""
    groups: tuple[Group, ...] = ()
    found: tuple[Attachment, ...] = ()
    if ranking.elect:
        found = attachments(snapshot, history, policy, ranking)
        groups = filled(
            [*freezing(snapshot, policy, ranking.elect, old), *taking(snapshot, policy, ranking, old, found)]
        )
    untouched = tuple((a.server, a.why_not) for a in found if a.why_not)
    return Plan(
        cluster=policy.name,
        kind=Kind.SWITCHOVER,
        old_primary=old,
        elect=ranking.elect,
        groups=groups,
        why_not=ranking.why_not,
        refusals=refusals,
        errant=ranking.errant,
        left_alone=untouched,
        eta=eta(groups, snapshot, paces) if groups else None,
        apply_rate=measured_rate(ranking.elect, paces),
    )


def freezing(snapshot: TopologySnapshot, policy: ClusterPolicy, elect: str, old: str) -> list[Group]:
    """Claim, wait for a good moment, close the old primary, let the elect catch up, keep clients off the old one."""
    budget = policy.switchover.freeze_budget
    claiming = tuple(
        replace(task, if_it_fails=IfItFails.STOP) if task.step.server in {elect, old} else task
        for task in claims(snapshot).tasks
    )
    return [
        Group(Stage.CHECK, claiming),
        *hook_groups(policy, Stage.CHECK, Point.ON_VALIDATED),
        Group(Stage.CHECK, (Task(GetReady(elect, old), READY),)),
        *hook_groups(policy, Stage.CHECK, Point.BEFORE_FREEZE),
        Group(Stage.FREEZE, (Task(CloseWrites(old), 2 * budget),)),
        with_hooks(Group(Stage.FREEZE, (Task(CatchUp(elect, old), budget),)), hook_tasks(policy, "", Point.ON_FROZEN)),
        Group(Stage.FREEZE, (Task(KeepOut(old), STATEMENT), Task(DisarmSource(elect), STATEMENT))),
    ]


def taking(
    snapshot: TopologySnapshot, policy: ClusterPolicy, ranking: Ranking, old: str, found: tuple[Attachment, ...]
) -> list[Group]:
    """Open the elect and bring the others to it, the old primary among them; in lossless mode they come first."""
    elect = ranking.elect
    opening = [
        Group(Stage.PROMOTE, (Task(OpenWrites(elect), STATEMENT),)),
        Group(Stage.PROMOTE, (Task(PublishPrimary(elect), STATEMENT),)),
        traffic_group(policy, elect),
    ]
    ending = (
        Task(LetIn(old), STATEMENT, IfItFails.GO_ON),
        # whoever died between giving it a source and starting that left an applier that nobody would start
        Task(StartApplier(old), STATEMENT, IfItFails.GO_ON),
        Task(ForgetSource(elect), STATEMENT, IfItFails.GO_ON),
        *leaving(snapshot, policy, elect, alive=old),
        *hook_tasks(policy, elect, Point.ON_PROMOTED, Point.ON_TRAFFIC_MOVED),
    )
    if not policy.lossless:
        return [*opening, Group(Stage.REPOINT, (*demoted(policy, elect, old), *moved(policy, found), *ending))]
    everybody = (*found, Attachment(old, elect))
    first = Group(Stage.REPOINT, (Task(StopWaiting(old), STATEMENT),))
    ackers = lossless.acknowledging(snapshot, policy, elect, everybody)
    follow = lossless.followers(snapshot, policy, everybody)
    return [first, follow, lossless.waiting(policy, elect, ackers), *opening, Group(Stage.REPOINT, ending)]


def demoted(policy: ClusterPolicy, elect: str, old: str) -> tuple[Task, ...]:
    """The old primary follows the new one."""
    return (Task(Repoint(old, elect, policy.server(elect).endpoint), FOLLOW, IfItFails.GO_ON),)


def moved(policy: ClusterPolicy, found: tuple[Attachment, ...]) -> tuple[Task, ...]:
    """The other replicas; who follows another replica stays with it."""
    return tuple(
        Task(Repoint(a.server, a.source, policy.server(a.source).endpoint), FOLLOW, IfItFails.GO_ON)
        for a in found
        if not a.why_not
    )


def plan_completion(snapshot: TopologySnapshot, history: History, policy: ClusterPolicy, elect: str) -> Plan:
    """Only forward, from an elect that may be open. An old primary that does not answer is not waited for: it was
    closed before the elect was chosen for good, and starts closed.
    """
    old = history.recorded.name if history.recorded else ""
    ranking = Ranking(elect=elect)
    whole = plan_switchover(snapshot, history, policy, ranking)
    gone = snapshot.state(old) is None
    follows = (state := snapshot.state(old)) is not None and state.main is not None
    groups = tuple(
        Group(group.stage, tuple(t for t in group.tasks if still_due(t.step, old, gone=gone, follows=follows)))
        for group in whole.groups
    )
    return replace(whole, groups=filled(list(groups)), eta=None)


def still_due(step: Step, old: str, *, gone: bool, follows: bool) -> bool:
    """Whether a step is part of a completion: nothing of an old primary that is gone, no closing of one that follows
    already.
    """
    if isinstance(step, GetReady) or (isinstance(step, RunHooks) and not step.new):
        return False
    if isinstance(step, CloseWrites | CatchUp | KeepOut):
        return not gone and not follows
    return not (gone and step.server == old)


def plan_taking_back(policy: ClusterPolicy, old: str, done: tuple[Step, ...]) -> Plan:
    """The way back from `done`, before the promote-intent: the old primary takes writes again first, the others follow.

    Whether it was closed, is offline or follows already, is asked of itself step by step.
    """
    closed = any(isinstance(step, CloseWrites) for step in done)
    first: list[Task] = []
    if any(isinstance(step, Repoint) and step.server == old for step in done):
        first.append(Task(ForgetSource(old), FOLLOW))
    if closed:
        first += [Task(LetIn(old), STATEMENT), Task(OpenWrites(old), STATEMENT)]
    held = {step.server for step in done if isinstance(step, FenceHost)}  # an elect that was given up
    first += [Task(ReleaseFence(name), STATEMENT, IfItFails.GO_ON) for name in sorted(held)]
    waiting = {step.server for step in done if isinstance(step, AwaitAcks)}
    first += [Task(StopWaiting(name), STATEMENT, IfItFails.GO_ON) for name in sorted(waiting)]
    elects = {step.server for step in done if isinstance(step, DisarmSource)}
    back = elects | {step.server for step in done if isinstance(step, Repoint) and step.source in elects} - {old}
    endpoint = policy.server(old).endpoint
    again = [Task(Acknowledge(name), STATEMENT, IfItFails.GO_ON) for name in sorted(waiting)]
    again += [Task(Repoint(name, old, endpoint), FOLLOW, IfItFails.GO_ON) for name in sorted(back)]
    silent = {step.server for step in done if isinstance(step, StopReceiver)} - back
    again += [Task(StartReceiver(name), STATEMENT, IfItFails.GO_ON) for name in sorted(silent)]
    groups = filled([Group(Stage.FREEZE, tuple(first)), Group(Stage.REPOINT, tuple(again))])
    return Plan(policy.name, Kind.SWITCHOVER, old, "", groups)
