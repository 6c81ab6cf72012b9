"""What the active manager of a healthy lossless cluster does in passing: it keeps acknowledgements and their record.

None of it is an operation: each act is one setting on one server, recognised by the next look and done again where it
did not last. Only giving acknowledgements up is recorded before it is done, because it takes back a promise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from failoverd.decide.acknowledging import Upkeep, better, upkeep
from failoverd.model.errors import ServerError, StepFailed
from failoverd.model.history import Recorded
from failoverd.model.sight import ServerState
from failoverd.ports import ClaimedServer
from failoverd.service.operation import situation_of
from failoverd.service.world import Memory, Occasion, World

# What could not be set is tried again after this pause (seconds): a server that refuses is not asked at each look.
AGAIN = 5.0


def keep_lossless(world: World, memory: Memory, occasion: Occasion) -> None:
    """One look's worth of upkeep; errors of servers are logged, those of coordination are raised."""
    recorded = memory.history.recorded
    primary = occasion.snapshot.state(recorded.name) if recorded else None
    if not world.policy.lossless or recorded is None or primary is None:
        return
    note_shortage(world, memory, primary)
    found = upkeep(situation_of(world, occasion, None), memory.acks_short_since)
    if found is None:
        return
    if found.give_up:
        record(world, memory, occasion, replace(recorded, degraded=True))
        world.log.warning("commits go on without acknowledgements", server=found.server)
    if world.eyes.clock.now() - memory.acks_tried_at >= AGAIN:
        act(world, memory, occasion, found)
    seen = memory.history.recorded or recorded
    record(world, memory, occasion, seen if found.give_up else better(seen, found, primary, wanted(world)))


def wanted(world: World) -> int:
    """How many replicas a commit waits for."""
    return world.policy.semi_sync.wait_count


def note_shortage(world: World, memory: Memory, primary: ServerState) -> None:
    """Since when the primary waits for more replicas than acknowledge to it."""
    short = primary.semi_sync.source_on and primary.semi_sync.clients < wanted(world)
    if not short:
        memory.acks_short_since = None
    elif memory.acks_short_since is None:
        memory.acks_short_since = world.eyes.clock.now()


def record(world: World, memory: Memory, occasion: Occasion, wished: Recorded) -> None:
    """Publish the record where it says something new."""
    if wished == memory.history.recorded:
        return
    world.coordination.publish_primary(occasion.lease, world.cluster, wished)
    memory.history = replace(memory.history, recorded=wished)
    world.log.info("acknowledgers recorded", ackers=list(wished.ackers), degraded=wished.degraded)


def act(world: World, memory: Memory, occasion: Occasion, found: Upkeep) -> None:
    """Change what is to be changed, server by server."""
    for name in found.acknowledge:
        change(world, memory, occasion, name, lambda claim: claim.acknowledge())
    if found.give_up:
        change(world, memory, occasion, found.server, lambda claim: claim.give_up_acks())
    elif found.wait:
        change(world, memory, occasion, found.server, lambda claim: claim.await_acks(wanted(world)))


def change(world: World, memory: Memory, occasion: Occasion, server: str, do: Callable[[ClaimedServer], None]) -> None:
    """One act on one server under its session lock."""
    memory.acks_tried_at = world.eyes.clock.now()
    try:
        claim = world.eyes.servers.claim(world.cluster, server, occasion.lease, world.policy.detection.timeout * 2)
        try:
            do(claim)
        finally:
            claim.release()
    except (ServerError, StepFailed) as error:
        world.log.warning("semi-sync not set", server=server, why=str(error))
    else:
        world.log.info("semi-sync set", server=server)
