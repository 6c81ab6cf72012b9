"""Overwriting a server that came back: with the data of another one, or by people's own programs."""

from __future__ import annotations

from failoverd.model.cloning import CloneData
from failoverd.model.hooks import Point
from failoverd.model.plans import Group, Kind, Plan
from failoverd.model.policy import ClusterPolicy
from failoverd.model.stage import Stage
from failoverd.model.steps import RebuildByHook, Task
from failoverd.plan.hooks import limit
from failoverd.plan.times import CLONE


def plan_cloning(policy: ClusterPolicy, primary: str, server: str, donor: str) -> Plan:
    """On a server that is closed and claimed, with all that only it has kept elsewhere."""
    step = CloneData(server, donor, policy.server(donor).endpoint, primary)
    return Plan(policy.name, Kind.REJOIN, primary, "", (Group(Stage.RECOVER, (Task(step, CLONE),)),))


def plan_rebuilding(policy: ClusterPolicy, primary: str, server: str) -> Plan:
    """The same by the programs that stand at the point `rebuild`."""
    task = Task(RebuildByHook(server, primary), limit(policy, Point.REBUILD))
    return Plan(policy.name, Kind.REJOIN, primary, "", (Group(Stage.RECOVER, (task,)),))
