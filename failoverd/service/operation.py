"""One operation from its journal record to its report: open the journal, run the course, verify, close the journal.

Where it dies matters: before the promote-intent nothing is decided and all is undone; after it there is only forward,
so a
failing step is tried again on fresh claims, and if that does not help a person is needed and the journal stays open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from failoverd.decide.judge import prospect, settle
from failoverd.decide.refusals import standing
from failoverd.decide.situation import Situation
from failoverd.execute.hands import Hands
from failoverd.execute.run import Ended, run
from failoverd.model.plans import EntryKind, Kind, Operation, Plan, Request, Requester, Result, StepOutcome, StepResult
from failoverd.model.published import plan_json
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.steps import Step
from failoverd.model.verdict import Refusal
from failoverd.observe.logs import scan_logs
from failoverd.observe.look import read_claimed
from failoverd.plan.failover import plan_closing, plan_opening, plan_reopen, predict
from failoverd.plan.undo import plan_undo
from failoverd.service.world import Occasion, Tell, World

AUTOMATIC = Requester()
# Past the point of no return a step that failed is tried again this often, each time on fresh claims.
FORWARD_ATTEMPTS = 3
# The first retry comes at once: most failures are a lost session that a new claim replaces.
RETRY_PAUSE = 0.2


@dataclass(slots=True)
class Course:
    """What has become of an operation so far."""

    plan: Plan
    outcomes: list[StepOutcome] = field(default_factory=list)
    changed: list[Step] = field(default_factory=list)
    refusals: tuple[Refusal, ...] = ()
    result: Result = Result.DONE


def situation_of(world: World, occasion: Occasion, request: Request | None) -> Situation:
    """The occasion as deciding takes it."""
    clock = world.eyes.clock
    now, wall = clock.now(), clock.wall().timestamp()
    return Situation(occasion.snapshot, occasion.history, world.policy, now, wall, request)


def foresee(world: World, occasion: Occasion, kind: Kind, request: Request | None) -> Plan:
    """The whole plan as it would be now, with every refusal that stands: people see it, and it opens the journal."""
    situation = situation_of(world, occasion, request)
    ranking, found = prospect(situation, kind)
    refusals = standing(found, request.overrides if request else frozenset())
    if kind is Kind.REOPEN:
        return plan_reopen(occasion.snapshot, occasion.history, world.policy, refusals)
    return predict(occasion.snapshot, occasion.history, world.policy, ranking, refusals)


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
    )
    world.coordination.begin(occasion.lease, operation)
    return operation


def name_of(cluster: str, epoch: int, wall: datetime) -> str:
    """An operation's id: unique, because an epoch runs one operation at a time, and sorted by time."""
    return f"{cluster}-{wall.astimezone(UTC).strftime('%Y%m%dT%H%M%S.%f')[:-3]}Z-{epoch}"


def hands_for(world: World, occasion: Occasion, operation: Operation, tell: Tell) -> Hands:
    """The means of acting for one operation."""
    eyes = world.eyes
    return Hands(
        eyes.servers,
        eyes.agents,
        world.coordination,
        eyes.tasks,
        eyes.clock,
        occasion.lease,
        world.policy,
        operation,
        tell,
    )


def carry_out(world: World, occasion: Occasion, hands: Hands, request: Request | None) -> Course:
    """Run the course of this kind of operation to its end, forward or back."""
    courses: dict[Kind, Callable[[World, Occasion, Hands, Request | None], Course]] = {
        Kind.FAILOVER: fail_over,
        Kind.REOPEN: reopen,
    }
    return courses[hands.operation.kind](world, occasion, hands, request)


def fail_over(world: World, occasion: Occasion, hands: Hands, request: Request | None) -> Course:
    """Open: claim, fence, freeze. Look at what cannot move any more. Close: recover, promote, repoint; or undo."""
    opening = plan_opening(occasion.snapshot, occasion.history, world.policy)
    course = Course(opening)
    ended = execute(opening, hands, course)
    if not ended.complete:
        return undo(world, hands, course, Result.UNDONE)
    frozen = look_at_frozen(world, occasion, hands)
    situation = situation_of(world, replace(occasion, snapshot=frozen), request)
    ranking, found = settle(situation)
    course.refusals = standing(found, hands.operation.overrides)
    closing = plan_closing(frozen, occasion.history, world.policy, ranking, course.refusals)
    course.plan = closing
    hands.write(EntryKind.PLAN, dict(plan_json(closing)), wait=False)
    if course.refusals:
        return undo(world, hands, course, Result.REFUSED)
    return forward(world, hands, course)


def look_at_frozen(world: World, occasion: Occasion, hands: Hands) -> TopologySnapshot:
    """The sets as they stand with all receivers off, and what surviving logs hold; kept in the journal as evidence."""
    frozen = read_claimed(world.eyes, occasion.snapshot, hands.claims, world.policy.detection.timeout)
    scanned = scan_logs(world.eyes, world.policy, frozen, hands.operation.plan.old_primary)
    evidence: dict[str, object] = {
        s.name: {"executed": str(s.executed), "received": str(s.received)} for s in scanned.reached()
    }
    hands.write(EntryKind.FREEZE, evidence, wait=False)
    return scanned


def reopen(world: World, occasion: Occasion, hands: Hands, request: Request | None) -> Course:
    """Open the recorded primary again after its restart."""
    del request  # nobody chooses anything in a reopening
    plan = plan_reopen(occasion.snapshot, occasion.history, world.policy)
    return forward(world, hands, Course(plan))


def forward(world: World, hands: Hands, course: Course) -> Course:
    """Run the plan that promotes; undo before the promote-intent, try again after it."""
    for attempt in range(FORWARD_ATTEMPTS):
        ended = execute(course.plan, hands, course)
        if ended.complete:
            return course
        if not hands.intended:
            return undo(world, hands, course, Result.UNDONE)
        world.eyes.clock.sleep(RETRY_PAUSE * attempt)
        hands.claim_again({*hands.claims, course.plan.elect})
    course.result = Result.NEEDS_PERSON
    return course


def undo(world: World, hands: Hands, course: Course, result: Result) -> Course:
    """Take back what was done; what cannot be taken back needs a person."""
    course.result = result
    back = plan_undo(world.policy, hands.operation.plan.old_primary, tuple(course.changed))
    ended = execute(back, hands, course)
    if any(o.result is StepResult.FAILED for o in ended.outcomes):
        course.result = Result.NEEDS_PERSON
    return course


def execute(plan: Plan, hands: Hands, course: Course) -> Ended:
    """Run a plan and keep what became of it."""
    ended = run(plan, hands)
    course.changed += ended.changed
    course.outcomes += ended.outcomes
    return ended
