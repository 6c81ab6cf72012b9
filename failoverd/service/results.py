"""From what became of an operation to its account: look until all is attached or time is up, verify, report."""

from __future__ import annotations

from dataclasses import replace

from failoverd.execute.hands import Hands
from failoverd.model.finding import Finding
from failoverd.model.plans import Kind, Operation, Plan, Report, Request, Result, Stamps
from failoverd.model.snapshot import TopologySnapshot
from failoverd.observe.look import Interest, look
from failoverd.service.course import Course
from failoverd.service.operation import AUTOMATIC
from failoverd.service.world import Occasion, World
from failoverd.verify.invariants import Claimed, may_heal, replica_results, verify
from failoverd.verify.report import Ending, report

# Replicas are given this long to connect to the new primary and to reach what it opened with (seconds).
SETTLE_SECONDS = 10.0
SETTLE_PAUSE = 0.1


def account(world: World, occasion: Occasion, hands: Hands, course: Course) -> Report:
    """The report of an operation that ran, whatever its end."""
    operation = hands.operation
    opened = course.plan.elect if hands.opened_at is not None else ""
    findings: tuple[Finding, ...] = ()
    snapshot = occasion.snapshot
    claimed = Claimed(
        opened,
        hands.opened_with,
        operation.plan.old_primary,
        occasion.history.recorded.server_uuid if occasion.history.recorded else "",
        hands.fence,
        left_alone=frozenset(name for name, _ in course.plan.left_alone),
        demoted=operation.kind is Kind.SWITCHOVER,
    )
    if opened:
        snapshot, findings = settled(world, claimed)
    replicas = replica_results(snapshot, world.policy, claimed, course.plan.left_alone) if opened else course.replicas
    found = report(operation, ending(world, occasion, hands, course, opened), findings, replicas)
    late = shut_late(hands) if opened else ()
    asleep = (f"event {one} stays disabled on {opened}: {one.enabling()}" for one in hands.asleep)
    return replace(found, findings=(*course.remarks, *late, *asleep, *found.findings))


def shut_late(hands: Hands) -> tuple[str, ...]:
    """A fence that came after the opening is no proof that only one server took writes until then."""
    fence = hands.fence
    if not hands.beside or fence is None or not fence.proven or hands.operation.kind is not Kind.FAILOVER:
        return ()
    return (f"{fence.server} was shut only after the new primary may have been opened: {fence.how}",)


def settled(world: World, claimed: Claimed) -> tuple[TopologySnapshot, tuple[Finding, ...]]:
    """The first look that no later one can better, or the last one within the time, with what does not hold in it."""
    clock = world.eyes.clock
    end = clock.now() + SETTLE_SECONDS
    while True:
        snapshot = look(world.eyes, world.policy, Interest())
        findings = verify(snapshot, world.policy, claimed)
        if not may_heal(findings, claimed) or clock.now() > end:
            return snapshot, findings
        clock.sleep(SETTLE_PAUSE)


def ending(world: World, occasion: Occasion, hands: Hands, course: Course, opened: str) -> Ending:
    """How the operation ended, as its executor knows it."""
    stamps = Stamps(
        started=hands.operation.started,
        detected=hands.closed_at if hands.operation.kind is Kind.SWITCHOVER else occasion.detected_at,
        decided=occasion.decided_at,
        writable=hands.opened_at,
        ended=world.eyes.clock.wall().timestamp(),
    )
    return Ending(
        result=course.result,
        stamps=stamps,
        new_primary=opened,
        outcomes=tuple(course.outcomes),
        saved=tuple(hands.saved),
        lost=course.plan.missing | hands.given_up,
        tail_unread=course.tail_unread,
        fence=None if hands.beside else hands.fence,
        fence_due=hands.operation.kind is Kind.FAILOVER,
        refusals=course.refusals,
    )


def refused(world: World, occasion: Occasion, plan: Plan, request: Request | None) -> Report:
    """The report of an operation that was not begun because a row of the refusal table stands against it."""
    wall = world.eyes.clock.wall().timestamp()
    operation = Operation(
        id="",
        cluster=world.cluster,
        kind=plan.kind,
        epoch=occasion.lease.epoch,
        manager=world.manager,
        by=request.by if request else AUTOMATIC,
        cause=occasion.verdict.sentence,
        plan=plan,
        started=wall,
    )
    stamps = Stamps(started=wall, detected=occasion.detected_at, decided=occasion.decided_at, ended=wall)
    return report(operation, Ending(Result.REFUSED, stamps, refusals=plan.refusals))
