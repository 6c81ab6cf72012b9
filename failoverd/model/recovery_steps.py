"""The steps that bring the elect what it misses, and wait until it has executed all of it."""

from __future__ import annotations

from dataclasses import dataclass

from failoverd.gtid import GtidSet
from failoverd.model.counted import counted
from failoverd.model.host import LogKind
from failoverd.model.sight import Endpoint, Thread
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.stage import Stage

SPLICE_CHANNEL = "fo_recover"


@dataclass(frozen=True, slots=True)
class Splice:
    """Bring `gtids` from the log files of `origin` to `server` and let its own applier run them on a channel beside
    the default one; with `kept`, from what was linked there under these names.
    """

    server: str
    origin: str
    kind: LogKind
    gtids: GtidSet
    size: int
    kept: tuple[str, ...] = ()
    stage = Stage.RECOVER

    @property
    def logs(self) -> str:
        """Which logs they come from, for people."""
        return f"kept {self.kind} logs" if self.kept else f"{self.kind} logs"

    @property
    def way(self) -> str:
        """How they travel, in the words of the report."""
        return f"{self.logs} over SSH, spliced"

    def title(self) -> str:
        """What it does, for people."""
        return f"bring {counted(len(self.gtids), 'transaction')} from the {self.logs} of {self.origin} to {self.server}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether the server has executed them all, and the channel that brought them is gone again."""
        state = snapshot.state(self.server)
        if state is None or any(channel.name == SPLICE_CHANNEL for channel in state.channels):
            return False
        return self.gtids <= state.executed


@dataclass(frozen=True, slots=True)
class Fetch:
    """Let `server` receive `gtids` from a living peer by replication, and stop its receiver again."""

    server: str
    source: str
    endpoint: Endpoint
    gtids: GtidSet
    stage = Stage.RECOVER

    def title(self) -> str:
        """What it does, for people."""
        return f"bring {counted(len(self.gtids), 'transaction')} from {self.source} to {self.server} by replication"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether the server has executed them all and stands still again; what it has only received may be of a log
        that it cannot read.
        """
        state = snapshot.state(self.server)
        if state is None or (state.main is not None and state.main.receiver is not Thread.NO):
            return False
        return self.gtids <= state.executed


@dataclass(frozen=True, slots=True)
class EndPartial:
    """End the applier's worker that sits in a transaction whose rest will never come, with all that it has locked."""

    server: str
    stage = Stage.RECOVER

    def title(self) -> str:
        """What it does, for people."""
        return f"end the half-received transaction of {self.server}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether nothing was received in part; a worker that was ended leaves its name there, and ending is safe."""
        state = snapshot.state(self.server)
        return state is not None and not any(channel.queueing for channel in state.channels)


@dataclass(frozen=True, slots=True)
class Drain:
    """Wait until a server has executed `gtids`; judged by sets, never by thread states."""

    server: str
    gtids: GtidSet
    stage = Stage.RECOVER

    def title(self) -> str:
        """What it does, for people."""
        return f"wait until {self.server} has executed what it received"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether the server has executed them all."""
        state = snapshot.state(self.server)
        return state is not None and self.gtids <= state.executed
