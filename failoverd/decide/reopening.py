"""May the recorded primary, found read-only after a restart, be opened again? Opening the wrong one re-issues GTIDs."""

from __future__ import annotations

from failoverd.decide.errant import legitimate
from failoverd.decide.situation import Situation
from failoverd.gtid import GtidSet

# A server reports how long it has been up in whole seconds: two readings of one start differ by less than this.
START_JITTER = 1.5
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
    if s.primary is None:
        return "it does not answer"
    source = s.source_of(s.primary)
    if source:
        return f"it follows {source}"
    held = s.history.holdings()
    for spec in s.policy.servers:
        if spec.name == s.recorded.name:
            continue
        state = s.snapshot.state(spec.name)
        if state is None and spec.name not in held:
            return f"what {spec.name} holds is not known"
        ahead = _counted(s, state.holds if state is not None else held[spec.name]) - s.primary.executed
        if ahead:
            return f"{spec.name} holds {len(ahead)} transactions that it lacks: {ahead.shorten()}"
    return ""


def _counted(s: Situation, held: GtidSet) -> GtidSet:
    # Errant transactions of a replica are no reason against the primary, but only a memory of it can tell them apart.
    return legitimate(held, s.snapshot, s.history) if s.history.last_executed else held
