"""What coordination has on record, read into the memory: who the primary is, pauses, the last failover, open
operations.
"""

from __future__ import annotations

from dataclasses import replace

from failoverd.gtid import GtidSet
from failoverd.model.errors import CoordinationError
from failoverd.model.history import History, Pause
from failoverd.service.world import Memory, Occasion, World


def catch_up(world: World, memory: Memory) -> CoordinationError | None:
    """Read the records anew; why not, where they cannot be read: then the memory stays as it is, and whoever has just
    become active must not act on it.
    """
    coordination = world.coordination
    try:
        pauses = coordination.pauses(world.cluster)
        memory.history = replace(
            with_pauses(memory.history, pauses),
            recorded=coordination.recorded(world.cluster),
            last_failover_at=coordination.last_failover_at(world.cluster),
            open_operation=coordination.open_operation(world.cluster),
        )
    except CoordinationError as error:
        world.log.debug("records not read", why=str(error))
        return error
    return None


def nobody_acts(world: World, memory: Memory, why: str, hint: str) -> None:
    """Say once that the records forbid to act: lost, or older than what was done. A person adopts them."""
    if memory.left.problem != why:
        memory.left = replace(memory.left, problem=why)
        world.log.warning("nobody acts", why=why, hint=hint)


def with_pauses(history: History, pauses: tuple[Pause, ...]) -> History:
    """The memory with these pauses and no others."""
    whole = next((pause for pause in pauses if not pause.server), None)
    return replace(history, paused=whole, paused_servers=tuple(pause for pause in pauses if pause.server))


def paused_meanwhile(world: World, memory: Memory) -> bool:
    """Whether the pauses on record are others than those in the memory, which has them now: an act by ourselves asks
    this last, because whoever paused has been told so. Raises CoordinationError.
    """
    before = memory.history
    memory.history = with_pauses(before, world.coordination.pauses(world.cluster))
    return memory.history != before


def heeding(world: World, pauses: tuple[Pause, ...]) -> World:
    """The world with paused servers in maintenance, as long as their pauses last."""
    wall = world.eyes.clock.wall().timestamp()
    spared = frozenset(pause.server for pause in pauses if pause.server and not pause.over(wall))
    return replace(world, policy=world.policy.sparing(spared)) if spared else world


def keep_history(world: World, memory: Memory, occasion: Occasion) -> None:
    """Record what a healthy primary has executed without having made it, where the record does not tell it yet: whoever
    is active next knows the cluster's history by this, also without having seen the primary alive.
    """
    recorded = memory.history.recorded
    primary = occasion.snapshot.state(recorded.name) if recorded is not None else None
    if recorded is None or primary is None or primary.server_uuid != recorded.server_uuid:
        return
    if recorded.inherited is not None and primary.inherited <= recorded.inherited:
        return
    told = replace(recorded, inherited=primary.inherited | (recorded.inherited or GtidSet()))
    world.coordination.publish_primary(occasion.lease, world.cluster, told)
    memory.history = replace(memory.history, recorded=told)
    world.log.info("history recorded", server=told.name, transactions=len(primary.inherited))
