"""Is it this cluster alone? What every active manager tells about its own, counted before one of them acts."""

from __future__ import annotations

from dataclasses import replace

from failoverd.decide.judge import judge
from failoverd.model.verdict import Advice, VerdictName
from failoverd.service.world import Memory, Occasion, World


def counted(world: World, memory: Memory, occasion: Occasion) -> Occasion:
    """The occasion judged again, where its verdict asks for a failover, on what the managers of all clusters tell.

    This cluster is told first: of clusters that fail in the same moment at least the later ones see the earlier ones.
    Raises CoordinationError.
    """
    verdict, history = occasion.verdict, memory.history
    if verdict.name is VerdictName.HEALTHY and history.failing_since is not None:
        memory.history = replace(history, failing_since=None, others_failing=())
    if verdict.advice is not Advice.FAIL_OVER:
        return occasion
    clock = world.eyes.clock
    wall = clock.wall().timestamp()
    since = history.failing_since
    if since is None:
        since = wall
        world.coordination.report_failing(occasion.lease, world.cluster, since)
    told = world.coordination.failing()
    others = tuple(sorted((name, at) for name, at in told.items() if name != world.cluster))
    memory.history = replace(history, failing_since=since, others_failing=others)
    again = judge(occasion.snapshot, memory.history, world.policy, clock.now(), wall)
    if again.refusals != verdict.refusals:
        memory.verdict = again
    return replace(occasion, history=memory.history, verdict=again)
