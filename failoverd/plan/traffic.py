"""TRAFFIC: who gets the virtual address, what HAProxy is told, and then who loses the address."""

from __future__ import annotations

from failoverd.model.plans import Group
from failoverd.model.policy import ClusterPolicy
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.steps import IfItFails, LeaveAddress, Stage, SteerBalancers, TakeAddress, Task
from failoverd.plan.times import STATEMENT


def traffic_group(policy: ClusterPolicy, elect: str) -> Group:
    """Lead all clients to the elect. Nothing of it holds up the rest: what fails is reported, and mended later."""
    return Group(Stage.TRAFFIC, address_tasks(policy, elect) + balancer_tasks(policy, elect))


def address_tasks(policy: ClusterPolicy, elect: str) -> tuple[Task, ...]:
    """The address to the elect's host."""
    vip = policy.traffic.vip
    if vip is None:
        return ()
    return (Task(TakeAddress(elect, vip), policy.failover.fencing_timeout, IfItFails.GO_ON),)


def leaving(snapshot: TopologySnapshot, policy: ClusterPolicy, elect: str, alive: str = "") -> tuple[Task, ...]:
    """The address away from all others, once the elect has it: so there is no moment in which nobody answers clients.

    Only hosts whose agent answered are asked, and that of a server that is known to be `alive`: one that cannot be
    reached would only make everybody wait, and its fence has said already what became of it.
    """
    vip = policy.traffic.vip
    if vip is None:
        return ()
    asked = {spec.name for spec in policy.servers if snapshot.facts(spec.name) is not None} | {alive}
    others = [spec.name for spec in policy.servers if spec.name in asked - {elect}]
    timeout = policy.failover.fencing_timeout
    return tuple(Task(LeaveAddress(name, vip), timeout, IfItFails.GO_ON) for name in others)


def balancer_tasks(policy: ClusterPolicy, elect: str) -> tuple[Task, ...]:
    """Every HAProxy is told."""
    haproxy = policy.traffic.haproxy
    others = tuple(spec.name for spec in policy.servers if spec.name != elect)
    return () if haproxy is None else (Task(SteerBalancers(elect, others, haproxy), STATEMENT, IfItFails.GO_ON),)
