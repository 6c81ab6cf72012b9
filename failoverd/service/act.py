"""What an active manager does about a verdict, and about what people ask for."""

from __future__ import annotations

from dataclasses import replace

from failoverd.decide.controlling import progress
from failoverd.execute.control import Conduct
from failoverd.execute.hands import Hands
from failoverd.execute.hooks import run_ending
from failoverd.model.errors import CoordinationError, FailoverdError, FencedOut
from failoverd.model.history import Recorded
from failoverd.model.plans import Kind, Report, Request, Result, Verb
from failoverd.model.published import report_json
from failoverd.model.verdict import Advice, VerdictName
from failoverd.observe.look import Interest, look
from failoverd.service.closing import close
from failoverd.service.course import Course, carry_out
from failoverd.service.lossless import keep_lossless
from failoverd.service.operation import foresee, hands_for, open_operation
from failoverd.service.phases import Event, Phase, after
from failoverd.service.records import keep_history, nobody_acts, paused_meanwhile
from failoverd.service.rejoin import due
from failoverd.service.results import account, refused
from failoverd.service.resume import REQUEST_LIFE, resume
from failoverd.service.site import counted
from failoverd.service.traffic import keep_traffic
from failoverd.service.world import Memory, Occasion, World

OPERATIONS = {Advice.FAIL_OVER: Kind.FAILOVER, Advice.REOPEN: Kind.REOPEN}
ABOUT_OPEN = frozenset(Verb) - {Verb.BEGIN}


def respond(world: World, memory: Memory, occasion: Occasion) -> None:
    """Deal with what was left open; else act on the verdict where it says so and nothing stands against it; else serve
    people.
    """
    if memory.history.behind:
        say_behind(world, memory)
        return
    if memory.history.open_operation:
        take_up(world, memory, occasion)
        return
    occasion = counted(world, memory, occasion)
    verdict = occasion.verdict
    if verdict.advice is Advice.RECORD and verdict.primary is not None:
        record_primary(world, memory, occasion, verdict.primary)
        return
    kind = OPERATIONS.get(verdict.advice)
    if kind is not None and not verdict.refusals and memory.phase is not Phase.HALTED:
        if paused_meanwhile(world, memory):
            return
        operate(world, memory, occasion, kind, None)
        return
    if memory.phase is Phase.WATCHING:
        keep_well(world, memory, occasion)
        if bring_back(world, memory, occasion):
            return
    keep_traffic(world, memory, occasion)
    serve_requests(world, memory, occasion)


def keep_well(world: World, memory: Memory, occasion: Occasion) -> None:
    """What a healthy cluster is kept in by the way."""
    if occasion.verdict.name is VerdictName.HEALTHY:
        keep_history(world, memory, occasion)
        if memory.history.paused is None:
            keep_lossless(world, memory, occasion)


def bring_back(world: World, memory: Memory, occasion: Occasion) -> bool:
    """Attach one server that came back; whether one was taken up."""
    request = due(world, memory, occasion)
    if request is None or paused_meanwhile(world, memory):
        return False
    operate(world, memory, occasion, Kind.REJOIN, request)
    return True


def say_behind(world: World, memory: Memory) -> None:
    """Agents have acted under an epoch that ours is not above: the records were lost. Nothing is done before a person
    has adopted it.
    """
    history = memory.history
    why = f"agents remember epoch {history.agents_epoch}, coordination gave us {history.epoch}"
    nobody_acts(world, memory, why, f"failoverd init {world.cluster} --adopt")


def record_primary(world: World, memory: Memory, occasion: Occasion, name: str) -> None:
    """First start: write down who the primary is."""
    state = occasion.snapshot.state(name)
    if state is None:
        return
    record = Recorded(name, state.server_uuid, occasion.lease.epoch, inherited=state.inherited)
    world.coordination.publish_primary(occasion.lease, world.cluster, record)
    memory.history = replace(memory.history, recorded=record)
    world.log.info("primary recorded", server=name, server_uuid=state.server_uuid, epoch=record.epoch)


def operate(world: World, memory: Memory, occasion: Occasion, kind: Kind, request: Request | None) -> Report:
    """One operation, from the plan that opens the journal to the report that closes it."""
    plan = foresee(world, occasion, kind, request)
    if plan.refusals:
        return refused(world, occasion, plan, request)
    if kind is Kind.REJOIN:  # it may take long, and what was published last may be from before a failover
        memory.publish(occasion.snapshot)
    operation = open_operation(world, occasion, plan, request)
    memory.phase = after(memory.phase, Event.OPERATION_OPENED)
    memory.operation = operation
    memory.history = replace(memory.history, open_operation=operation.id)
    world.log.info("operation opened", operation=operation.id, kind=str(kind), cause=operation.cause)
    world.moment("after:begin")

    def tell(text: str) -> None:
        world.log.info("step", operation=operation.id, epoch=operation.epoch, text=text)

    hands = hands_for(world, occasion, operation, tell, request.settings if request else ())
    hands.conduct.attend = lambda: attend(world, memory, hands.conduct)
    try:
        return conducted(world, memory, occasion, hands, request)
    finally:
        memory.progress = ""
        hands.conduct.close()
        if kind is Kind.REJOIN:  # whom we let go is not held any more, by what its agent says
            memory.heartbeat.ask_soon()


def attend(world: World, memory: Memory, conduct: Conduct) -> None:
    """An operation that waits for people or for calm is no reason to tell them nothing: of it, and of their servers."""
    memory.progress = progress(conduct.wishes, conduct.standing, world.eyes.clock.now())
    memory.publish(look(world.eyes, world.policy, Interest()))


def conducted(world: World, memory: Memory, occasion: Occasion, hands: Hands, request: Request | None) -> Report:
    """The operation that was opened, until its journal is closed."""
    try:
        course = carry_out(world, occasion, hands, request, Course(hands.operation.plan))
    except BaseException:
        # The journal stays open: whoever is active next, maybe we ourselves, takes it up before anything else.
        memory.phase = after(memory.phase, Event.OPERATION_LEFT)
        raise
    finally:
        hands.release()
    report = account(world, occasion, hands, course)
    run_ending(hands, report)
    close(world, memory, occasion, report)
    answer_who_gave_up(world, occasion, report)
    return report


def answer_who_gave_up(world: World, occasion: Occasion, report: Report) -> None:
    """Whoever wanted this operation taken back while it ran, and was heard."""
    if report.result is not Result.UNDONE:
        return
    for request_id, request in waiting(world, occasion):
        if request.verb in {Verb.UNDO, Verb.ABORT} and request.operation == report.operation:
            world.coordination.answer(occasion.lease, world.cluster, request_id, dict(report_json(report)))


def take_up(world: World, memory: Memory, occasion: Occasion) -> None:
    """Deal with an operation that has no end; people are heard first, because they may know more."""
    for request_id, request in waiting(world, occasion, ABOUT_OPEN):
        serve_about_open(world, memory, occasion, request_id, request)
        return
    if resume(world, memory, occasion) is None:
        serve_requests(world, memory, occasion)


def serve_about_open(world: World, memory: Memory, occasion: Occasion, request_id: str, request: Request) -> None:
    """What a person wants done about the open operation, answered with its report or with what stands against it."""
    try:
        report = about_open(world, memory, occasion, request)
    except (CoordinationError, FencedOut):
        raise
    except FailoverdError as error:
        world.coordination.answer(occasion.lease, world.cluster, request_id, {"error": str(error)})
        return
    if report is None:
        why = f"operation {memory.history.open_operation} is waited for: {memory.left.problem}"
        body: dict[str, object] = {"error": why}
    else:
        body = dict(report_json(report))
    world.coordination.answer(occasion.lease, world.cluster, request_id, body)


def about_open(world: World, memory: Memory, occasion: Occasion, request: Request) -> Report | None:
    """Do a person's will with the open operation; None while it is waited for. FailoverdError says why it cannot be."""
    open_id = memory.history.open_operation
    if not open_id:
        raise FailoverdError("no operation is open", f"cluster {world.cluster}", "failoverd ops list")
    if request.operation not in {"", open_id}:
        raise FailoverdError(f"operation {request.operation} is not open", f"{open_id} is")
    return resume(world, memory, occasion, request.verb)


def waiting(
    world: World, occasion: Occasion, verbs: frozenset[Verb] = frozenset(Verb)
) -> tuple[tuple[str, Request], ...]:
    """The requests of this minute with these verbs; older ones, by our clock, are answered as expired."""
    wall = world.eyes.clock.wall().timestamp()
    fresh = []
    for request_id, request in world.coordination.requests(world.cluster):
        if request.verb not in verbs:
            continue
        passed = wall - request.asked_at
        if abs(passed) > REQUEST_LIFE:
            why = f"by this manager's clock it was asked {passed:.0f} s ago: ask again, or set the clocks right"
            body = {"expired": True, "error": why}
            world.coordination.answer(occasion.lease, world.cluster, request_id, body)
        else:
            fresh.append((request_id, request))
    return tuple(fresh)


def serve_requests(world: World, memory: Memory, occasion: Occasion) -> None:
    """Do what people have asked this manager for: the oldest request, answered with a report.

    Only one, because then the world has moved: the next request is served after another look. None in the first silence
    of the primary: its agent, who can fence it, has not been asked yet, and the next look, which asks, comes at once.
    """
    if occasion.history.misses == 1 and not occasion.snapshot.hosts:
        return
    for request_id, request in waiting(world, occasion)[:1]:
        if request.verb is not Verb.BEGIN:
            serve_about_open(world, memory, occasion, request_id, request)
            return
        report = operate(world, memory, occasion, request.kind, request)
        world.coordination.answer(occasion.lease, world.cluster, request_id, dict(report_json(report)))
