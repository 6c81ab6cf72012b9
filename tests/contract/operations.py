"""Operations, entries and reports for the coordination tests."""

from __future__ import annotations

from failoverd.gtid import GtidSet, GtidSetBuilder
from failoverd.model.plans import (
    Entry,
    EntryKind,
    Group,
    Kind,
    Operation,
    Plan,
    Report,
    Requester,
    Result,
    Stamps,
    StepOutcome,
    StepResult,
)
from failoverd.model.steps import OpenWrites, Stage, Task

PERSON = Requester("person", "ann", "mgr1", "the disk smells")
UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"


def long_set(gaps: int = 40_000) -> GtidSet:
    """A set whose text is longer than 200 KB, with a tag, because every second number is missing."""
    builder = GtidSetBuilder()
    for number in range(1, 2 * gaps, 2):
        builder.add(UUID, "", number)
    builder.add(UUID, "blue", 7)
    return builder.build()


def operation(name: str, started: float = 1000.0, cluster: str = "shop") -> Operation:
    """A failover as it is opened."""
    groups = (Group(Stage.PROMOTE, (Task(OpenWrites("db2"), 3.0),)),)
    plan = Plan(cluster, Kind.FAILOVER, "db1", "db2", groups, why_not=(("db3", "behind"),))
    return Operation(name, cluster, Kind.FAILOVER, 1, "mgr1", PERSON, "primary-dead", plan, started)


def freeze_entry(gtids: GtidSet) -> Entry:
    """The record of what each server held."""
    return Entry(EntryKind.FREEZE, 1001.5, {"executed": {"db2": gtids, "db3": str(gtids)}})


def intent(number: int) -> Entry:
    """A small record with a number in it."""
    return Entry(EntryKind.INTENT, 1001.0 + number, {"number": number})


def report(done: Operation, result: Result = Result.DONE, ended: float = 1009.0) -> Report:
    """The account of an operation."""
    step = StepOutcome(Stage.PROMOTE, "open db2 for writes", "db2", StepResult.DONE, 1002.0, 0.1)
    stamps = Stamps(done.started, writable=1002.1, ended=ended)
    return Report(
        done.id, done.kind, done.cluster, result, "db1", "db2", done.cause, done.by, done.epoch, stamps, steps=(step,)
    )
