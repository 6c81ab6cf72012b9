"""REPOINT: whom each remaining replica follows afterwards, and which ones are left alone and why."""

from __future__ import annotations

from dataclasses import dataclass

from failoverd.model.history import History
from failoverd.model.plans import Group
from failoverd.model.policy import ClusterPolicy
from failoverd.model.ranking import Ranking
from failoverd.model.sight import ServerState, Thread
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.stall import PASSING
from failoverd.model.steps import ForgetSource, IfItFails, Repoint, Stage, Task
from failoverd.plan.times import FOLLOW, STATEMENT


@dataclass(frozen=True, slots=True)
class Attachment:
    """What becomes of one replica: whom it follows, or the sentence that says why it is left alone."""

    server: str
    source: str
    why_not: str = ""


def attachments(
    snapshot: TopologySnapshot, history: History, policy: ClusterPolicy, ranking: Ranking
) -> tuple[Attachment, ...]:
    """One attachment for every listed server that is neither the elect nor the old primary.

    A replica of another replica stays with it where that one is attached itself; otherwise it goes to the elect.
    """
    old = history.recorded.name if history.recorded else ""
    others = [spec for spec in policy.servers if spec.name not in {ranking.elect, old}]
    alone = {spec.name: left_alone(snapshot, policy, ranking, spec.name) for spec in others}
    able = {name for name, why in alone.items() if not why}
    return tuple(
        Attachment(spec.name, source_for(snapshot, policy, ranking.elect, able, spec.name), alone[spec.name])
        for spec in others
    )


def left_alone(snapshot: TopologySnapshot, policy: ClusterPolicy, ranking: Ranking, name: str) -> str:
    """What is not done with a replica, beside why it lost the election; empty when it may be repointed."""
    state = snapshot.state(name)
    if policy.server(name).maintenance:
        return "not touched"
    if state is None:
        return "not claimed"
    if name in dict(ranking.errant):
        return "not attached until its errant transactions are judged"
    if unapplied_and_stopped(state):
        return "not attached: its applier is stopped, and a change of source would throw away what it has received"
    return ""


def unapplied_and_stopped(state: ServerState) -> bool:
    """Whether a change of source would delete relay logs that are still needed; an applier that stopped for a passing
    reason is started first.
    """
    channel = state.main
    if channel is None or channel.applier is Thread.YES or channel.applier_trouble.code in PASSING:
        return False
    return not channel.received <= state.executed


def source_for(snapshot: TopologySnapshot, policy: ClusterPolicy, elect: str, able: set[str], name: str) -> str:
    """Its present source where that is a replica which is attached itself, else the elect."""
    state = snapshot.state(name)
    channel = state.main if state is not None else None
    source = policy.named(channel.source) if channel is not None else None
    circle = source is not None and leads_to(snapshot, policy, source, name)
    return source if source in able and source != name and source is not None and not circle else elect


def leads_to(snapshot: TopologySnapshot, policy: ClusterPolicy, start: str, end: str) -> bool:
    """Whether following sources upwards from `start` meets `end`; a circle counts as meeting."""
    seen: set[str] = set()
    name: str | None = start
    while name is not None and name not in seen:
        if name == end:
            return True
        seen.add(name)
        state = snapshot.state(name)
        name = policy.named(state.main.source) if state is not None and state.main is not None else None
    return name is not None


def repoint_group(policy: ClusterPolicy, ranking: Ranking, found: tuple[Attachment, ...]) -> Group:
    """All repoints and the removal of the elect's own channel, side by side; none of them holds up the others."""
    tasks = [
        Task(Repoint(a.server, a.source, policy.server(a.source).endpoint), FOLLOW, IfItFails.GO_ON)
        for a in found
        if not a.why_not
    ]
    tasks.append(Task(ForgetSource(ranking.elect), STATEMENT, IfItFails.GO_ON))
    return Group(Stage.REPOINT, tuple(tasks))
