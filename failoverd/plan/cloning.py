"""Overwriting a server that came back with the data of another one."""

from __future__ import annotations

from failoverd.model.cloning import CloneData
from failoverd.model.plans import Group, Kind, Plan
from failoverd.model.policy import ClusterPolicy
from failoverd.model.stage import Stage
from failoverd.model.steps import Task
from failoverd.plan.times import CLONE


def plan_cloning(policy: ClusterPolicy, primary: str, server: str, donor: str) -> Plan:
    """On a server that is closed and claimed, with all that only it has kept elsewhere."""
    step = CloneData(server, donor, policy.server(donor).endpoint, primary)
    return Plan(policy.name, Kind.REJOIN, primary, "", (Group(Stage.RECOVER, (Task(step, CLONE),)),))
