"""What an active manager does about a verdict, and about what people ask for."""

from __future__ import annotations

from dataclasses import replace

from failoverd.model.history import Recorded
from failoverd.model.plans import Kind, Report, Request, Result
from failoverd.model.published import report_json
from failoverd.model.verdict import Advice
from failoverd.service.course import carry_out
from failoverd.service.operation import foresee, hands_for, open_operation
from failoverd.service.phases import Event, Phase, after
from failoverd.service.records import catch_up
from failoverd.service.results import account, refused
from failoverd.service.world import Memory, Occasion, World

OPERATIONS = {Advice.FAIL_OVER: Kind.FAILOVER, Advice.REOPEN: Kind.REOPEN}
# A request that nobody has served for this long was meant for another moment.
REQUEST_LIFE = 60.0


def respond(world: World, memory: Memory, occasion: Occasion) -> None:
    """Act on the verdict by ourselves where it says so and nothing stands against it; otherwise serve people."""
    verdict = occasion.verdict
    if verdict.advice is Advice.RECORD and verdict.primary is not None:
        record_primary(world, memory, occasion, verdict.primary)
        return
    kind = OPERATIONS.get(verdict.advice)
    if kind is not None and not verdict.refusals and memory.phase is not Phase.HALTED:
        operate(world, memory, occasion, kind, None)
        return
    serve_requests(world, memory, occasion)


def record_primary(world: World, memory: Memory, occasion: Occasion, name: str) -> None:
    """First start: write down who the primary is."""
    state = occasion.snapshot.state(name)
    if state is None:
        return
    record = Recorded(name, state.server_uuid, occasion.lease.epoch)
    world.coordination.publish_primary(occasion.lease, world.cluster, record)
    memory.history = replace(memory.history, recorded=record)
    world.log.info("primary recorded", server=name, server_uuid=state.server_uuid, epoch=record.epoch)


def operate(world: World, memory: Memory, occasion: Occasion, kind: Kind, request: Request | None) -> Report:
    """One operation, from the plan that opens the journal to the report that closes it."""
    plan = foresee(world, occasion, kind, request)
    if plan.refusals:
        return refused(world, occasion, plan, request)
    operation = open_operation(world, occasion, plan, request)
    memory.phase = after(memory.phase, Event.OPERATION_OPENED)
    memory.operation = operation
    world.log.info("operation opened", operation=operation.id, kind=str(kind), cause=operation.cause)

    def tell(text: str) -> None:
        world.log.info("step", operation=operation.id, epoch=operation.epoch, text=text)

    hands = hands_for(world, occasion, operation, tell)
    try:
        course = carry_out(world, occasion, hands, request)
    except BaseException:
        # The journal stays open: whoever is active next finds it, and until then nothing is done by itself.
        memory.phase = after(memory.phase, Event.PERSON_NEEDED)
        raise
    finally:
        hands.release()
    report = account(world, occasion, hands, course)
    close(world, memory, occasion, report)
    return report


def close(world: World, memory: Memory, occasion: Occasion, report: Report) -> None:
    """End the journal, unless a person is needed: then it stays open and nothing is done by itself any more."""
    operation = memory.operation
    memory.operation = None
    memory.last_report = report
    world.log.info(
        "operation ended",
        operation=report.operation,
        outcome=str(report.result),
        new_primary=report.new_primary,
        findings=list(report.findings),
        refusals=[r.id for r in report.refusals],
    )
    if operation is not None and report.result is not Result.NEEDS_PERSON:
        world.coordination.end(occasion.lease, operation, report)
    if report.result is not Result.DONE:
        memory.history = replace(memory.history, last_attempt_at=report.stamps.ended)
    needs_person = report.result is Result.NEEDS_PERSON
    memory.phase = after(memory.phase, Event.PERSON_NEEDED if needs_person else Event.OPERATION_CLOSED)
    catch_up(world, memory)


def serve_requests(world: World, memory: Memory, occasion: Occasion) -> None:
    """Do what people have asked this manager for, one request after the other, each answered with a report."""
    wall = world.eyes.clock.wall().timestamp()
    for request_id, request in world.coordination.requests(world.cluster):
        if wall - request.asked_at > REQUEST_LIFE:
            world.coordination.answer(occasion.lease, world.cluster, request_id, {"expired": True})
            continue
        report = operate(world, memory, occasion, request.kind, request)
        world.coordination.answer(occasion.lease, world.cluster, request_id, dict(report_json(report)))
        return  # the world has moved: the next request is served after another look
