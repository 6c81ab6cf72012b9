"""What if: a snapshot as it would be with some servers dead, for showing a plan before the incident."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from failoverd.decide.testimony import SILENT_EXTRA, SILENT_PERIODS
from failoverd.model.host import HostFacts
from failoverd.model.sight import ServerState, Sight, Thread, Trouble, Unreachable, Why
from failoverd.model.snapshot import TopologySnapshot

# What a receiver meets on a host that is up and where no mysqld listens.
REFUSED = Trouble(2003, "supposed to be dead")


def suppose_dead(snapshot: TopologySnapshot, names: frozenset[str]) -> TopologySnapshot:
    """The snapshot as if the mysqld of these servers had been killed, their hosts still up: what replicas had received
    stays, their receivers are cut off and have been silent for long enough to prove it.
    """
    dead = {name: state for name in names if (state := snapshot.state(name)) is not None}
    uuids = frozenset(state.server_uuid for state in dead.values())
    sights: dict[str, Sight] = {}
    for name, sight in snapshot.sights.items():
        if name in dead:
            sights[name] = Unreachable(name, Why.REFUSED, "supposed to be dead", snapshot.taken_at)
        else:
            sights[name] = cut_off(sight, uuids) if isinstance(sight, ServerState) else sight
    hosts = {
        name: replace(sight, alive=False, pids=(), orderly=False)
        if name in dead and isinstance(sight, HostFacts)
        else sight
        for name, sight in snapshot.hosts.items()
    }
    return replace(snapshot, sights=MappingProxyType(sights), hosts=MappingProxyType(hosts), probes=())


def cut_off(state: ServerState, sources: frozenset[str]) -> ServerState:
    """The server with every receiver of these sources connecting in vain, refused each time."""
    channels = tuple(
        replace(
            channel,
            receiver=Thread.CONNECTING,
            receiver_trouble=REFUSED,
            heartbeat_age=SILENT_PERIODS * channel.heartbeat_period + SILENT_EXTRA + 1.0,
        )
        if channel.source_uuid in sources and channel.receiver is Thread.YES
        else channel
        for channel in state.channels
    )
    return replace(state, channels=channels)
