"""The course of an operation, from the first claim to its end, forward or back.

Where it dies matters: before the promote-intent nothing is decided and all is undone; after it there is only forward,
so a
failing step is tried again on fresh claims, and if that does not help a person is needed and the journal stays open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from failoverd.decide.judge import settle
from failoverd.decide.refusals import standing
from failoverd.execute.hands import Hands
from failoverd.execute.run import Ended, run
from failoverd.model.cloning import unfinished
from failoverd.model.errors import StepFailed
from failoverd.model.plans import EntryKind, Group, Kind, Plan, ReplicaResult, Request, Result, StepOutcome, StepResult
from failoverd.model.published import plan_json
from failoverd.model.stage import Stage
from failoverd.model.steps import OpenWrites, ReleaseFence, Step
from failoverd.model.verdict import Refusal
from failoverd.observe.look import Interest, look
from failoverd.plan.failover import plan_closing, plan_opening, plan_reopen
from failoverd.plan.finishing import plan_finishing
from failoverd.plan.rejoin import plan_amending, plan_comparing
from failoverd.plan.switchover import plan_completion, plan_taking_back
from failoverd.plan.undo import plan_undo
from failoverd.service.frozen import look_at_frozen
from failoverd.service.operation import foresee, situation_of, wants_replay
from failoverd.service.rejoin import connects, copying, judged_again, keeping, let_go_again, proving, wish_for
from failoverd.service.repair import left_to_mend, unmended
from failoverd.service.world import Occasion, World

# Past the point of no return a step that failed is tried again this often, each time on fresh claims.
FORWARD_ATTEMPTS = 3
# Between two attempts of a switchover, doubled each time.
ATTEMPT_PAUSE = 1.0
# The first retry comes at once: most failures are a lost session that a new claim replaces.
RETRY_PAUSE = 0.2
# With writes flowing again, what could not be repointed is tried again this often on fresh claims.
REPOINT_RETRIES = 2


class Course:
    """What has become of an operation so far.

    `changed` are the steps that took effect or may have; `tail_unread` tells that the old primary's logs could not be
    read to their end; `remarks` are sentences for the report, `replicas` servers that were attached or were to be.
    """

    def __init__(self, plan: Plan, outcomes: Iterable[StepOutcome] = (), changed: Iterable[Step] = ()) -> None:
        self.plan = plan
        self.outcomes = list(outcomes)
        self.changed = list(changed)
        self.refusals: tuple[Refusal, ...] = ()
        self.result = Result.DONE
        self.tail_unread = False
        self.remarks: list[str] = []
        self.replicas: tuple[ReplicaResult, ...] = ()


def carry_out(world: World, occasion: Occasion, hands: Hands, request: Request | None, course: Course) -> Course:
    """Run the course of this kind of operation to its end, forward or back; `course` holds what was done so far."""
    courses: dict[Kind, Callable[[World, Occasion, Hands, Request | None, Course], Course]] = {
        Kind.FAILOVER: fail_over,
        Kind.SWITCHOVER: switch_over,
        Kind.REOPEN: reopen,
        Kind.REPAIR: mend,
        Kind.REJOIN: attach,
    }
    return courses[hands.operation.kind](world, occasion, hands, request, course)


def fail_over(world: World, occasion: Occasion, hands: Hands, request: Request | None, course: Course) -> Course:
    """Open: claim, fence, freeze. Look at what cannot move any more. Close: recover, promote, repoint; or undo."""
    course.plan = plan_opening(occasion.snapshot, occasion.history, world.policy)
    ended = execute(course.plan, hands, course)
    if not ended.complete:
        return undo(world, hands, course, Result.UNDONE)
    frozen = look_at_frozen(world, occasion, hands)
    old = hands.operation.plan.old_primary
    own = (h for h in frozen.holdings if h.server == old and not h.kept)
    course.tail_unread = not any(h.complete and not h.problem for h in own)
    situation = situation_of(world, replace(occasion, snapshot=frozen), request)
    ranking, found = settle(situation)
    course.refusals = standing(found, hands.operation.overrides)
    closing = plan_closing(frozen, occasion.history, world.policy, ranking, course.refusals)
    course.plan, hands.missing = closing, closing.missing
    hands.write(EntryKind.PLAN, {**plan_json(closing), "tail_unread": course.tail_unread}, wait=False)
    if course.refusals:
        return undo(world, hands, course, Result.REFUSED)
    return forward(world, hands, course)


def switch_over(world: World, occasion: Occasion, hands: Hands, request: Request | None, course: Course) -> Course:
    """Try within the freeze budget, take everything back, rest, try again; past the point of no return only forward.

    Where people want another candidate meanwhile, or want to wait, that was no attempt.
    """
    left = world.policy.switchover.attempts
    while True:
        course.result = Result.DONE
        forward(world, hands, course)
        wishes = hands.conduct.wishes
        if course.result is not Result.UNDONE or hands.given_up_for or wishes.given_up_by:
            return course
        course.changed.clear()
        hands.release()
        hands.conduct.thaw()
        another = wishes.candidate not in {"", course.plan.elect}
        if another and not planned_anew(world, occasion, hands, wished_for(hands, request, wishes.candidate), course):
            return course
        if hands.conduct.put_off() or another:
            continue
        left -= 1
        if not left:
            return course
        tried = world.policy.switchover.attempts - left
        hands.tell(f"attempt {tried} was undone, the next one follows")
        world.eyes.clock.sleep(ATTEMPT_PAUSE * 2 ** (tried - 1))


def wished_for(hands: Hands, request: Request | None, candidate: str) -> Request:
    """The wish that this operation was begun with, for another candidate."""
    operation = hands.operation
    return replace(request or Request(operation.cluster, operation.kind, operation.by), to=candidate)


def planned_anew(world: World, occasion: Occasion, hands: Hands, request: Request, course: Course) -> bool:
    """Plan for another candidate on a fresh look; False where something stands against it: nothing is done then."""
    snapshot = look(world.eyes, world.policy, Interest())
    plan = foresee(world, replace(occasion, snapshot=snapshot), hands.operation.kind, request)
    if plan.refusals:
        course.refusals = plan.refusals
        course.remarks.append(f"{request.to} was wanted instead, and that is refused")
        return False
    course.plan = plan
    hands.conduct.plan_anew(plan)
    hands.write(EntryKind.PLAN, dict(plan_json(plan)), wait=False)
    hands.tell(f"planned anew: {plan.elect} is to take over")
    return True


def reopen(world: World, occasion: Occasion, hands: Hands, request: Request | None, course: Course) -> Course:
    """Open the recorded primary again after its restart."""
    del request  # nobody chooses anything in a reopening
    course.plan = plan_reopen(occasion.snapshot, occasion.history, world.policy)
    return forward(world, hands, course)


def mend(world: World, occasion: Occasion, hands: Hands, request: Request | None, course: Course) -> Course:
    """Mend the relay logs of one replica: read what can be read, then plan on what is left."""
    del request  # the journal has it whole
    server = hands.operation.to
    if execute(course.plan, hands, course).complete:
        course.plan = left_to_mend(world, occasion, hands, server)
        hands.write(EntryKind.PLAN, dict(plan_json(course.plan)), wait=False)
        if execute(course.plan, hands, course).complete and not course.plan.missing:
            return course
    course.result = Result.FAILED
    course.refusals = unmended(server, course.plan)
    return course


def attach(world: World, occasion: Occasion, hands: Hands, request: Request | None, course: Course) -> Course:
    """Close a server that came back, judge what it holds, and let it follow; what diverged stays closed and alone."""
    wish = request or wish_for(world, hands.operation.to)
    course.result = Result.FAILED
    if lets_go(course.plan):
        return let_go(world, occasion, hands, wish, course)
    if not execute(course.plan, hands, course).complete or not overwrite(world, occasion, hands, wish, course):
        return course
    course.plan, course.refusals = judged_again(world, occasion, hands, wish)
    attaching, diverged = course.plan, any(r.id == "diverged" for r in course.refusals)
    kept = keep_tail(world, hands, course) if diverged or wish.resolution is not None else True
    if kept and wish.resolution is not None and not refused_for(course, wish):
        course.plan = plan_amending(world.policy, hands.operation.plan.old_primary, wish.to, wish.resolution)
        hands.write(EntryKind.PLAN, dict(plan_json(course.plan)), wait=False)
        if not execute(course.plan, hands, course).complete or wants_replay(wish):
            return replayed(course, wish)
    if course.refusals or not kept:
        course.result = Result.REFUSED if course.refusals else Result.FAILED
        return course
    course.plan = attaching
    hands.write(EntryKind.PLAN, dict(plan_json(course.plan)), wait=False)
    if execute(course.plan, hands, course).complete:
        found = connects(world, hands.operation.plan.old_primary, wish.to)
        course.replicas = (found,)
        course.result = Result.DONE if found.attached else Result.FAILED
        course.remarks += [f"{found.name} is not attached yet: {found.problem}"] if found.problem else []
        if found.attached:
            prove(world, hands, course, wish.checksums)
    return course


def overwrite(world: World, occasion: Occasion, hands: Hands, wish: Request, course: Course) -> bool:
    """Where that is wanted: keep what only the closed server has, then overwrite it; False where it was not done."""
    if wish.overwrites is None:
        return True
    before = hands.claimed(wish.to).read()  # where a copy has begun, all was kept before that
    if not unfinished(before) and not keep_tail(world, hands, course):
        return False
    course.plan, course.refusals = copying(world, occasion, hands, wish)
    if course.refusals:
        course.result = Result.REFUSED
        return False
    hands.write(EntryKind.PLAN, dict(plan_json(course.plan)), wait=False)
    return execute(course.plan, hands, course).complete


def prove(world: World, hands: Hands, course: Course, tables: tuple[str, ...]) -> None:
    """Show that what was attached has caught up, and what people want compared; where that is not shown the report
    says it, and it stays attached.
    """
    plan = proving(world, hands)
    if plan is not None and shown(plan, hands, course) and tables:
        old = hands.operation.plan.old_primary
        shown(plan_comparing(world.policy, old, hands.operation.to, tables), hands, course)
        course.remarks += hands.uncompared
    elif tables:
        course.remarks.append(f"not compared: {', '.join(tables)}")


def shown(plan: Plan, hands: Hands, course: Course) -> bool:
    """Run a plan that only looks; whether all of it was as it should be, else the report says what was not."""
    course.plan = plan
    hands.write(EntryKind.PLAN, dict(plan_json(plan)), wait=False)
    bad = [outcome.detail for outcome in execute(plan, hands, course).outcomes if outcome.result is StepResult.FAILED]
    course.remarks += bad
    return not bad


def lets_go(plan: Plan) -> bool:
    """Whether a plan only ends the hold on a dead server."""
    steps = [task.step for group in plan.groups for task in group.tasks]
    return bool(steps) and all(isinstance(step, ReleaseFence) for step in steps)


def let_go(world: World, occasion: Occasion, hands: Hands, wish: Request, course: Course) -> Course:
    """Keep what only its log has, then end the hold on a dead server; when it is up, it is attached by its own rows."""
    try:
        first, then = let_go_again(world, occasion, wish)
    except StepFailed as error:
        course.remarks.append(str(error))
        return course
    if then.refusals or not lets_go(then):
        course.refusals, course.result = then.refusals, Result.REFUSED if then.refusals else Result.FAILED
        return course
    for plan in filter(None, (first, then)):
        course.plan = plan
        hands.write(EntryKind.PLAN, dict(plan_json(plan)), wait=False)
        if not execute(plan, hands, course).complete:
            return course
    course.result = Result.DONE
    if wish.checksums:
        course.remarks.append(f"not compared: {', '.join(wish.checksums)}: {wish.to} is not attached yet")
    hands.tell(f"{wish.to} is not held any more: start it; when it is up, it is judged and attached")
    return course


def refused_for(course: Course, wish: Request) -> tuple[Refusal, ...]:
    """What stands against doing something on the primary: that the server diverged is why a replay is wanted."""
    return tuple(r for r in course.refusals if not (wants_replay(wish) and r.id == "diverged"))


def replayed(course: Course, wish: Request) -> Course:
    """The end of a replay: the server itself is not attached, its own copies would be in the way."""
    done = course.outcomes[-1].result is StepResult.DONE
    course.refusals, course.result = (), Result.DONE if done else Result.FAILED
    if done:
        still = f"{wish.to} is not attached: it still has what was replayed"
        course.remarks.append(f"{still}; build it anew, by rejoin --clone --discard-errant")
    return course


def keep_tail(world: World, hands: Hands, course: Course) -> bool:
    """Keep what only that server has, where it diverged and that is not kept here yet; whether it is kept now."""
    plan = keeping(world, hands)
    if plan is None:
        return True
    course.plan = plan
    hands.write(EntryKind.PLAN, dict(plan_json(plan)), wait=False)
    kept = execute(plan, hands, course).complete
    if not kept:
        course.remarks.append("what it holds is not kept: leave it as it is, or failoverd errant CLUSTER --export")
    return kept


def finish(world: World, occasion: Occasion, hands: Hands, course: Course) -> Course:
    """Only forward from an elect that is open already; `course.plan` names it."""
    planned = plan_completion if hands.operation.kind is Kind.SWITCHOVER else plan_finishing
    course.plan = planned(occasion.snapshot, occasion.history, world.policy, course.plan.elect)
    return forward(world, hands, course)


def forward(world: World, hands: Hands, course: Course) -> Course:
    """Run the plan that promotes; undo before the promote-intent, try again after it."""
    for attempt in range(FORWARD_ATTEMPTS):
        ended = execute(course.plan, hands, course)
        if ended.complete:
            repoint_again(world, hands, course, ended)
            return course
        if not hands.intended:
            course.refusals += tuple(hands.refusals)
            return undo(world, hands, course, Result.REFUSED if hands.refusals else Result.UNDONE)
        world.eyes.clock.sleep(RETRY_PAUSE * attempt)
        hands.claim_again({*hands.claims, course.plan.elect})
    course.result = Result.NEEDS_PERSON
    return course


def repoint_again(world: World, hands: Hands, course: Course, ended: Ended) -> None:
    """Try again what failed after the opening without holding it up: a replica left behind, a source not removed."""
    for attempt in range(REPOINT_RETRIES):
        failed = {step for step, o in ended.done if (o.stage, o.result) == (Stage.REPOINT, StepResult.FAILED)}
        tasks = tuple(task for group in course.plan.groups for task in group.tasks if task.step in failed)
        if not tasks:
            return
        world.eyes.clock.sleep(RETRY_PAUSE * attempt)
        for server in {task.step.server for task in tasks}:
            hands.drop(server)
        hands.claim_more({task.step.server for task in tasks})
        ended = execute(replace(course.plan, groups=(Group(Stage.REPOINT, tasks),)), hands, course)


def undo(world: World, hands: Hands, course: Course, result: Result) -> Course:
    """Take back what was done, on fresh claims: a session whose last statement timed out may still be at it.

    What cannot be taken back needs a person.
    """
    course.result = result
    hands.end_budget()
    changed = tuple(step for step in course.changed if hands.intended or not isinstance(step, OpenWrites))
    planned = plan_taking_back if hands.operation.kind is Kind.SWITCHOVER else plan_undo
    back = planned(world.policy, hands.operation.plan.old_primary, changed)
    hands.claim_again({task.step.server for group in back.groups for task in group.tasks})
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
