"""Promotion in lossless mode: others follow and acknowledge first, then the elect waits for them, then it is opened.

So the first commit finds somebody to acknowledge it, and whoever might have acknowledged to an unfenced old primary
follows another source before there is a new one.
"""

from __future__ import annotations

from failoverd.model.ackers import Staying, able, staying
from failoverd.model.plans import Group
from failoverd.model.policy import ClusterPolicy
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.steps import Acknowledge, AwaitAcks, GiveUpAcks, IfItFails, Repoint, Stage, StopWaiting, Task
from failoverd.plan.repointing import Attachment
from failoverd.plan.times import ACKNOWLEDGED, FOLLOW, STATEMENT


def followers(snapshot: TopologySnapshot, policy: ClusterPolicy, found: tuple[Attachment, ...]) -> Group:
    """Every replica that may be repointed: those that can acknowledge are made to before they connect."""
    tasks: list[Task] = []
    for one in (a for a in found if not a.why_not):
        state = snapshot.state(one.server)
        if state is not None and able(state, policy):
            tasks.append(Task(Acknowledge(one.server), STATEMENT, IfItFails.GO_ON))
        endpoint = policy.server(one.source).endpoint
        tasks.append(Task(Repoint(one.server, one.source, endpoint), FOLLOW, IfItFails.GO_ON))
    return Group(Stage.REPOINT, tuple(tasks))


def acknowledging(snapshot: TopologySnapshot, policy: ClusterPolicy, elect: str, found: tuple[Attachment, ...]) -> int:
    """How many of those that will follow the elect itself can acknowledge to it."""
    states = [snapshot.state(a.server) for a in found if not a.why_not and a.source == elect]
    return sum(state is not None and able(state, policy) for state in states)


def waiting(policy: ClusterPolicy, server: str, ackers: int) -> Group:
    """Let the commits of a server wait where enough replicas can acknowledge; else, as the refusals allow it, not."""
    wanted, degrade = policy.semi_sync.wait_count, policy.semi_sync.on_no_ackers == "degrade"
    if ackers < wanted:
        return Group(Stage.PROMOTE, (Task(GiveUpAcks(server), STATEMENT),))
    return Group(Stage.PROMOTE, (Task(AwaitAcks(server, wanted, degrade), ACKNOWLEDGED),))


def left_waiting(snapshot: TopologySnapshot, old: str) -> tuple[Task, ...]:
    """Closed servers that an interrupted promotion has left waiting: their own appliers would wait, too."""
    return tuple(
        Task(StopWaiting(s.name), STATEMENT, IfItFails.GO_ON)
        for s in snapshot.reached()
        if s.name != old and s.semi_sync.source_on and s.super_read_only
    )


def acknowledge_again(snapshot: TopologySnapshot, policy: ClusterPolicy, primary: str) -> list[Group]:
    """After a restart of the primary: its replicas acknowledge again, those that have lost it follow it again, and it
    waits for them. Nobody else would bring them back before it takes writes, and it takes none without them.
    """
    state = snapshot.state(primary)
    found = staying(snapshot, policy, state) if state is not None else Staying()
    endpoint = policy.server(primary).endpoint
    tasks: list[Task] = []
    for one in snapshot.reached():
        if one.name in {*found.own, *found.lost} and not one.semi_sync.replica_on:
            tasks.append(Task(Acknowledge(one.name), STATEMENT, IfItFails.GO_ON))
        if one.name in found.lost:
            tasks.append(Task(Repoint(one.name, primary, endpoint), FOLLOW, IfItFails.GO_ON))
    return [Group(Stage.REPOINT, tuple(tasks)), waiting(policy, primary, found.count)]
