"""The steps that shut an old primary out, and the way back from that."""

from __future__ import annotations

from dataclasses import dataclass

from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.stage import Stage


@dataclass(frozen=True, slots=True)
class FenceHost:
    """Shut the old primary out through its agent: keep its logs, hold the restart, kill the process, prove it, leave a
    mark.
    """

    server: str
    server_uuid: str
    hold: str
    stage = Stage.FENCE

    def title(self) -> str:
        """What it does, for people."""
        return f"fence {self.server} through its agent"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never from a snapshot: the mark carries an epoch, and only the agent can compare it."""
        return False


@dataclass(frozen=True, slots=True)
class FenceSession:
    """Close the old primary over its own MySQL port: super_read_only with a short lock wait, clients killed."""

    server: str
    stage = Stage.FENCE

    def title(self) -> str:
        """What it does, for people."""
        return f"set {self.server} super_read_only and end its client sessions"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether the server itself says that it takes no writes."""
        state = snapshot.state(self.server)
        return state is not None and state.super_read_only


@dataclass(frozen=True, slots=True)
class ReleaseFence:
    """Take back the hold on a server that was fenced by this operation: the undo of FenceHost."""

    server: str
    stage = Stage.FENCE

    def title(self) -> str:
        """What it does, for people."""
        return f"release the hold on {self.server}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether the host carries no fence mark."""
        facts = snapshot.facts(self.server)
        return facts is not None and facts.fenced_epoch is None
