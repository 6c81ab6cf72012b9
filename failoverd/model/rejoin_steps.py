"""The steps for a server that came back: it is made harmless, and what it has made for itself is kept."""

from __future__ import annotations

from dataclasses import dataclass

from failoverd.gtid import GtidSet
from failoverd.model.counted import counted
from failoverd.model.divergence import Judged
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.stage import Stage


@dataclass(frozen=True, slots=True)
class CloseReturned:
    """Close a server that is not the primary any more, also for its next start: super_read_only, clients ended."""

    server: str
    stage = Stage.FENCE

    def title(self) -> str:
        """What it does, for people."""
        return f"close {self.server}, which is not the primary"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether the server itself says that nobody writes there, now and after a restart."""
        state = snapshot.state(self.server)
        return state is not None and state.super_read_only and state.settings.read_only_at_start is True


@dataclass(frozen=True, slots=True)
class ExportDivergence:
    """Keep what a server has made for itself, from its own log; `primary` tells the names of columns.

    `judged` are these transactions, with what the journal tells of them.
    """

    server: str
    primary: str
    judged: tuple[Judged, ...]
    stage = Stage.RECOVER

    @property
    def gtids(self) -> GtidSet:
        """What is kept."""
        found = GtidSet()
        for one in self.judged:
            found |= one.gtids
        return found

    def title(self) -> str:
        """What it does, for people."""
        return f"keep {counted(len(self.gtids), 'transaction')} that only {self.server} has"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never visible on a server: what is kept lies on the manager's disk."""
        return False


@dataclass(frozen=True, slots=True)
class InjectEmpty:
    """Give the primary an empty transaction for each of these names, which only `origin` has: what they did stays there
    alone, and the sets nest.
    """

    server: str
    origin: str
    gtids: GtidSet
    stage = Stage.RECOVER

    def title(self) -> str:
        """What it does, for people."""
        return f"make {counted(len(self.gtids), 'empty transaction')} on {self.server} for what {self.origin} has"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether the primary has executed all of these names."""
        state = snapshot.state(self.server)
        return state is not None and self.gtids <= state.executed


@dataclass(frozen=True, slots=True)
class Replay:
    """Change on the primary, by new transactions, the rows that these have changed on `origin`; all of them or none."""

    server: str
    origin: str
    gtids: GtidSet
    stage = Stage.RECOVER

    def title(self) -> str:
        """What it does, for people."""
        return f"replay {counted(len(self.gtids), 'transaction')} of {self.origin} on {self.server}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never visible: they get names of their own."""
        return False


@dataclass(frozen=True, slots=True)
class ProveAttached:
    """Show that a server that was attached replicates: from `source`, and all that `primary` had at that time, within
    so many seconds.
    """

    server: str
    source: str
    primary: str
    seconds: float
    stage = Stage.VERIFY

    def title(self) -> str:
        """What it does, for people."""
        return f"prove that {self.server} has what {self.primary} had"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Nothing that was seen before counts: it looks for itself."""
        return False
