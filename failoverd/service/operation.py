"""An operation's beginning: what would happen, its record in the journal, and the means of acting."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from failoverd.decide.controlling import wished
from failoverd.decide.judge import forbidden, prospect
from failoverd.decide.refusals import LATE, standing
from failoverd.decide.rejoining import held, tail
from failoverd.decide.situation import Situation
from failoverd.decide.switching import switching
from failoverd.execute.control import standing_of
from failoverd.execute.hands import Hands, Means
from failoverd.model.control import Controls, Unattended
from failoverd.model.divergence import Cure
from failoverd.model.plans import Kind, Operation, Plan, Request, Requester
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.verdict import Refusal
from failoverd.observe.look import Interest, look
from failoverd.plan.failover import plan_reopen, predict
from failoverd.plan.rejoin import plan_closing_it, plan_letting_go
from failoverd.plan.repair import plan_reading
from failoverd.plan.switchover import plan_switchover
from failoverd.service.cloning import with_sides
from failoverd.service.world import Occasion, Tell, World

AUTOMATIC = Requester()


def situation_of(world: World, occasion: Occasion, request: Request | None) -> Situation:
    """The occasion as deciding takes it."""
    clock = world.eyes.clock
    now, wall = clock.now(), clock.wall().timestamp()
    return Situation(occasion.snapshot, occasion.history, world.policy, now, wall, request)


def asked_anew(world: World, occasion: Occasion, server: str) -> Occasion:
    """Where a server does not answer, its host is asked again: what was said lately, or not heard, may have changed."""
    if occasion.snapshot.state(server) is not None:
        return occasion
    hosts = look(world.eyes, world.policy, Interest(hosts=True)).hosts
    return replace(occasion, snapshot=replace(occasion.snapshot, hosts=hosts))


def foresee(world: World, occasion: Occasion, kind: Kind, request: Request | None) -> Plan:
    """The whole plan as it would be now, with every refusal that stands: people see it, and it opens the journal."""
    if kind is Kind.REJOIN and request is not None:
        occasion = asked_anew(world, occasion, request.to)
    situation = situation_of(world, occasion, request)
    if kind is Kind.REPAIR and request is not None:
        return plan_reading(world.policy, situation.recorded.name, request.to, forbidden(situation, kind))
    if kind is Kind.SWITCHOVER:
        ranking, against = switching(situation)
        snapshot = with_hosts(world, occasion.snapshot)
        return plan_switchover(snapshot, occasion.history, world.policy, ranking, against, occasion.paces)
    if kind is Kind.REJOIN and request is not None:
        situation = with_sides(world, situation)
        against = unbegun(situation, unkept(world, situation))
        if held(situation) is not None:
            return plan_letting_go(world.policy, situation.recorded.name, request.to, against)
        return plan_closing_it(world.policy, situation.recorded.name, request.to, against)
    overrides = request.overrides if request else frozenset()
    if kind is Kind.REOPEN:
        refusals = standing(forbidden(situation, kind), overrides)
        return plan_reopen(occasion.snapshot, occasion.history, world.policy, refusals)
    ranking, found = prospect(situation)
    refusals = standing(found, overrides)
    return predict(occasion.snapshot, occasion.history, world.policy, ranking, refusals, occasion.paces)


def with_hosts(world: World, snapshot: TopologySnapshot) -> TopologySnapshot:
    """What the agents say now, where an address has to be taken from one of their hosts."""
    if world.policy.traffic.vip is None or snapshot.hosts:
        return snapshot
    return replace(snapshot, hosts=look(world.eyes, world.policy, Interest(hosts=True)).hosts)


def unkept(world: World, situation: Situation) -> bool:
    """Whether the server of the request diverged, its host's agent answers, and what it has is not kept here yet."""
    archive, more = world.outside.archive, tail(situation)
    if archive is None or situation.request is None or not more:
        return False
    name = situation.request.to
    return situation.snapshot.agent_state(name) == "ok" and not archive.kept(world.cluster, name, more)


def wants_replay(request: Request) -> bool:
    """Whether a person wants something of a diverged server on the primary: that it diverged is why."""
    return request.resolution is not None and request.resolution.cure is Cure.REPLAY


def unbegun(situation: Situation, unkept: bool) -> tuple[Refusal, ...]:
    """What stands against beginning to attach a server; one that takes writes is closed whatever it holds, and what
    is not kept yet is kept.
    """
    request = situation.request
    if request is None:
        return ()
    found = standing(forbidden(situation, Kind.REJOIN), request.overrides)
    state = situation.snapshot.state(request.to)
    begun = state is not None and (
        state.writable or wants_replay(request) or (unkept and all(r.id != "rejoin-off" for r in found))
    )
    return tuple(r for r in found if r.id not in LATE) if begun else found


def open_operation(world: World, occasion: Occasion, plan: Plan, request: Request | None) -> Operation:
    """Write the operation with its plan into the journal; nothing has been changed before it is durable."""
    clock = world.eyes.clock
    operation = Operation(
        id=name_of(world.cluster, occasion.lease.epoch, clock.wall()),
        cluster=world.cluster,
        kind=plan.kind,
        epoch=occasion.lease.epoch,
        manager=world.manager,
        by=request.by if request else AUTOMATIC,
        cause=occasion.verdict.sentence,
        plan=plan,
        started=clock.wall().timestamp(),
        overrides=request.overrides if request else frozenset(),
        accept_loss=request.accept_loss if request else None,
        to=request.to if request else "",
        old=occasion.history.recorded,
        seen=occasion.history.last_executed,
        detected=occasion.detected_at,
        decided=occasion.decided_at,
        asked_at=request.asked_at if request else 0.0,
    )
    world.coordination.begin(occasion.lease, operation)
    return operation


def name_of(cluster: str, epoch: int, wall: datetime) -> str:
    """An operation's id: unique, because an epoch runs one operation at a time, and sorted by time."""
    return f"{cluster}-{wall.astimezone(UTC).strftime('%Y%m%dT%H%M%S.%f')[:-3]}Z-{epoch}"


def hands_for(
    world: World, occasion: Occasion, operation: Operation, tell: Tell, settings: tuple[str, ...] = ()
) -> Hands:
    """The means of acting for one operation, at which people can talk to it; `settings` is what they have said so
    far.
    """
    eyes, controls = world.eyes, opened(world, operation, settings)
    means = Means(
        eyes.servers, eyes.agents, world.coordination, eyes.tasks, eyes.clock, world.moment, world.outside, controls
    )
    hands = Hands(means, occasion.lease, world.policy, operation, tell)
    hands.known_start = occasion.history.last_started_at
    return hands


def opened(world: World, operation: Operation, settings: tuple[str, ...]) -> Controls:
    """Where people talk to this operation."""
    if world.outside.rooms is None:
        return Unattended()
    standing = standing_of(operation, world.policy)
    return world.outside.rooms.open(operation.id, standing, wished(settings, standing))
