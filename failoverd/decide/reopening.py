"""May the recorded primary, found read-only after a restart, be opened again? Opening the wrong one re-issues GTIDs."""

from __future__ import annotations

from failoverd.decide.errant import legitimate
from failoverd.decide.situation import Situation
from failoverd.gtid import GtidSet
from failoverd.model.counted import counted
from failoverd.model.history import START_JITTER
from failoverd.model.sight import ServerState

# A manager without memory takes a primary for restarted only if it has been up for less than this: a longer time
# without anybody opening it is somebody's will.
RECENT_START = 600.0


def restarted(s: Situation) -> bool:
    """Whether the read-only primary was started after our last look at it writable."""
    if s.primary is None:
        return False
    started = s.primary.started_at
    if s.history.last_started_at is not None:
        return started - s.history.last_started_at > START_JITTER
    if s.history.last_writable_at is not None:
        return started > s.history.last_writable_at
    return s.now - started <= RECENT_START


def obstacle(s: Situation) -> str:
    """Why the restarted primary must not be opened; empty when it may be.

    Its executed set must cover what every listed server has executed or received, by the last look that reached each.
    """
    return danger(s) or unknown(s)


def danger(s: Situation) -> str:
    """What is known to go wrong if the recorded primary were opened now; empty where nothing is."""
    if s.primary is None:
        return "it does not answer"
    if s.primary.server_uuid != s.recorded.server_uuid:
        return f"another server answers there, {s.primary.server_uuid}"
    source = s.source_of(s.primary)
    if source:
        return f"it follows {source}"
    others = [w.name for w in s.snapshot.writable() if w.name != s.recorded.name]
    return f"{others[0]} takes writes" if others else _ahead(s, s.primary, own=True)


def unknown(s: Situation) -> str:
    """Whether it may lack something that no number of its own would be given to again: a server's transactions of
    other origins, or those of a server that nobody has seen since this manager began; empty where it cannot.
    """
    found = _ahead(s, s.primary, own=False) if s.primary is not None else ""
    return found or _unseen(s)


def _unseen(s: Situation) -> str:
    held = s.history.holdings()
    unseen = [
        spec.name
        for spec in s.policy.servers
        if spec.name != s.recorded.name and s.snapshot.state(spec.name) is None and spec.name not in held
    ]
    return f"what {' and '.join(unseen)} holds is not known" if unseen else ""


def _ahead(s: Situation, primary: ServerState, *, own: bool) -> str:
    held = s.history.holdings() | {state.name: state.holds for state in s.snapshot.reached()}
    for spec in s.policy.servers:
        ahead = _counted(s, held.get(spec.name, GtidSet())) - primary.executed
        ahead = ahead.of_uuid(primary.server_uuid) if own else ahead
        if ahead and spec.name != primary.name:
            return f"{spec.name} holds {counted(len(ahead), 'transaction')} that it lacks: {ahead.shorten()}"
    return ""


def _counted(s: Situation, held: GtidSet) -> GtidSet:
    # Errant transactions of a replica are no reason against the primary, but only a memory of it, or the record of its
    # history, can tell them apart.
    told = s.history.last_executed or s.recorded.inherited is not None
    return legitimate(held, s.snapshot, s.history) if told else held
