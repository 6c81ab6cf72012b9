"""RECOVER: which part of what the elect lacks comes from where, from as few places as possible."""

from __future__ import annotations

from dataclasses import replace

from failoverd.gtid import GtidSet
from failoverd.model.host import AgentSilent
from failoverd.model.plans import Group
from failoverd.model.policy import ClusterPolicy
from failoverd.model.ranking import Ranking
from failoverd.model.sight import ServerState
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.sources import Route, Source, can_execute, sources_for
from failoverd.model.steps import (
    Drain,
    EndPartial,
    Fetch,
    RelaxDurability,
    RestoreDurability,
    Splice,
    Stage,
    Step,
    Task,
)
from failoverd.plan.times import STATEMENT, bringing


def choose_sources(need: GtidSet, sources: tuple[Source, ...], *, deaf: bool = False) -> tuple[Source, ...]:
    """As few sources as possible, each cut down to its part of the need; between equals the more trusted one.

    An elect whose agent is `deaf` can be laid no files: there replication comes first. Greedy by size of contribution.
    What nobody has is left over: the refusals name it.
    """
    chosen: list[Source] = []
    left = need
    while left:
        best = max(
            sources, key=lambda s: (len(s.gtids & left), deaf and s.route is Route.REPLICATION, -s.route), default=None
        )
        part = best.gtids & left if best is not None else GtidSet()
        if best is None or not part:
            break
        chosen.append(replace(best, gtids=part, size=share(best, part)))
        left -= part
    return tuple(sorted(chosen, key=lambda source: source.route))


def share(source: Source, part: GtidSet) -> int:
    """Bytes of a part, by its share of the transactions."""
    return source.size * len(part) // max(len(source.gtids), 1)


def recovery_groups(
    snapshot: TopologySnapshot, policy: ClusterPolicy, ranking: Ranking, old_primary: str
) -> tuple[Group, ...]:
    """The steps that bring the elect to the target: one source after the other, because all use one channel of it.

    A half-received transaction goes first: its locks would hold up what is brought, and meet the first clients. The
    elect's own received rest drains while transactions are brought; the last step waits for the whole target. Around
    all of it stands, where the policy says so, that the elect forces nothing to its disk.
    """
    elect = snapshot.state(ranking.elect)
    if elect is None:
        return ()
    need = ranking.target - can_execute(elect)
    sources = sources_for(snapshot, elect.name, old_primary, dict(ranking.errant))
    steps: list[Step] = [EndPartial(elect.name)] if half_received(elect) else []
    deaf = isinstance(snapshot.hosts.get(elect.name), AgentSilent)
    steps += [bring(source, elect, policy) for source in choose_sources(need, sources, deaf=deaf)]
    if not ranking.target <= elect.executed:
        steps.append(Drain(elect.name, ranking.target))
    if policy.failover.relax_durability and any(isinstance(step, Splice | Fetch | Drain) for step in steps):
        steps = [RelaxDurability(elect.name), *steps, RestoreDurability(elect.name)]
    left = ranking.target - elect.executed
    return tuple(Group(Stage.RECOVER, (Task(step, patience(step, policy, left)),)) for step in steps)


def bring(source: Source, elect: ServerState, policy: ClusterPolicy) -> Step:
    """The step for one source: its log files by agents, or where there is no agent, replication from it."""
    if source.route is Route.REPLICATION:
        return Fetch(elect.name, source.server, policy.server(source.server).endpoint, source.gtids)
    return Splice(elect.name, source.server, source.kind, source.gtids, source.size, source.kept)


def half_received(state: ServerState) -> bool:
    """Whether an applier sits inside a transaction whose rest will never come."""
    return any(channel.queueing for channel in state.channels)


def patience(step: Step, policy: ClusterPolicy, left: GtidSet) -> float:
    """How long one step of recovery may take; `left` is what the elect has still to execute."""
    if isinstance(step, Splice):
        return bringing(step.gtids, step.size, policy.failover.salvage_timeout)
    if isinstance(step, RelaxDurability | RestoreDurability):
        return STATEMENT
    if isinstance(step, Fetch):
        return bringing(step.gtids, 0, policy.failover.salvage_timeout)
    return bringing(left, 0, policy.failover.drain_timeout)
