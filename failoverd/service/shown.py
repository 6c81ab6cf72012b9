"""The open operation as the status shows it: what it is, where it stands, and what it waits for."""

from __future__ import annotations

from failoverd.model.errors import CoordinationError, FailoverdError
from failoverd.model.plans import Result
from failoverd.model.published import operation_json
from failoverd.service.phases import Phase
from failoverd.service.world import Memory, World


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
        "progress": memory.progress or None,
    }


def elsewhere(world: World, nobody: FailoverdError) -> FailoverdError:
    """Why nobody is heard here, with the host on which somebody is, as far as coordination can be asked."""
    try:
        open_id, active = world.coordination.open_operation(world.cluster), world.coordination.holder(world.cluster)
    except CoordinationError:
        return nobody
    if not open_id:
        return FailoverdError(nobody.what, f"no operation of {world.cluster} is under way", "failoverd ops list")
    if active is None:
        return FailoverdError(nobody.what, f"no manager is at {open_id} now", "failoverd ops resume")
    hint = f"attach on the host of {active}; failoverd ops abort reaches it from here, before anything is frozen"
    return FailoverdError(nobody.what, f"{open_id} is run by {active}", hint)
