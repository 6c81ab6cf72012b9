"""Take back what an operation has done before the point of no return: after it there is only forward."""

from __future__ import annotations

from failoverd.model.errors import InvariantBroken
from failoverd.model.plans import Group, Kind, Plan
from failoverd.model.policy import ClusterPolicy
from failoverd.model.steps import (
    AwaitAcks,
    DisarmSource,
    DropSplice,
    EndPartial,
    FenceHost,
    FenceSession,
    Fetch,
    IfItFails,
    OpenWrites,
    RelaxDurability,
    ReleaseFence,
    Repoint,
    RestoreDurability,
    Splice,
    Stage,
    StartApplier,
    StartReceiver,
    Step,
    StopReceiver,
    StopWaiting,
    Task,
)
from failoverd.plan.times import FOLLOW, STATEMENT


def plan_undo(policy: ClusterPolicy, old_primary: str, done: tuple[Step, ...]) -> Plan:
    """The way back from `done`: steps that took effect or may have, in the order they were begun.

    The old primary comes first, so that replicas find it again: its hold is released, or it is opened where we closed
    it. Then receivers start again, towards the old primary where the source had been changed. Brought transactions
    stay: they are legitimate. InvariantBroken when writes may have been opened on another server.
    """
    opened = [step.server for step in done if isinstance(step, OpenWrites)]
    if opened:
        raise InvariantBroken(f"{opened[0]} may take writes already", "past the point of no return", "resume instead")
    first = [back for step in done if (back := reopened(step)) is not None]
    moved = {step.server for step in done if isinstance(step, DisarmSource | Repoint | Fetch)}
    halted = {step.server for step in done if isinstance(step, EndPartial)}
    stopped = {step.server for step in done if isinstance(step, StopReceiver)}
    endpoint = policy.server(old_primary).endpoint
    spliced = sorted({step.server for step in done if isinstance(step, Splice)})
    relaxed = sorted({step.server for step in done if isinstance(step, RelaxDurability)})
    then = [Task(RestoreDurability(name), STATEMENT, IfItFails.GO_ON) for name in relaxed]
    then += [Task(DropSplice(name), STATEMENT, IfItFails.GO_ON) for name in spliced]
    then += [Task(Repoint(name, old_primary, endpoint), FOLLOW, IfItFails.GO_ON) for name in sorted(moved)]
    then += [Task(StartReceiver(name), STATEMENT, IfItFails.GO_ON) for name in sorted(stopped - moved)]
    then += [Task(StartApplier(name), STATEMENT, IfItFails.GO_ON) for name in sorted(halted)]
    groups = (Group(Stage.FENCE, tuple(first)), Group(Stage.FREEZE, tuple(then)))
    return Plan(policy.name, Kind.FAILOVER, old_primary, "", tuple(g for g in groups if g.tasks))


def reopened(step: Step) -> Task | None:
    """What takes back one fence, or the waiting of a server that stays closed."""
    if isinstance(step, FenceHost):
        return Task(ReleaseFence(step.server), STATEMENT, IfItFails.GO_ON)
    if isinstance(step, AwaitAcks):
        return Task(StopWaiting(step.server), STATEMENT, IfItFails.GO_ON)
    if isinstance(step, FenceSession):
        return Task(OpenWrites(step.server), STATEMENT, IfItFails.GO_ON)
    return None
