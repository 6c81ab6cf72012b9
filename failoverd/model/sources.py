"""Where transactions that a candidate lacks can be brought from: log files by agents, or a live peer by replication."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

from failoverd.gtid import GtidSet
from failoverd.model.history import History
from failoverd.model.host import Holding, LogKind
from failoverd.model.sight import Channel, ServerState, Thread
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.stall import PASSING


class Route(IntEnum):
    """How transactions can travel, the most trusted first."""

    OLD_PRIMARY_LOGS = 0  # complete: every other log was made from them
    PEER_BINARY_LOGS = 1  # executed and checked by a server
    PEER_RELAY_LOGS = 2  # received, not yet executed by anybody
    KEPT_LINKS = 3  # of files that nobody has any more, made in this trouble
    REPLICATION = 4  # needs no agent, and a peer whose set is clean


@dataclass(frozen=True, slots=True)
class Source:
    """One place that can give transactions; `size` is bytes of all it offers, 0 where unknown. Where it is log files,
    `kind` tells which, and `kept` under which names they were linked.
    """

    server: str
    route: Route
    gtids: GtidSet
    size: int = 0
    kind: LogKind = LogKind.BINARY
    kept: tuple[str, ...] = ()


def can_execute(state: ServerState) -> GtidSet:
    """What a server has executed or will execute by itself: received data counts only where its applier is sound."""
    reachable = state.executed
    for channel in state.channels:
        if channel.applier is Thread.YES or channel.applier_trouble.code in {0, *PASSING}:
            reachable |= readable(channel)
    return reachable


def readable(channel: Channel) -> GtidSet:
    """What a channel's applier gets to: everything it has received, unless damage was found in its logs."""
    return channel.sound if channel.damage and channel.sound is not None else channel.received


def sources_for(
    snapshot: TopologySnapshot, elect: str, old_primary: str, errant: Mapping[str, GtidSet]
) -> tuple[Source, ...]:
    """Every source that this snapshot shows for the elect, in the order of trust.

    The elect's own relay logs are one: a restart leaves files behind that its channel does not know any more. A peer
    gives by replication only where nothing errant would come along and nothing needed is purged there.
    """
    found = [
        Source(h.server, _route(h, old_primary), h.missing, h.size, h.kind, h.kept)
        for h in snapshot.holdings
        if h.missing and (h.server != elect or h.kind is LogKind.RELAY)
    ]
    target = snapshot.state(elect)
    for peer in snapshot.reached():
        if target is None or peer.name in {elect, old_primary} or errant.get(peer.name):
            continue
        if peer.purged <= target.executed:
            found.append(Source(peer.name, Route.REPLICATION, executes_soon(peer)))
    return tuple(sorted(found, key=lambda source: source.route))


def executes_soon(state: ServerState) -> GtidSet:
    """What a peer has executed or is executing: nobody starts its applier, or waits for its delay."""
    reachable = state.executed
    for channel in state.channels:
        if channel.applier is Thread.YES and not channel.delay:
            reachable |= readable(channel)
    return reachable


def _route(holding: Holding, old_primary: str) -> Route:
    if holding.kept:
        return Route.KEPT_LINKS
    if holding.kind is LogKind.RELAY:
        return Route.PEER_RELAY_LOGS
    return Route.OLD_PRIMARY_LOGS if holding.server == old_primary else Route.PEER_BINARY_LOGS


def forgot(state: ServerState) -> bool:
    """Whether a start has made a replica forget its relay logs, and nothing was received since: the files are there
    until the next rotation.
    """
    return state.settings.relay_log_recovery and state.main is not None and not state.main.received


def foreseen(snapshot: TopologySnapshot, history: History) -> TopologySnapshot:
    """The snapshot with what a scan can be expected to find where an agent answers: for predictions, before any scan.

    A primary whose opening nobody here has seen has executed what it was seen to hold and what its record says that it
    inherited. Relay logs that their server has forgotten may hold everything that was ever seen. A snapshot that holds
    scan results already is given back as it is.
    """
    if snapshot.holdings or history.recorded is None:
        return snapshot
    old, known = history.recorded.name, history.last_executed
    for _, held in history.last_holdings:
        known |= held
    expected = []
    if snapshot.facts(old) is not None:
        state, inherited = snapshot.state(old), history.recorded.inherited or GtidSet()
        seen = history.last_executed | history.holdings().get(old, GtidSet())
        executed = seen | inherited | (state.executed if state else GtidSet())
        expected.append(Holding(old, LogKind.BINARY, executed))
    for peer in snapshot.reached():
        if peer.name != old and snapshot.facts(peer.name) is not None:
            expected.append(Holding(peer.name, LogKind.BINARY, peer.executed))
            relay = known if forgot(peer) else peer.received
            expected.append(Holding(peer.name, LogKind.RELAY, relay - peer.executed))
    return replace(snapshot, holdings=tuple(h for h in expected if h.missing))
