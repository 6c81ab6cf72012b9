"""The steps that mend a damaged relay log: keep the files, let the applier read what it can, fetch the rest anew."""

from __future__ import annotations

from dataclasses import dataclass

from failoverd.gtid import GtidSet
from failoverd.model.sight import Endpoint
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.stage import Stage


@dataclass(frozen=True, slots=True)
class KeepLogs:
    """Hard-link a server's log files, before anything could throw one away."""

    server: str
    stage = Stage.FREEZE

    def title(self) -> str:
        """What it does, for people."""
        return f"keep the log files of {self.server}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never from a snapshot: linking again adds what is new."""
        return False


@dataclass(frozen=True, slots=True)
class ApplyReadable:
    """Let the applier execute what it has received, as far as it can read it."""

    server: str
    stage = Stage.RECOVER

    def title(self) -> str:
        """What it does, for people."""
        return f"let {self.server} execute what it can read of its relay logs"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether it has executed all that it received and goes on."""
        state = snapshot.state(self.server)
        return state is not None and not state.unapplied and state.applies


@dataclass(frozen=True, slots=True)
class Refetch:
    """Throw the relay logs of the default channel away and let it fetch anew, from `source`.

    `elsewhere` is what the source has: the step fails unless everything received and not executed is in there.
    """

    server: str
    source: str
    endpoint: Endpoint
    elsewhere: GtidSet
    stage = Stage.REPOINT

    def title(self) -> str:
        """What it does, for people."""
        return f"let {self.server} begin new relay logs and fetch from {self.source}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never from a snapshot: damage is seen by reading the files only."""
        return False
