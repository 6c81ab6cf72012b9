"""An operation as the page tells it: its stages, and what happened when, with its place on a line of time. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from failoverd.model.documents import Document, part, parts, word
from failoverd.model.stage import Stage
from failoverd.verify.telling import LINES, MOMENTS, measured, seconds_of
from failoverd.web.words import BUSY, GOOD, LATER, outcome_mark, short

# Wide enough for the shortest step to be seen, in hundredths of the line.
_LEAST: Final = 0.8
_TAKEN: Final = frozenset({"done", "already"})


@dataclass(frozen=True, slots=True)
class Happening:
    """One line: seconds after the start, what it was, and from where to where it reaches in hundredths of the whole."""

    at: float
    stage: str
    title: str
    outcome: str
    mark: str
    took: str
    detail: str
    left: float
    wide: float
    turning: bool


@dataclass(frozen=True, slots=True)
class Passage:
    """A stage and how far it has come: its shape, and the word that says so."""

    stage: str
    mark: str
    said: str


def happenings(operation: Document) -> tuple[Happening, ...]:
    """Everything that happened, in its order; of an operation that is open what is known so far."""
    started = seconds_of(word(operation, "started"))
    told = sorted([*_turnings(operation), *_steps(operation, started)], key=lambda one: one[0])
    first = min([started, *(at for at, _, _, _ in told)])
    whole = max([*(at + took for at, took, _, _ in told), started]) - first or 1.0
    return tuple(_happening(one, started, first, whole) for one in told)


def passages(operation: Document) -> tuple[Passage, ...]:
    """The stages in their order: passed, going on, or still to come. Of an ended operation only those that it had."""
    seen = [word(step, "stage") for step in parts(operation, "steps")]
    failed = {word(s, "stage") for s in parts(operation, "steps") if word(s, "outcome") == "failed"}
    now = "" if word(operation, "ended") else (seen[-1] if seen else str(Stage.CHECK))
    return tuple(
        _passage(stage, now, stage in seen, stage in failed)
        for stage in map(str, Stage)
        if stage in seen or not word(operation, "ended")
    )


def _passage(stage: str, now: str, seen: bool, failed: bool) -> Passage:
    if stage == now:
        return Passage(stage, BUSY, "going on")
    if failed:
        return Passage(stage, outcome_mark("failed"), "failed")
    return Passage(stage, GOOD, "passed") if seen else Passage(stage, LATER, "to come")


_Told = tuple[float, float, Document, str]


def _turnings(operation: Document) -> Iterator[_Told]:
    for key, what in MOMENTS:
        if word(operation, key):
            yield seconds_of(word(operation, key)), 0.0, {}, what
    for entry in parts(operation, "entries"):
        line = LINES.get(word(entry, "kind"))
        if line is not None:
            yield measured(entry, "at"), 0.0, {}, line(part(entry, "body")).removeprefix("** ")


def _steps(operation: Document, started: float) -> Iterator[_Told]:
    for step in parts(operation, "steps"):
        yield seconds_of(word(step, "started"), started), measured(step, "seconds"), step, word(step, "title")


def _happening(told: _Told, started: float, first: float, whole: float) -> Happening:
    at, took, step, title = told
    outcome = word(step, "outcome")
    return Happening(
        at - started,
        word(step, "stage"),
        title,
        outcome,
        outcome_mark(outcome) if step else BUSY,
        short(took) if outcome in _TAKEN else "",
        word(step, "detail"),
        round(min(100 * (at - first) / whole, 100 - _LEAST), 2),
        round(max(100 * took / whole, _LEAST), 2),
        not step,
    )
