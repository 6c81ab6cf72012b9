"""Who is overwritten, and how: a clone's sides are asked, its donor is chosen; by policy the manager wishes for one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from failoverd.decide.cloning import CURED, choose, donors
from failoverd.decide.situation import Situation
from failoverd.model.cloning import CloneSide, Overwrite
from failoverd.model.documents import parts, word
from failoverd.model.errors import CoordinationError
from failoverd.model.hooks import Point
from failoverd.model.plans import Kind, Plan, Request, Result
from failoverd.model.published import hook_pending
from failoverd.plan.cloning import plan_cloning, plan_rebuilding
from failoverd.service.world import World

# Each of them is asked on a session of its own (seconds).
ASKING = 3.0


def with_sides(world: World, situation: Situation) -> Situation:
    """The situation with what donors and recipient say of themselves, where a clone is wanted."""
    if situation.request is None or situation.request.clone is None:
        return situation
    names = tuple(dict.fromkeys((situation.request.to, *donors(situation))))
    asked = world.eyes.tasks.gather({name: asking(world, name) for name in names}, ASKING + 1.0)
    sides = tuple(
        answer if isinstance(answer, CloneSide) else CloneSide(name, problem=str(answer))
        for name, answer in asked.items()
    )
    return replace(situation, sides=sides)


def asking(world: World, name: str) -> Callable[[], CloneSide]:
    """The question to one server."""
    return lambda: world.eyes.servers.clone_side(world.cluster, name, ASKING)


def overwriting(situation: Situation, request: Request) -> Plan:
    """The plan on what was said; the donor or the program is there, or a refusal stands."""
    policy, primary = situation.policy, situation.recorded.name
    if request.rebuild is not None:
        return plan_rebuilding(policy, primary, request.to)
    return plan_cloning(policy, primary, request.to, choose(situation).donor)


def by_policy(world: World, request: Request, plan: Plan) -> Request | None:
    """The manager's wish for a clone where that is the policy and nothing else stands against attaching it."""
    against = {refusal.id for refusal in plan.refusals}
    if world.policy.rejoin != "clone" or not against or not against <= CURED:
        return None
    if "half-cloned" in against and rebuilding(world, request.to):
        return None
    return replace(request, clone=Overwrite(discard=True))


def rebuilding(world: World, server: str) -> bool:
    """Whether a person's program may be at work there still: its manager died beside it, and nothing has come to a good
    end there since. Also where the journals cannot be read: nobody overwrites what another may be writing.
    """
    try:
        for listed in world.coordination.operations(world.cluster):
            shown = world.coordination.operation(str(listed["operation"])) if listed["kind"] == Kind.REJOIN else None
            if shown is None or server not in {word(step, "server") for step in parts(shown, "steps")}:
                continue
            pending = any(name.startswith(f"{Point.REBUILD}/") for name in hook_pending(shown))
            if pending or shown["outcome"] == Result.DONE:
                return pending
    except CoordinationError:
        return True
    return False
