"""What coordination has on record, read into the memory: who the primary is, pauses, the last failover, open
operations.
"""

from __future__ import annotations

from dataclasses import replace

from failoverd.model.errors import CoordinationError
from failoverd.service.world import Memory, World


def catch_up(world: World, memory: Memory) -> None:
    """Read the records anew; where they cannot be read the memory stays as it is: without coordination nobody acts."""
    coordination = world.coordination
    try:
        memory.history = replace(
            memory.history,
            recorded=coordination.recorded(world.cluster),
            paused=coordination.paused(world.cluster),
            last_failover_at=coordination.last_failover_at(world.cluster),
            open_operation=coordination.open_operation(world.cluster),
        )
    except CoordinationError as error:
        world.log.debug("records not read", why=str(error))
