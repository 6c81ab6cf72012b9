"""The write probe of an active manager: on the recorded primary, while it takes writes and nothing else goes on."""

from __future__ import annotations

from dataclasses import replace

from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.writing import Unwritten
from failoverd.ports import Lease
from failoverd.service.phases import Phase
from failoverd.service.world import Memory, World


def try_write(world: World, memory: Memory, snapshot: TopologySnapshot, lease: Lease | None) -> None:
    """Let a write begin where that is wanted and right, and remember since when none has come to its end."""
    found = written(world, memory, lease) if lease is not None and may_write(memory, snapshot) else None
    memory.history = replace(memory.history, unwritten=found)


def may_write(memory: Memory, snapshot: TopologySnapshot) -> bool:
    """Whether the recorded primary, and no other server, is the one that took writes in this look, and nobody has
    asked to be left alone.
    """
    history = memory.history
    state = snapshot.state(history.recorded.name) if history.recorded is not None else None
    if history.recorded is None or state is None or state.server_uuid != history.recorded.server_uuid:
        return False
    alone = [one.name for one in snapshot.writable()] == [state.name]
    return alone and memory.phase is Phase.WATCHING and not history.open_operation and history.paused is None


def written(world: World, memory: Memory, lease: Lease) -> Unwritten | None:
    """Since when no write has come to its end there."""
    probe, recorded = world.policy.detection.write_probe, memory.history.recorded
    if probe is None or recorded is None:
        return None
    return world.eyes.servers.try_write(world.cluster, recorded.name, probe, recorded.server_uuid, lease)
