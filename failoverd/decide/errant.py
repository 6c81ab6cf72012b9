"""Which transactions belong to the cluster's history, and which ones a server made for itself."""

from __future__ import annotations

from functools import reduce

from failoverd.gtid import GtidSet
from failoverd.model.history import History
from failoverd.model.host import LogKind
from failoverd.model.sight import ServerState
from failoverd.model.snapshot import TopologySnapshot


def legitimate(gtids: GtidSet, snapshot: TopologySnapshot, history: History) -> GtidSet:
    """The legitimate part of a set; all the rest is errant: never fetched, never applied, named.

    Legitimate is what the recorded primary was last seen to have executed, by us or by whoever wrote the record,
    everything that carries its own server_uuid, and everything in its own binary logs. Where neither is known, also
    what all reached servers have executed in common: it is everywhere, so nothing is spread by it.
    """
    if history.recorded is None:
        return gtids
    primary = history.recorded
    known = history.last_executed | gtids.of_uuid(primary.server_uuid) | (primary.inherited or GtidSet())
    state = snapshot.state(primary.name)
    if state is not None and state.server_uuid == primary.server_uuid:
        known |= state.executed
    for holding in snapshot.holdings:
        if holding.server == primary.name and holding.kind is LogKind.BINARY:
            known |= holding.missing
    reached = [s.executed for s in snapshot.reached()]
    if primary.inherited is None and not history.last_executed and reached:
        known |= reduce(lambda common, one: common & one, reached)
    return gtids & known


def errant(state: ServerState, snapshot: TopologySnapshot, history: History) -> GtidSet:
    """What this server has executed or received that is not legitimate."""
    holds = state.holds
    if holds <= history.last_executed:  # as nearly always: the primary was seen to have it all
        return GtidSet()
    return holds - legitimate(holds, snapshot, history)
