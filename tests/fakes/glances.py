"""A person who looks at what a manager does for somebody, once, and turns away."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from failoverd.service.following import Following
from failoverd.service.world import World
from tests.fakes.whole import StillClock


class Glancing(StillClock):
    """Time in which nobody waits."""

    def sleep(self, seconds: float) -> None:
        raise KeyboardInterrupt


def at_a_glance(world: World) -> World:
    """The world of such a person."""
    return replace(world, eyes=replace(world.eyes, clock=Glancing()))


def glance(following: Following) -> None:
    """Hear what is told in the first moment."""
    with contextlib.suppress(KeyboardInterrupt):
        following.answer()
