"""How much a server forces to its disk at each commit, and the steps that let it off for the time of a catch-up."""

from __future__ import annotations

from dataclasses import dataclass

from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.stage import Stage


@dataclass(frozen=True, slots=True)
class Durability:
    """sync_binlog and innodb_flush_log_at_trx_commit, as the server has them."""

    sync_binlog: int = 1
    flush_log: int = 1


RELAXED = Durability(0, 2)


@dataclass(frozen=True, slots=True)
class RelaxDurability:
    """Let the elect catch up without forcing each commit to its disk; what it had is in the journal before."""

    server: str
    stage = Stage.RECOVER

    def title(self) -> str:
        """What it does, for people."""
        return f"let {self.server} catch up without forcing each commit to its disk"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never from a snapshot: what it had must be in this operation's journal."""
        return False


@dataclass(frozen=True, slots=True)
class RestoreDurability:
    """Give a server back what it forced to its disk, force what is there already, and read it back."""

    server: str
    stage = Stage.RECOVER

    def title(self) -> str:
        """What it does, for people."""
        return f"let {self.server} force each commit to its disk as before"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never from a snapshot: what it had stands in the journal."""
        return False
