"""The steps that keep a cluster lossless: who acknowledges, who waits for it, and when that is given up."""

from __future__ import annotations

from dataclasses import dataclass

from failoverd.model.counted import counted
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.stage import Stage


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Let a replica acknowledge what it receives, and wait for nobody itself."""

    server: str
    stage = Stage.REPOINT

    def title(self) -> str:
        """What it does, for people."""
        return f"let {self.server} acknowledge what it receives"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether its replica side is on, its source side off, and a running receiver is registered."""
        state = snapshot.state(self.server)
        return state is not None and state.acknowledging


@dataclass(frozen=True, slots=True)
class AwaitAcks:
    """Let the commits of a server wait for acknowledgements, and return when enough replicas are registered.

    `degrade`: where they do not come, it is written down that they do not, and the server commits without.
    """

    server: str
    wait_count: int
    degrade: bool = False
    stage = Stage.PROMOTE

    def title(self) -> str:
        """What it does, for people."""
        return f"let the commits of {self.server} wait for {counted(self.wait_count, 'replica')}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether commits wait there and enough replicas are registered."""
        state = snapshot.state(self.server)
        return state is not None and state.semi_sync.ready(self.wait_count)


@dataclass(frozen=True, slots=True)
class GiveUpAcks:
    """Let a server commit without acknowledgements, because nobody can give them; its journal entry comes first."""

    server: str
    stage = Stage.PROMOTE

    def title(self) -> str:
        """What it does, for people."""
        return f"let {self.server} commit without acknowledgements"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never from a snapshot: a server that waits for nobody does not tell whether that was journalled."""
        return False


@dataclass(frozen=True, slots=True)
class StopWaiting:
    """Let a closed server wait for no acknowledgements any more: the undo of AwaitAcks."""

    server: str
    stage = Stage.PROMOTE

    def title(self) -> str:
        """What it does, for people."""
        return f"let {self.server} wait for no acknowledgements any more"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether commits wait for nobody there."""
        state = snapshot.state(self.server)
        return state is not None and not state.semi_sync.source_on
