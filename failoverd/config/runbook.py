"""Load a runbook as strictly as the configuration: unknown keys, wrong values and what cannot be are told together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from failoverd.config.complaints import Complaint, ConfigErrors, Place
from failoverd.config.document import parse
from failoverd.config.runbook_shapes import (
    AskShape,
    ExpectShape,
    FaultShape,
    HookShape,
    LabSection,
    RunbookShape,
    RunShape,
    WaitShape,
)
from failoverd.config.walk import At, Walk
from failoverd.model.runbook import (
    FAULTS,
    Abort,
    AskStep,
    Expectation,
    FaultStep,
    HookStep,
    LabShape,
    Need,
    ProbeShape,
    Role,
    Runbook,
    RunStep,
    Step,
    WaitStep,
)


def load_runbook(path: Path) -> Runbook:
    """The runbook in that file; ConfigErrors with everything that is wrong, each with path and line."""
    file = path.absolute()
    root = parse(file)
    if isinstance(root, Complaint):
        raise ConfigErrors((root,))
    walk = Walk()
    found = walk.section(RunbookShape, root, At("", Place(file, 1), {}))
    if isinstance(found, RunbookShape) and not walk.complaints:
        book = _noun(found, walk, file)
        for impossible in IMPOSSIBLE:
            for where, sentence, hint in impossible(book):
                walk.complain(where, walk.place_of(where, Place(file, 1)), sentence, hint)
        if not walk.complaints:
            return book
    raise ConfigErrors(tuple(walk.complaints))


def _noun(shape: RunbookShape, walk: Walk, file: Path) -> Runbook:
    def placed(path: str, one: object) -> str:
        first = next(iter(type(one).__dataclass_fields__))  # type: ignore[attr-defined]
        return str(walk.place_of(f"{path}.{first}", Place(file, 1)))

    def steps(key: str, found: tuple[Any, ...]) -> tuple[Step, ...]:
        return tuple(_step(one, placed(f"{key}[{index}]", one)) for index, one in enumerate(found))

    expect = [_expectation(one, placed(f"expect[{index}]", one)) for index, one in enumerate(shape.expect)]
    return Runbook(
        name=file.stem,
        file=str(file),
        title=shape.title,
        about=shape.about.strip(),
        steps=steps("steps", shape.steps),
        expect=tuple(expect),
        on=shape.on,
        needs=shape.needs,
        needs_place=str(walk.place_of("needs", Place(file, 1))),
        blast_radius=shape.blast_radius,
        cleanup=steps("cleanup", shape.cleanup),
        abort_if=tuple(_abort(one) for one in shape.abort_if),
        abort_file=shape.abort_file,
        text=file.read_text(encoding="utf-8"),
        lab=_lab(shape.lab),
        probe=ProbeShape(shape.probe.every, shape.probe.through, shape.probe.reads),
    )


def _step(shape: FaultShape | RunShape | WaitShape | AskShape | HookShape, place: str) -> Step:
    if isinstance(shape, FaultShape):
        return FaultStep(shape.fault, shape.at, shape.peer, shape.lasts, shape.clock, place)
    if isinstance(shape, RunShape):
        return RunStep(shape.run, shape.exit, shape.within, shape.clock, place)
    if isinstance(shape, WaitShape):
        return WaitStep(shape.wait, shape.within, shape.clock, place)
    if isinstance(shape, AskShape):
        return AskStep(shape.ask, shape.clock, place)
    return HookStep(shape.hook, shape.within, shape.clock, place)


def _expectation(shape: Any, place: str) -> Expectation:
    kind = next(key for key, known in ExpectShape.VARIANTS.items() if isinstance(shape, known))
    return Expectation(kind, getattr(shape, kind), getattr(shape, "within", None), place)  # type: ignore[arg-type]


def _abort(shape: Any) -> Abort:
    kind = next(iter(type(shape).__dataclass_fields__))
    value = getattr(shape, kind)
    return Abort(kind, "" if value == "true" else value)


def _lab(section: LabSection) -> LabShape:
    settings = tuple((key, value) for key, _, value in (text.partition("=") for text in section.settings))
    return LabShape(
        replicas=section.replicas,
        managers=section.managers,
        zookeepers=section.zookeepers,
        lossless=section.lossless,
        supervised=section.supervised,
        performance_schema=section.performance_schema,
        disk_mb=section.disk_mb,
        failpoint=section.failpoint,
        settings=settings,
    )


@dataclass(frozen=True, slots=True)
class _Named:
    """A step with its path in the file."""

    path: str
    step: Step


def _all_steps(book: Runbook) -> Iterator[_Named]:
    for key, steps in (("steps", book.steps), ("cleanup", book.cleanup)):
        for index, step in enumerate(steps):
            yield _Named(f"{key}[{index}]", step)


Finding = tuple[str, str, str]  # path, sentence, hint


def _wrong_targets(book: Runbook) -> Iterator[Finding]:
    """Faults at nobody, at somebody they cannot hit, or with one side of a cut missing."""
    for named in _all_steps(book):
        step = named.step
        if not isinstance(step, FaultStep):
            continue
        facts = FAULTS[step.fault]
        known = ", ".join(sorted(facts.hits))
        if facts.hits and step.at is None:
            yield f"{named.path}.fault", f"'{step.fault}' does not say whom it hits", f"at: one of {known}"
        elif step.at is not None and step.at not in facts.hits:
            yield f"{named.path}.at", f"'{step.fault}' cannot hit '{step.at}'", f"it hits {known or 'nobody'}"
        if facts.between != (step.peer is not None):
            sentence = "needs a peer" if facts.between else "takes no peer"
            yield f"{named.path}.fault", f"'{step.fault}' {sentence}", "peer: the other side of a cut"


def _outside_the_radius(book: Runbook) -> Iterator[Finding]:
    """Faults that hit somebody whom the blast radius leaves out."""
    for named in _all_steps(book):
        step = named.step
        hit = step.at if isinstance(step, FaultStep) else None
        if book.blast_radius and hit is not None and hit not in book.blast_radius:
            sentence = f"'{hit}' lies outside the blast radius"
            yield f"{named.path}.at", sentence, f"the runbook promises to hit {', '.join(book.blast_radius)} only"


def _nobody_there(book: Runbook) -> Iterator[Finding]:
    """Roles and needs that the lab of the runbook has nobody for."""
    missing = {
        Role.STANDBY_MANAGER: book.lab.managers < 2,
        Role.OTHER_REPLICA: book.lab.replicas < 2,
    }
    for named in _all_steps(book):
        for key in ("at", "peer"):
            role: Role | None = getattr(named.step, key, None)
            if role is not None and missing.get(role):
                yield f"{named.path}.{key}", f"the lab has no {role}", "give lab more replicas or managers"
    for index, one in enumerate(book.expect):
        if one.value == Role.OTHER_REPLICA and missing[Role.OTHER_REPLICA]:
            yield f"expect[{index}].{one.kind}", "the lab has no other-replica", "lab: {replicas: 2}"
    lacking = {Need.STANDBY: book.lab.managers < 2, Need.TWO_REPLICAS: book.lab.replicas < 2}
    lacking[Need.LOSSLESS] = not book.lab.lossless
    for need in book.needs:
        if lacking.get(need):
            yield "needs", f"the lab of this runbook has no {need}", "say so in its section lab"


def _contradictions(book: Runbook) -> Iterator[Finding]:
    """Expectations that cannot hold together, and steps that share the clock."""
    kinds = {one.kind: index for index, one in enumerate(book.expect)}
    if {"new_primary", "no_failover"} <= kinds.keys():
        where = f"expect[{kinds['no_failover']}].no_failover"
        yield where, "cannot hold together with new_primary", "take one of them away"
    for index, one in enumerate(book.expect):
        moved = one.kind == "operation" and str(one.value).startswith(("failover ", "switchover "))
        if moved and "no_failover" in kinds:
            yield f"expect[{index}].operation", "cannot hold together with no_failover", "take one of them away"
        if one.kind == "stale_reads_below" and not book.probe.reads:
            yield f"expect[{index}].{one.kind}", "cannot be judged: the probe does not read", "probe: {reads: true}"
    marked = [named for named in _all_steps(book) if named.step.clock]
    for named in marked[1:]:
        yield f"{named.path}.clock", "the clock starts twice", f"the first is at {marked[0].step.place}"
    if marked and marked[0].path.startswith("cleanup"):
        yield f"{marked[0].path}.clock", "the clock cannot start in the cleanup", "mark one of the steps"


def _odd_ensembles(book: Runbook) -> Iterator[Finding]:
    """Ensembles of a size that nobody runs."""
    if book.lab.zookeepers not in {1, 3, 5}:
        yield "lab.zookeepers", f"{book.lab.zookeepers} is no size of an ensemble", "1, 3 or 5"


IMPOSSIBLE: Final[tuple[Callable[[Runbook], Iterator[Finding]], ...]] = (
    _wrong_targets,
    _outside_the_radius,
    _nobody_there,
    _contradictions,
    _odd_ensembles,
)
