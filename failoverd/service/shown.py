"""The open operation as the status shows it: what it is, where it stands, and what it waits for."""

from __future__ import annotations

from collections.abc import Mapping

from failoverd.model.plans import Result
from failoverd.model.published import operation_json
from failoverd.model.steps import Stage
from failoverd.service.phases import Phase
from failoverd.service.world import Memory


def operation_shown(memory: Memory) -> dict[str, object] | None:
    """The operation that is open, with what keeps it so; null where there is none."""
    open_id = memory.history.open_operation
    if memory.operation is None:
        return {"id": open_id, "operation": open_id, "problem": memory.left.problem} if open_id else None
    halted = memory.phase is Phase.HALTED
    return {
        **operation_json(memory.operation),
        "id": memory.operation.id,
        "stage": memory.left.stage,
        "outcome": str(Result.NEEDS_PERSON) if halted else None,
        "problem": memory.left.problem,
    }


def operation_running(shown: Mapping[str, object]) -> dict[str, object]:
    """An operation that is going on right now, from its journal."""
    steps = shown.get("steps")
    stage = steps[-1]["stage"] if isinstance(steps, list) and steps else str(Stage.CHECK)
    told = {key: shown.get(key) for key in ("operation", "kind", "cause", "started", "outcome")}
    return {**told, "id": shown.get("operation"), "stage": stage, "problem": ""}
