"""Who went and who came back: what earlier looks tell about each server's last start. Times are our clock's seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from failoverd.model.sight import ServerState, Thread, Unreachable, Why
from failoverd.model.snapshot import TopologySnapshot

# A server reports how long it has been up in whole seconds: two readings of one start differ by less than this.
START_JITTER = 1.5
# A server is missed until it accepts connections, which may be this long after its start.
START_UP = 60.0
GONE = frozenset({Why.REFUSED, Why.RESET, Why.TIMED_OUT, Why.UNREACHABLE, Why.HUNG, Why.LEAVING})


@dataclass(frozen=True, slots=True)
class Coming:
    """One server: when it was started, since when it is missed, whether it came back and has not replicated since."""

    started_at: float | None = None
    missed_since: float | None = None
    missed_at: float | None = None
    returned: bool = False


@dataclass(frozen=True, slots=True)
class Comings:
    """All servers that were ever looked at."""

    known: Mapping[str, Coming] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, name: str) -> Coming:
        """What is known of a server; nothing where it was never looked at."""
        return self.known.get(name, Coming())

    def after(self, snapshot: TopologySnapshot) -> Comings:
        """The memory after one more look."""
        found = {
            name: seen(self.of(name), sight) if isinstance(sight, ServerState) else missed(self.of(name), sight)
            for name, sight in snapshot.sights.items()
        }
        return Comings(MappingProxyType({**self.known, **found}))


def seen(before: Coming, state: ServerState) -> Coming:
    """The memory after a look that reached it."""
    runs = state.main is not None and state.main.receiver is not Thread.NO
    return Coming(state.started_at, returned=not runs and (before.returned or restarted(before, state)))


def restarted(before: Coming, state: ServerState) -> bool:
    """Whether this is another start than the one that was seen before, or one after it was missed."""
    if before.started_at is not None:
        return state.started_at - before.started_at > START_JITTER
    return before.missed_at is not None and state.started_at >= before.missed_at - START_UP


def missed(before: Coming, sight: Unreachable) -> Coming:
    """The memory after a look that did not reach it; one that failed for another reason says nothing."""
    if sight.why not in GONE:
        return before
    since = before.missed_since if before.missed_since is not None else sight.read_at
    return replace(before, missed_since=since, missed_at=sight.read_at)
