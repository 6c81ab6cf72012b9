"""What coordination has on record, read into the memory: who the primary is, pauses, the last failover, open
operations.
"""

from __future__ import annotations

from dataclasses import replace

from failoverd.gtid import GtidSet
from failoverd.model.errors import CoordinationError
from failoverd.model.history import Recorded
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
        if not memory.history.last_executed:
            memory.history = replace(memory.history, last_executed=last_seen(world, memory.history.recorded))
    except CoordinationError as error:
        world.log.debug("records not read", why=str(error))


def last_seen(world: World, recorded: Recorded | None) -> GtidSet:
    """What the recorded primary had executed when a status was last published: a manager that starts when it is dead
    already knows by this what belongs to the cluster's history.
    """
    status = world.coordination.status(world.cluster)
    if recorded is None or status is None or status.get("primary") != recorded.name:
        return GtidSet()
    servers = status.get("servers")
    shown = [one for one in servers if one["name"] == recorded.name] if isinstance(servers, list) else []
    return GtidSet.parse(str(shown[0]["gtid_executed"] or "")) if shown else GtidSet()
