"""Records of the journal back into frozen nouns, so that another manager can go on with an operation.

Whatever cannot be understood is refused by place: an operation is never gone on with by guess.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, get_args

from cattrs import Converter

from failoverd.gtid import GtidSet
from failoverd.model.errors import CoordinationError
from failoverd.model.journal import Unfinished
from failoverd.model.plans import Entry, EntryKind, Operation
from failoverd.model.steps import Step

_STEPS = {step.__name__: step for step in get_args(Step)}


def _converter() -> Converter:
    made = Converter(detailed_validation=False)
    made.register_structure_hook(GtidSet, lambda text, _: GtidSet.parse(text))
    made.register_structure_hook_func(lambda kind: kind == Step, lambda data, _: step_from(data))
    return made


def step_from(data: Mapping[str, Any]) -> Step:
    """One step from its class's name and its fields."""
    fields = dict(data)
    step: Step = _CONVERTER.structure(fields, _STEPS[fields.pop("step")])
    return step


_CONVERTER = _converter()


def entry_from(record: Mapping[str, Any]) -> Entry:
    """One record between begin and end; steps in it are steps again."""
    body = dict(record["body"])
    if "act" in body:
        body["act"] = step_from(body["act"])
    if "acts" in body:
        body["acts"] = tuple(step_from(act) for act in body["acts"])
    return Entry(EntryKind(record["kind"]), float(record["at"]), MappingProxyType(body))


def unfinished_from(name: str, begin: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> Unfinished:
    """An operation without an end. CoordinationError where a record is damaged or of a shape this program has not."""
    try:
        operation = _CONVERTER.structure(begin["whole"], Operation)
        found = Unfinished(operation, tuple(entry_from(entry) for entry in entries))
        (
            found.begun(),
            found.given_up(),
            found.relaxed(),
            found.intent(),
        )  # what goes on with it reads these: better refused now
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise CoordinationError(
            f"the journal of operation {name} cannot be understood",
            f"{type(error).__name__} {error}".strip(),
            "run the newest installed failoverd",
        ) from error
    return found
