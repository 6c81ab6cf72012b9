"""Servers that came back or lost their way are attached again, one at a time; what diverged is closed, no more."""

from __future__ import annotations

from dataclasses import replace

from failoverd.decide.judge import forbidden
from failoverd.decide.refusals import standing
from failoverd.decide.rejoining import connected, held, returning, source_for, tail
from failoverd.decide.situation import Situation
from failoverd.execute.hands import Hands
from failoverd.model.divergence import Cure
from failoverd.model.errors import StepFailed
from failoverd.model.plans import Kind, Plan, ReplicaResult, Request
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.verdict import Refusal
from failoverd.observe.look import Interest, look
from failoverd.plan.rejoin import plan_amending, plan_attaching, plan_closing_it, plan_keeping, plan_proving
from failoverd.service.cloning import by_policy, overwriting, with_sides
from failoverd.service.errant import find, judged_tail
from failoverd.service.operation import AUTOMATIC, asked_anew, foresee, situation_of
from failoverd.service.world import Again, Memory, Occasion, World

# What could not be attached is tried again after this, each time later (seconds).
PAUSE_FIRST = 2.0
PAUSE_MOST = 300.0
# A receiver connects within this, or what keeps it from that is for people (seconds).
CONNECT_SECONDS = 3.0
CONNECT_PAUSE = 0.1
_PLAIN = Interest()


def wish_for(world: World, server: str) -> Request:
    """The manager's own wish to attach a server."""
    return Request(world.cluster, Kind.REJOIN, AUTOMATIC, server)


def due(world: World, memory: Memory, occasion: Occasion) -> Request | None:
    """The first server that is to be attached by the manager itself now; None where nobody is, or nobody may be."""
    now = world.eyes.clock.now()
    found = returning(situation_of(world, occasion, None), memory.comings)
    memory.again = {one.server: memory.again[one.server] for one in found if one.server in memory.again}
    for one in found:
        again, request = memory.again.get(one.server, Again()), wish_for(world, one.server)
        if again.at > now:
            continue
        plan = foresee(world, occasion, Kind.REJOIN, request)
        wished = by_policy(world, request, plan)
        if wished is not None:
            request, plan = wished, foresee(world, occasion, Kind.REJOIN, wished)
        if not plan.refusals:
            memory.again[one.server] = later(again, now, "")
            world.log.info("server returns", server=one.server, why=one.sentence, source=one.source)
            return request
        why = "; ".join(refusal.sentence for refusal in plan.refusals)
        if why != again.why:
            world.log.warning("server not attached", server=one.server, why=why)
        memory.again[one.server] = later(again, now, why) if wished is not None else Again(now, again.pause, why)
    return None


def later(before: Again, now: float, why: str) -> Again:
    """When it is tried again if this time does not help."""
    pause = min(max(2 * before.pause, PAUSE_FIRST), PAUSE_MOST)
    return Again(now + pause, pause, why)


def foretell(world: World, occasion: Occasion, request: Request) -> Plan:
    """All of it as it would be now, with everything that stands against it; for people, never executed."""
    occasion = asked_anew(world, occasion, request.to)
    situation = situation_of(world, occasion, request)
    refusals = forbidden(situation, Kind.REJOIN)
    if held(situation) is not None:
        return replace(foresee(world, occasion, Kind.REJOIN, request), refusals=refusals)
    wish = request.resolution
    if request.overwrites is not None:
        return foretold_overwriting(world, situation, request)
    if wish is not None:
        amending = plan_amending(world.policy, situation.recorded.name, request.to, wish)
        first = replace(foresee(world, occasion, Kind.REJOIN, request), groups=amending.groups)
        replays = wish.cure is Cure.REPLAY
        refusals = tuple(r for r in refusals if not (replays and r.id == "diverged"))
        then = replace(attaching(situation), groups=()) if replays else attaching(situation)
        return replace(then, groups=(*first.groups, *then.groups), refusals=refusals)
    first, then = foresee(world, occasion, Kind.REJOIN, request), attaching(situation)
    return replace(then, groups=(*first.groups, *then.groups), refusals=refusals)


def foretold_overwriting(world: World, situation: Situation, request: Request) -> Plan:
    """The same for a server that is to be overwritten."""
    situation = with_sides(world, situation)
    refusals = standing(forbidden(situation, Kind.REJOIN), request.overrides)
    first = plan_closing_it(world.policy, situation.recorded.name, request.to, refusals)
    return first if refusals else replace(first, groups=(*first.groups, *overwriting(situation, request).groups))


def attaching(situation: Situation) -> Plan:
    """The second half of the plan, on what the server is now."""
    name = situation.request.to if situation.request is not None else ""
    state = situation.snapshot.state(name)
    source = source_for(situation, state) if state is not None else ""
    return plan_attaching(situation.snapshot, situation.policy, situation.recorded.name, name, source)


def copying(world: World, occasion: Occasion, hands: Hands, request: Request) -> tuple[Plan, tuple[Refusal, ...]]:
    """The plan that overwrites the server, on a new look: it is closed and claimed, and what only it has is kept."""
    snapshot = look(world.eyes, world.policy, Interest(hosts=True))
    situation = with_sides(world, situation_of(world, replace(occasion, snapshot=snapshot), request))
    more, archive = tail(situation), world.outside.archive
    if more and (archive is None or not archive.kept(world.cluster, request.to, more)):
        situation = replace(situation, request=request.discarding_nothing())  # nothing goes that is not kept
    against = standing(forbidden(situation, Kind.REJOIN), hands.operation.overrides)
    return overwriting(situation, request) if not against else hands.operation.plan, against


def judged_again(world: World, occasion: Occasion, hands: Hands, request: Request) -> tuple[Plan, tuple[Refusal, ...]]:
    """The second half on a new look: the server is closed now and claimed by us, so what it holds cannot grow.

    One that was overwritten may follow already, by the donor's settings, and must have nothing of its own now.
    """
    request = request.discarding_nothing()
    snapshot = look_for(world, hands.operation.plan.old_primary, Interest(hosts=True))
    sights = {**snapshot.sights, request.to: hands.claimed(request.to).read()}
    situation = situation_of(world, replace(occasion, snapshot=replace(snapshot, sights=sights)), request)
    return attaching(situation), standing(forbidden(situation, Kind.REJOIN), hands.operation.overrides)


def let_go_again(world: World, occasion: Occasion, request: Request) -> tuple[Plan | None, Plan]:
    """Both halves for a server that is held, on a new look: what only its log has is kept, then the hold ends."""
    snapshot = look(world.eyes, world.policy, Interest(hosts=True))
    again = replace(occasion, snapshot=snapshot)
    primary = snapshot.state(occasion.history.recorded.name) if occasion.history.recorded else None
    then = foresee(world, again, Kind.REJOIN, request)
    if primary is None or world.outside.archive is None:
        return None, then
    gtids, problem = find(world, snapshot, occasion.history, request.to)
    if problem:
        raise StepFailed(f"the log of {request.to} could not be read before it is let go", problem)
    if not gtids or world.outside.archive.kept(world.cluster, request.to, gtids):
        return None, then
    return plan_keeping(world.policy, primary.name, request.to, judged_tail(world, request.to, gtids)), then


def keeping(world: World, hands: Hands) -> Plan | None:
    """The plan that keeps what only this server has; None where it has nothing of its own, or that is kept already."""
    archive, server = world.outside.archive, hands.operation.to
    primary = hands.operation.plan.old_primary
    held = hands.claimed(server).read().holds  # before the primary's, which grows
    serving = look_for(world, primary).state(primary)
    if archive is None or serving is None:
        return None
    gtids = held - serving.executed
    if not gtids or archive.kept(world.cluster, server, gtids):
        return None
    return plan_keeping(world.policy, primary, server, judged_tail(world, server, gtids))


def look_for(world: World, server: str, interest: Interest = _PLAIN) -> TopologySnapshot:
    """A look in which this server answers; without it the last of as many as it takes to be missed."""
    seen = look(world.eyes, world.policy, interest)
    for _ in range(1, world.policy.detection.misses):
        if seen.state(server) is not None:
            break
        seen = look(world.eyes, world.policy, interest)
    return seen


def proving(world: World, hands: Hands) -> Plan | None:
    """The plan that shows what has become of a server that was attached; None where its source is no member."""
    server, primary = hands.operation.to, hands.operation.plan.old_primary
    state = look_for(world, server).state(server)
    main = state.main if state is not None else None
    names = [spec.name for spec in world.policy.servers if main is not None and spec.endpoint == main.source]
    asked = hands.operation.by != AUTOMATIC
    return plan_proving(world.policy, primary, server, names[0], asked=asked) if names else None


def connects(world: World, primary: str, server: str) -> ReplicaResult:
    """Look until its receiver has its source, or time is up, or the primary is missed, which matters more."""
    clock = world.eyes.clock
    end = clock.now() + CONNECT_SECONDS
    while True:
        snapshot = look_for(world, primary)
        state = snapshot.state(server)
        if state is not None and connected(state):
            return ReplicaResult(server, attached=True)
        if clock.now() > end or snapshot.state(primary) is None:
            trouble = state.main.receiver_trouble.text if state is not None and state.main is not None else ""
            return ReplicaResult(server, attached=False, problem=trouble or "its receiver has not connected yet")
        clock.sleep(CONNECT_PAUSE)
