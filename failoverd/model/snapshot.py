"""One look at a whole cluster, immutable. Its methods answer questions of fact; judging is `decide`'s work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from failoverd.model.host import AgentSilent, Holding, HostFacts, HostSight, ProbeReport, StandbyWord
from failoverd.model.sight import ServerState, Sight, Unreachable, Why


@dataclass(frozen=True, slots=True)
class TopologySnapshot:
    """All that one look found: a sight for every listed server, a host sight for every agent asked, and the probes
    made, and what standby managers said.

    Invariant: `sights` names every server of the configuration, reached or not. `holdings` is filled only in recovery.
    `answered_in` is how long servers took to answer where that is known, in seconds.
    """

    cluster: str
    taken_at: float
    sights: Mapping[str, Sight]
    hosts: Mapping[str, HostSight] = field(default_factory=lambda: MappingProxyType({}))
    probes: tuple[ProbeReport, ...] = ()
    holdings: tuple[Holding, ...] = ()
    standbys: tuple[StandbyWord, ...] = ()
    answered_in: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def state(self, name: str) -> ServerState | None:
        """The server's state if this look reached it."""
        sight = self.sights.get(name)
        return sight if isinstance(sight, ServerState) else None

    def missed(self, name: str) -> Unreachable:
        """Why this look did not reach the server; `not-asked` for one that was reached or is unknown."""
        sight = self.sights.get(name)
        if isinstance(sight, Unreachable):
            return sight
        return Unreachable(name, Why.NOT_ASKED, "not asked in this look", self.taken_at)

    def facts(self, name: str) -> HostFacts | None:
        """What the agent of that server's host said, if it answered."""
        sight = self.hosts.get(name)
        return sight if isinstance(sight, HostFacts) else None

    def agent_state(self, name: str) -> str:
        """The agent's state in the words of the published JSON: ok, missing, old, unreachable."""
        sight = self.hosts.get(name)
        if isinstance(sight, HostFacts):
            return "ok"
        return sight.state if isinstance(sight, AgentSilent) else "unreachable"

    def reached(self) -> tuple[ServerState, ...]:
        """Every server that answered, in the order of the configuration."""
        return tuple(s for s in self.sights.values() if isinstance(s, ServerState))

    def writable(self) -> tuple[ServerState, ...]:
        """Every server that would accept a client's write."""
        return tuple(s for s in self.reached() if s.writable)
