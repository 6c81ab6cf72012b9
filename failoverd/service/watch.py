"""The life of one cluster in this manager: turn after turn until it is told to stop, then the lock is given back at
once.
"""

from __future__ import annotations

from dataclasses import replace

from failoverd.model.errors import CoordinationError
from failoverd.model.policy import ClusterPolicy
from failoverd.ports import Wakeups
from failoverd.service.cycle import turn
from failoverd.service.phases import Phase
from failoverd.service.publish import Published
from failoverd.service.pulse import PATIENCE, PATIENCE_OPERATING, Pulse
from failoverd.service.world import Memory, World

STOP = "stop"


class Watch:
    """One cluster, its memory and the bell it rests on; `looked` turns true when the first look is done."""

    def __init__(self, world: World, bell: Wakeups, published: Published) -> None:
        self._pulse = Pulse(world.eyes.clock)
        self.world = replace(world, eyes=replace(world.eyes, clock=self._pulse))
        self.bell = bell
        self.published = published
        self.memory = Memory()
        self.looked = False
        self.stopping = False
        self.stopped = False
        self._rest = 0.0

    @property
    def name(self) -> str:
        """The cluster."""
        return self.world.cluster

    @property
    def beats(self) -> int:
        """A number that grows while the loop runs."""
        return self._pulse.beats

    @property
    def patience(self) -> float:
        """Ticks of a second that may pass without a beat: less while only looking than while an operation is open."""
        return self._rest + (PATIENCE_OPERATING if self.memory.phase is Phase.OPERATING else PATIENCE)

    def round(self) -> float | None:
        """One turn, the first after contending for the lock has begun; the seconds to rest, None after `stop`. An error
        that leaves it is a bug and ends the process.
        """
        if self.stopping:
            self.leave()
            self.stopped = True
            return None
        if not self.looked:
            self.world.coordination.campaign(self.world.cluster)
        self._rest = turn(self.world, self.memory, self.published)
        if not self.looked:
            self.bell_of_first_look()
            self.looked = True
        return self._rest

    def adopt(self, policy: ClusterPolicy) -> None:
        """Other settings from the next turn on; an operation that is going on keeps those it was begun with."""
        self.world = replace(self.world, policy=policy)
        self.bell.ring("settings")

    def bell_of_first_look(self) -> None:
        """Say once that this cluster is being watched."""
        verdict = self.memory.verdict
        self.world.log.info("first look done", verdict=str(verdict.name) if verdict else "none")

    def leave(self) -> None:
        """Give the lock back; the databases are left alone."""
        try:
            self.world.coordination.resign(self.world.cluster)
        except CoordinationError as error:
            self.world.log.warning("lock not given back", why=str(error))

    def stop(self) -> None:
        """End after the turn in hand."""
        self.stopping = True
        self.bell.ring(STOP)
