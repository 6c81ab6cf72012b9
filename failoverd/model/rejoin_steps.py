"""The step that makes a returning server harmless before anything else is asked about it."""

from __future__ import annotations

from dataclasses import dataclass

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
