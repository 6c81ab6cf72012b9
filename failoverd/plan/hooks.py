"""Where people's own programs stand in a plan; a point without hooks adds nothing."""

from __future__ import annotations

from dataclasses import replace

from failoverd.model.hooks import VETOING, Point
from failoverd.model.plans import Group
from failoverd.model.policy import ClusterPolicy
from failoverd.model.steps import FenceByHook, IfItFails, RunHooks, Stage, Task

# What the journal and the start of a process take, beside the hooks' own time (seconds).
AROUND = 2.0


def hook_tasks(policy: ClusterPolicy, new: str, *points: Point) -> tuple[Task, ...]:
    """The hooks of these points, in this order. Only a veto stops anything."""
    return tuple(
        Task(RunHooks(point, new), limit(policy, point), IfItFails.STOP if point in VETOING else IfItFails.GO_ON)
        for point in points
        if policy.hooks.count(point)
    )


def hook_groups(policy: ClusterPolicy, stage: Stage, *points: Point) -> list[Group]:
    """Each point in a group of its own, before anybody is to be opened."""
    return [Group(stage, (task,)) for task in hook_tasks(policy, "", *points)]


def with_hooks(group: Group, tasks: tuple[Task, ...]) -> Group:
    """The group with hooks (or whatever else waits for nobody) beside it, so that neither waits for the other."""
    return replace(group, tasks=(*group.tasks, *tasks))


def fence_hooks(policy: ClusterPolicy, old: str, *, firm: bool) -> tuple[Task, ...]:
    """The operator's own fence, after all others of the same server; `firm` where nothing goes on without one."""
    if not old or not policy.hooks.count(Point.FENCE):
        return ()
    fails = IfItFails.STOP if firm else IfItFails.GO_ON
    return (Task(FenceByHook(old), limit(policy, Point.FENCE), fails),)


def limit(policy: ClusterPolicy, point: Point) -> float:
    """How long all hooks of a point may take."""
    return policy.hooks.limit(point) * policy.hooks.count(point) + AROUND
