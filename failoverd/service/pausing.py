"""A pause, from a person's word to the record: on a whole cluster or on one server, with or without an end."""

from __future__ import annotations

from collections.abc import Mapping

from failoverd.model.errors import ConfigError
from failoverd.model.history import Pause
from failoverd.model.status import pause_json
from failoverd.service.world import World

Document = Mapping[str, object]


def pause(world: World, wish: Pause, dry_run: bool) -> Document:
    """Record it in place of one for the same server or cluster. Raises ConfigError for an end that has passed."""
    if wish.over(world.eyes.clock.wall().timestamp()):
        raise ConfigError("the pause would have ended already", "its time is not above zero", "--for 2h")
    before = standing(world, wish.server)
    if not dry_run:
        world.coordination.pause(world.cluster, wish)
    return account(world, wish.server, before, wish)


def unpause(world: World, server: str, dry_run: bool) -> Document:
    """End the pause of a server, or with an empty name that of the cluster; where there is none nothing changes."""
    before = standing(world, server)
    if not dry_run and before is not None:
        world.coordination.unpause(world.cluster, server)
    return account(world, server, before, None)


def standing(world: World, server: str) -> Pause | None:
    """The pause in force for a server, or for the cluster."""
    return next((one for one in world.coordination.pauses(world.cluster) if one.server == server), None)


def account(world: World, server: str, before: Pause | None, now: Pause | None) -> Document:
    """What was in force and what is, and the servers that stay paused."""
    others = [one.server for one in world.coordination.pauses(world.cluster) if one.server not in {"", server}]
    return {
        "cluster": world.cluster,
        "server": server or None,
        "paused": pause_json(now),
        "before": pause_json(before),
        "still_paused": others,
    }
