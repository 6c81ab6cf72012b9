"""An operation without an end is dealt with before anything else: forward, back, or wait, as the table in
`decide/resuming.py` says.

Whoever was active when it was left: another manager that died or was deposed, or this one after an error on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from failoverd.decide.judge import judge
from failoverd.decide.resuming import Open, Row, Way, cut_off, sentence_of, way_of
from failoverd.execute.hands import Hands
from failoverd.execute.hooks import run_ending
from failoverd.gtid import GtidSet
from failoverd.model.errors import CoordinationError, FailoverdError, ServerError
from failoverd.model.history import History, Recorded
from failoverd.model.host import LogKind
from failoverd.model.journal import Intent, Unfinished
from failoverd.model.plans import EntryKind, Group, Kind, Operation, Plan, Report, Request, Result, StepResult, Verb
from failoverd.model.published import report_json
from failoverd.model.sight import ServerState
from failoverd.model.steps import (
    FenceHost,
    IfItFails,
    RestoreDurability,
    Stage,
    Task,
)
from failoverd.observe.look import Interest, look
from failoverd.plan.times import STATEMENT
from failoverd.ports import Lease
from failoverd.service.closing import close
from failoverd.service.course import Course, carry_out, execute, finish, undo
from failoverd.service.operation import hands_for, situation_of
from failoverd.service.phases import Event, after
from failoverd.service.records import catch_up
from failoverd.service.results import account
from failoverd.service.traces import traces
from failoverd.service.world import Left, Memory, Occasion, World

# A request that nobody has served for this long was meant for another moment (seconds).
REQUEST_LIFE = 60.0


@dataclass(frozen=True, slots=True)
class Case:
    """One taking up of an operation: the occasion is about its old primary, whoever is on record now."""

    world: World
    memory: Memory
    occasion: Occasion
    found: Unfinished
    hands: Hands
    row: Row
    open: Open

    @property
    def sentence(self) -> str:
        """Why it goes this way."""
        return sentence_of(self.row, self.open)

    def course(self, elect: str = "") -> Course:
        """What was done so far, as far as the journal and the servers themselves show it."""
        operation = self.found.operation
        plan = Plan(operation.cluster, operation.kind, operation.plan.old_primary, elect, ())
        begun = self.found.begun()
        return Course(plan, self.found.outcomes(), (*begun, *traces(self.occasion, operation, begun)))


def resume(world: World, memory: Memory, occasion: Occasion, wish: Verb | None = None) -> Report | None:
    """Go on with the open operation; its report when it has ended or needs a person, None while it is waited for.

    `wish` is a person's, None where the manager acts by itself; FailoverdError says why it cannot be done.
    """
    found = read(world, memory)
    if found is None and wish is not None:
        raise FailoverdError("the operation cannot be gone on with", memory.left.problem or "it has ended meanwhile")
    if found is None or not (wish or due(world, memory, occasion)):
        return None
    about_old = look_back(world, occasion, found)
    operation = replace(found.operation, epoch=occasion.lease.epoch, manager=world.manager)
    hands = hands_for(world, about_old, operation, lambda text: tell(world, operation, text))
    hands.recall(found)
    memory.operation = operation
    memory.phase = after(memory.phase, Event.OPERATION_OPENED)
    try:
        known = replace(weigh(world, memory, about_old, hands, found), wish=wish or Verb.RESUME)
        row = way_of(known)
        course = go(Case(world, memory, about_old, found, hands, row, known))
        if course is None:
            memory.phase = after(memory.phase, Event.OPERATION_LEFT)
            return None
    except BaseException:
        memory.phase = after(memory.phase, Event.OPERATION_LEFT)
        raise
    finally:
        hands.end()
    report = account(world, about_old, hands, course)
    run_ending(hands, report)
    before = memory.history
    close(world, memory, about_old, report)
    answer_whoever_asked(world, occasion.lease, report, found)
    if row.way not in {Way.ON, Way.ABORT}:  # nothing was attempted anew, so nothing has to rest before a failover
        memory.history = replace(
            memory.history, last_attempt_at=before.last_attempt_at, last_reopening_at=before.last_reopening_at
        )
    return report


def answer_whoever_asked(world: World, lease: Lease, report: Report, found: Unfinished) -> None:
    """The request that began this operation is not served a second time. A fresh one for a repair is, as its row says,
    and for an attaching, unless a program was begun for it: two of them would work on one server.
    """
    operation = found.operation
    fresh = world.eyes.clock.wall().timestamp() - operation.asked_at <= REQUEST_LIFE
    again = fresh and not operation.kind.moves and not found.rebuilds()
    if report.result is Result.NEEDS_PERSON or again:
        return
    for request_id, request in world.coordination.requests(world.cluster):
        if request.verb is Verb.BEGIN and (request.asked_at, request.by) == (operation.asked_at, operation.by):
            world.coordination.answer(lease, world.cluster, request_id, dict(report_json(report)))


def tell(world: World, operation: Operation, text: str) -> None:
    """Log what is done, as for an operation of our own."""
    world.log.info("step", operation=operation.id, epoch=operation.epoch, text=text)


def read(world: World, memory: Memory) -> Unfinished | None:
    """The open operation; none where it has ended meanwhile, or where its journal cannot be read: then the memory says
    why, and nothing is done.
    """
    try:
        found = world.coordination.unfinished(world.cluster)
    except CoordinationError as error:
        if memory.left.problem != str(error):
            memory.left = Left(memory.history.open_operation, world.eyes.clock.now(), problem=str(error))
            world.log.warning("operation cannot be gone on with", why=str(error))
        return None
    if found is None:
        memory.operation, memory.left = None, Left()
        catch_up(world, memory)
    elif memory.left.operation != found.operation.id:
        memory.left = Left(found.operation.id, world.eyes.clock.now())
    if found is not None and found.outcomes():
        memory.left = replace(memory.left, stage=found.outcomes()[-1].stage)
    return found


def due(world: World, memory: Memory, occasion: Occasion) -> bool:
    """Whether it is tried again by itself now: when its pause is over, or when other servers answer than then."""
    left = memory.left
    reached = frozenset(state.name for state in occasion.snapshot.reached())
    return not left.pause or reached != left.reached or world.eyes.clock.now() >= left.again_at


def look_back(world: World, occasion: Occasion, found: Unfinished) -> Occasion:
    """The occasion as it is about the operation's old primary. Another one may be on record already, so then, and
    wherever an elect may be open, every server and every host is looked at anew.
    """
    operation = found.operation
    old = operation.old or occasion.history.recorded or Recorded(operation.plan.old_primary, "", 0)
    snapshot, history = occasion.snapshot, history_about(old, occasion.history, operation)
    if found.intent() is not None or old != occasion.history.recorded:
        listed = any(spec.name == old.name for spec in world.policy.servers)
        misses = world.policy.detection.misses if listed else 0  # every route at once, each with all its time
        snapshot = look(world.eyes, world.policy, Interest(old.name if listed else None, misses, hosts=True))
        history = history.after(snapshot)
    clock = world.eyes.clock
    wall = clock.wall().timestamp()
    verdict = judge(snapshot, history, world.policy, clock.now(), wall)
    decided = operation.decided if operation.decided is not None else wall
    return Occasion(snapshot, history, verdict, occasion.lease, operation.detected, decided)


def history_about(old: Recorded, history: History, operation: Operation) -> History:
    """The memory as far as it is about the old primary, with what the journal remembers of it."""
    about = replace(history, recorded=old).concerning(old.server_uuid)
    return replace(about, last_executed=about.last_executed | operation.seen)


def weigh(world: World, memory: Memory, occasion: Occasion, hands: Hands, found: Unfinished) -> Open:
    """What is known now; an elect that may be open is claimed first, so that nobody's late words change it any more."""
    operation = found.operation
    intent = found.intent() if operation.kind.moves else None
    recorded = memory.history.recorded
    return Open(
        situation=situation_of(world, occasion, request_of(operation)),
        rule=occasion.verdict.rule,
        kind=operation.kind,
        intent=intent,
        state=claimed_state(world, hands, intent) if intent is not None else None,
        published=intent is not None and recorded is not None and recorded.server_uuid == intent.server_uuid,
        waited=world.eyes.clock.now() - memory.left.since,
        started=operation.started,
    )


def claimed_state(world: World, hands: Hands, intent: Intent) -> ServerState | None:
    """The elect as it answers on our own claim, None where it cannot be claimed."""
    if any(spec.name == intent.elect for spec in world.policy.servers):
        hands.claim_more((intent.elect,))
    claim = hands.claims.get(intent.elect)
    if claim is None:
        return None
    try:
        return claim.read()
    except ServerError:
        hands.drop(intent.elect)
        return None


def request_of(operation: Operation) -> Request | None:
    """The wish that the operation was begun with; None where the manager began it by itself."""
    if operation.by.kind == "automatic":
        return None
    return Request(
        operation.cluster,
        operation.kind,
        operation.by,
        operation.to,
        operation.accept_loss,
        operation.overrides,
        operation.asked_at,
    )


def go(case: Case) -> Course | None:
    """Take the way; None where it is to wait."""
    ways: dict[Way, Callable[[Case], Course | None]] = {
        Way.ON: go_on,
        Way.FINISH: go_to_the_end,
        Way.BACK: go_back,
        Way.REPLACE: give_the_elect_up,
        Way.PERSON: ask_a_person,
        Way.ABORT: end_as_it_stands,
        Way.LEAVE: leave_to_a_failover,
    }
    way = case.row.way
    if case.open.wish is Verb.UNDO and not case.open.closed:
        raise FailoverdError(
            f"operation {case.found.operation.id} cannot be taken back",
            f"{case.open.elect} may have taken writes",
            "failoverd ops resume brings it to its end",
        )
    left = case.memory.left
    if way is not Way.WAIT or left.problem != case.sentence:
        case.world.log.info("operation resumed", operation=case.found.operation.id, way=str(way), why=case.sentence)
    if way is Way.WAIT:
        case.memory.left = replace(left, problem=case.sentence)
        return None
    if way is not Way.PERSON:
        note(case, EntryKind.RESUMED, way=str(way), manager=case.world.manager, epoch=case.occasion.lease.epoch)
    if case.open.closed and case.open.intent is not None and way in {Way.ON, Way.BACK}:
        # Its own answer on our claim proves it shut: whoever comes after us need not go on with it either.
        note(case, EntryKind.WITHDRAWN, elect=case.open.elect)
        case.hands.intended, case.hands.beside, case.hands.opened_at = False, False, None
    late = give_back(case, case.hands.relaxed) if way is not Way.ABORT else ()
    course = ways[way](case)
    if course is not None and late:
        never = give_back(case, late)
        course.remarks += [f"{name} does not force its commits to its disk as it did before" for name in never]
    return course


def give_back(case: Case, relaxed: Iterable[str]) -> tuple[str, ...]:
    """Before anything else, and at the end for whoever could not be reached: whoever was let off forcing commits to its
    disk does so again. Those that still do not.
    """
    names = sorted(set(relaxed) & {spec.name for spec in case.world.policy.servers})
    if not names:
        return ()
    case.hands.claim_more(names)
    tasks = tuple(Task(RestoreDurability(name), STATEMENT, IfItFails.GO_ON) for name in names)
    group = Group(Stage.RECOVER, tasks)
    ended = execute(Plan(case.world.cluster, Kind.FAILOVER, "", "", (group,)), case.hands, case.course())
    return tuple(step.server for step, outcome in ended.done if outcome.result is StepResult.FAILED)


def note(case: Case, kind: EntryKind, **body: object) -> None:
    """A durable record, with the sentence of the way."""
    case.hands.write(kind, {**body, "sentence": case.sentence}, wait=True)


def go_on(case: Case) -> Course:
    """Plan anew on fresh sets, and run that."""
    request = request_of(case.found.operation)
    return carry_out(case.world, case.occasion, case.hands, request, case.course())


def go_to_the_end(case: Case) -> Course:
    """Publish the elect, bring the others to it."""
    case.hands.given_up, unread = case.found.given_up()
    course = case.course(case.open.elect)
    course.tail_unread = unread
    return finish(case.world, case.occasion, case.hands, course)


def go_back(case: Case) -> Course:
    """Take back what was changed; what a reopening or an attaching has done needs no taking back, and an
    overwriting cannot be.
    """
    course = case.course()
    if case.found.operation.kind in {Kind.REOPEN, Kind.REJOIN}:
        course.remarks += cut_off(case.found)
        course.result = Result.FAILED if course.remarks else Result.UNDONE
        return course
    primary = case.open.situation.primary
    if primary is not None and case.open.harmless:  # no more than times of day speaks against it
        case.hands.known_start = primary.started_at
    return undo(case.world, case.hands, course, Result.UNDONE)


def give_the_elect_up(case: Case) -> Course | None:
    """Fence the elect. Where its own logs then show that it has never taken a write, the operation goes on as if it had
    not been chosen. Else it is recorded as the primary that died, so that everything it may have taken counts; the
    failover to the next one is an operation of its own, and no cooldown stands against it.
    """
    world, hands, intent = case.world, case.hands, case.open.intent
    course = case.course()
    course.result = Result.NEEDS_PERSON
    if intent is None:
        return course
    hold = world.policy.server(intent.elect).hold
    step = FenceHost(intent.elect, intent.server_uuid, hold)
    task = Task(step, world.policy.failover.fencing_timeout)
    ended = execute(Plan(world.cluster, Kind.FAILOVER, "", "", (Group(Stage.FENCE, (task,)),)), hands, course)
    if ended.complete and never_opened(case, intent):
        return pass_over(case)
    if ended.complete:
        record = Recorded(intent.elect, intent.server_uuid, case.occasion.lease.epoch, inherited=intent.inherited)
        world.coordination.publish_primary(case.occasion.lease, world.cluster, record)
        course.result = Result.FAILED
        course.remarks.append(f"{case.sentence}; it is fenced, and its replacement is a failover of its own")
    return course


def never_opened(case: Case, intent: Intent) -> bool:
    """Whether the logs of the fenced elect, read to their end, prove that no client has ever written there."""
    if case.open.published:
        return False
    known = intent.own | (intent.inherited or GtidSet())
    agents, timeout = case.world.eyes.agents, case.world.policy.failover.salvage_timeout
    logs = agents.scan(case.world.cluster, intent.elect, LogKind.BINARY, known, timeout)
    return logs.complete and not logs.problem and not logs.missing.of_uuid(intent.server_uuid)


def pass_over(case: Case) -> Course | None:
    """Withdraw the intent durably, and go the way that the table says without it; the fence is an act like others."""
    note(case, EntryKind.WITHDRAWN, elect=case.open.elect)
    found = read(case.world, case.memory)
    if found is None:
        return None
    case.hands.recall(found)
    without = replace(case.open, intent=None, state=None)
    return go(replace(case, found=found, open=without, row=way_of(without)))


def ask_a_person(case: Case) -> Course:
    """Nothing is done; the reason is in the journal, in the status and in the report."""
    course = case.course()
    course.result = Result.NEEDS_PERSON
    course.remarks.append(case.sentence)
    return course


def leave_to_a_failover(case: Case) -> Course:
    """The old primary died while it was to be replaced: nothing is opened here, a failover judges anew."""
    course = case.course()
    course.result = Result.FAILED
    course.remarks.append(case.sentence)
    return course


def end_as_it_stands(case: Case) -> Course:
    """No server is touched; what was changed stays and is named."""
    course = case.course()
    course.result = Result.FAILED
    left = ", ".join(step.title() for step in course.changed)
    course.remarks.append(f"ended by a person as it stood; not taken back: {left or 'nothing'}")
    return course
