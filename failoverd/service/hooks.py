"""People's own programs are told of verdicts, aside: watching goes on meanwhile."""

from __future__ import annotations

import json

from failoverd.execute.hooks import post
from failoverd.model.hooks import STAGES, Point
from failoverd.model.published import verdict_json
from failoverd.model.verdict import Verdict
from failoverd.service.world import Memory, World


def tell_verdict(world: World, memory: Memory, verdict: Verdict) -> None:
    """The active manager says what it makes of the cluster now."""
    hooks, policy = world.outside.hooks, world.policy.hooks
    if hooks is None or not policy.count(Point.ON_VERDICT):
        return
    recorded = memory.history.recorded
    old = recorded.name if recorded is not None else ""
    addresses = {spec.name: str(spec.endpoint) for spec in world.policy.servers}
    at = f"{world.eyes.clock.wall().timestamp():.3f}"
    told = {
        "CLUSTER": world.cluster,
        "OPERATION": "",
        "KIND": str(verdict.name),
        "EPOCH": str(memory.epoch),
        "STAGE": str(STAGES[Point.ON_VERDICT]),
        "HOOK": str(Point.ON_VERDICT),
        "OLD": old,
        "NEW": "",
        "OLD_ADDRESS": addresses.get(old, ""),
        "NEW_ADDRESS": "",
        "IDEMPOTENCY_KEY": f"{world.cluster}:{Point.ON_VERDICT}:{memory.epoch}:{at}",
    }
    post(hooks, policy, Point.ON_VERDICT, told, json.dumps(verdict_json(verdict)))
