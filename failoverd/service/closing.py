"""The end of an operation: its report in the journal; where a person is needed it stays open, and why is said."""

from __future__ import annotations

from dataclasses import replace

from failoverd.model.plans import Entry, EntryKind, Kind, Operation, Report, Result, StepResult
from failoverd.service.phases import Event, after
from failoverd.service.records import catch_up
from failoverd.service.world import Led, Left, Links, Memory, Occasion, World

# What needs a person is tried again by itself after this, each time later, and at once where other servers answer
# (seconds).
PAUSE_FIRST = 5.0
PAUSE_MOST = 60.0


def close(world: World, memory: Memory, occasion: Occasion, report: Report) -> None:
    """End the journal, or say why it stays open. The operation is the one that the memory names."""
    operation = memory.operation
    memory.last_reports[report.kind] = report
    memory.led = Led(since=world.eyes.clock.now())
    if report.result is not Result.DONE and report.kind in {Kind.FAILOVER, Kind.REOPEN}:
        memory.history = replace(memory.history, last_attempt_at=report.stamps.ended)
        if report.kind is Kind.REOPEN:
            memory.history = replace(memory.history, last_reopening_at=report.stamps.ended)
    if operation is not None and report.result is Result.NEEDS_PERSON:
        stay_open(world, memory, occasion, operation, report)
        say(world, "operation needs a person", report)
        return
    if operation is not None:
        world.moment("before:end")
        world.coordination.end(occasion.lease, operation, report)
        world.moment("after:end")
        world.flight.keep(world.cluster, operation.id)
    say(world, "operation ended", report)
    memory.operation = None
    memory.left = Left()
    memory.links = Links()  # what was linked for it is to be ended
    memory.history = replace(memory.history, open_operation="")
    memory.phase = after(memory.phase, Event.OPERATION_CLOSED)
    catch_up(world, memory)


def say(world: World, event: str, report: Report) -> None:
    """The end in the log."""
    world.log.info(
        event,
        operation=report.operation,
        outcome=str(report.result),
        new_primary=report.new_primary,
        findings=list(report.findings),
        refusals=[r.id for r in report.refusals],
    )


def stay_open(world: World, memory: Memory, occasion: Occasion, operation: Operation, report: Report) -> None:
    """Leave the journal open with the reason in it; the reason is written once, not at each try."""
    failed = [f"{step.title}: {step.detail}" for step in report.steps if step.result is StepResult.FAILED]
    why = "; ".join((*report.findings, *failed[-3:]))
    clock, before = world.eyes.clock, memory.left
    pause = min(max(2 * before.pause, PAUSE_FIRST), PAUSE_MOST)
    memory.left = Left(
        operation.id,
        before.since if before.operation == operation.id else clock.now(),
        clock.now() + pause,
        pause,
        frozenset(state.name for state in occasion.snapshot.reached()),
        why or "it could not be brought to an end",
        report.steps[-1].stage if report.steps else before.stage,
    )
    memory.phase = after(memory.phase, Event.PERSON_NEEDED)
    if memory.left.problem != before.problem:
        entry = Entry(EntryKind.NEEDS_PERSON, clock.wall().timestamp(), {"sentence": memory.left.problem})
        world.coordination.write(occasion.lease, operation, entry, True)
