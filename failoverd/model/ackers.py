"""Who may have acknowledged, who still can, and what that means for a promotion in lossless mode."""

from __future__ import annotations

from dataclasses import dataclass

from failoverd.model.history import Recorded
from failoverd.model.policy import ClusterPolicy
from failoverd.model.sight import ServerState, Thread
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.steps import NOWHERE


def able(state: ServerState, policy: ClusterPolicy) -> bool:
    """Whether a server can be made to acknowledge: nobody works on it, and a change of its source loses nothing."""
    if policy.server(state.name).maintenance or not state.semi_sync.replica_plugin:
        return False
    main = state.main
    return main is None or main.applier is Thread.YES or main.received <= state.executed


def able_ones(snapshot: TopologySnapshot, policy: ClusterPolicy, apart: frozenset[str]) -> tuple[str, ...]:
    """The names of all reached servers but these that can acknowledge."""
    return tuple(s.name for s in snapshot.reached() if s.name not in apart and able(s, policy))


@dataclass(frozen=True, slots=True)
class Staying:
    """Who can acknowledge to a server that stays the primary: its `own` replicas, and `lost` ones to bring back.

    Lost is who was disarmed by us or follows a listed server that does not lead to it, and holds nothing it lacks.
    """

    own: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many acknowledge, if all goes well."""
        return len(self.own) + len(self.lost)


def staying(snapshot: TopologySnapshot, policy: ClusterPolicy, primary: ServerState) -> Staying:
    """Those that will acknowledge to the recorded primary if it is opened again as it is."""
    others = [s for s in snapshot.reached() if s.name != primary.name and s.main is not None and able(s, policy)]
    own = tuple(s.name for s in others if _follows(policy, s, primary.name) and not _stopped(s))
    lost = tuple(s.name for s in others if _lost(snapshot, policy, s, primary) and s.holds <= primary.executed)
    return Staying(own, lost)


def _follows(policy: ClusterPolicy, state: ServerState, source: str) -> bool:
    return state.main is not None and policy.named(state.main.source) == source


def _stopped(state: ServerState) -> bool:
    """A receiver that stopped without any error was stopped by somebody, and nobody but a person starts it."""
    return state.main is not None and state.main.receiver is Thread.NO and not state.main.receiver_trouble


def _lost(snapshot: TopologySnapshot, policy: ClusterPolicy, state: ServerState, primary: ServerState) -> bool:
    """Whether no chain of listed servers that answer leads to the primary; a strange source is a person's will."""
    above, seen = state, {state.name}
    while above.main is not None:
        name = policy.named(above.main.source)
        if name is None:
            return above is state and above.main.source.host == NOWHERE.host
        source = snapshot.state(name)
        if name == primary.name:
            return False
        if source is None or name in seen:
            return True
        above, seen = source, seen | {name}
    return True


def possible(policy: ClusterPolicy, recorded: Recorded) -> frozenset[str]:
    """Everybody who may have acknowledged to the recorded primary: every listed server, and whoever was seen to."""
    return frozenset({s.name for s in policy.servers} | set(recorded.ackers)) - {recorded.name}


def seen_acknowledging(snapshot: TopologySnapshot, policy: ClusterPolicy, primary: ServerState) -> frozenset[str]:
    """Who acknowledges to this primary now: listed ones by name, others by server_uuid."""
    listed = {s.name for s in snapshot.reached() if s.name != primary.name and acknowledges_to(s, primary)}
    return frozenset(listed | set(strangers(snapshot, policy, primary)))


def acknowledges_to(state: ServerState, primary: ServerState) -> bool:
    """Whether this server is registered as acknowledging at that primary."""
    main = state.main
    return main is not None and main.source_uuid == primary.server_uuid and state.semi_sync.acknowledges


def strangers(snapshot: TopologySnapshot, policy: ClusterPolicy, primary: ServerState) -> tuple[str, ...]:
    """Replicas of the primary that are not listed, while more acknowledge than listed ones do.

    Empty where a listed server could not be read: its server_uuid is not known then.
    """
    reached = snapshot.reached()
    if len(reached) < len(policy.servers):
        return ()
    listed = sum(acknowledges_to(s, primary) for s in reached)
    known = {s.server_uuid for s in reached}
    unlisted = tuple(uuid for uuid in primary.semi_sync.replicas if uuid not in known)
    return unlisted if primary.semi_sync.clients > listed else ()
