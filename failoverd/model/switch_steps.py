"""The steps of a planned change: wait for a good moment, close the old primary, catch up, keep clients off."""

from __future__ import annotations

from dataclasses import dataclass

from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.stage import Stage


@dataclass(frozen=True, slots=True)
class GetReady:
    """Wait until the candidate is right behind the primary and the primary is calm: nothing is frozen meanwhile."""

    server: str
    source: str
    stage = Stage.CHECK

    def title(self) -> str:
        """What it does, for people."""
        return f"wait until {self.server} is right behind {self.source} and {self.source} is calm"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never from a snapshot: being behind is a matter of moments."""
        return False


@dataclass(frozen=True, slots=True)
class CloseWrites:
    """Close a living primary for writes, and read its final set once nothing can be committed there any more."""

    server: str
    stage = Stage.FREEZE

    def title(self) -> str:
        """What it does, for people."""
        return f"close {self.server} for writes"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never from a snapshot: its final set has to be read after it was closed."""
        return False


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Wait until the candidate has executed everything that the closed primary holds."""

    server: str
    source: str
    stage = Stage.FREEZE

    def title(self) -> str:
        """What it does, for people."""
        return f"wait until {self.server} has executed all of {self.source}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never from a snapshot: what there is to execute is known only once the primary is closed."""
        return False


@dataclass(frozen=True, slots=True)
class KeepOut:
    """Put a closed server into offline mode and end its clients: an XA COMMIT would go through super_read_only."""

    server: str
    stage = Stage.FREEZE

    def title(self) -> str:
        """What it does, for people."""
        return f"keep clients off {self.server}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never from a snapshot: sessions with the right to stay are not seen in it."""
        return False


@dataclass(frozen=True, slots=True)
class LetIn:
    """Take a server back from offline mode: the undo of KeepOut, and the last step for the old primary."""

    server: str
    stage = Stage.REPOINT

    def title(self) -> str:
        """What it does, for people."""
        return f"let clients back to {self.server}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether the server is not in offline mode."""
        state = snapshot.state(self.server)
        return state is not None and not state.offline_mode
