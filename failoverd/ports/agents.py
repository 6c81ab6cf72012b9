"""Agents on the database hosts, as the core needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from failoverd.gtid import GtidSet
from failoverd.model.host import FenceProof, Holding, HostSight, Links, LogKind, Lot, ProbeReport, Spliced, Verified
from failoverd.model.sight import ServerState
from failoverd.model.traffic import Vip
from failoverd.ports.lease import Lease

Holdings = tuple[Holding, ...]


Progress = Callable[[int, int], None]  # bytes done, bytes in all


class Agents(Protocol):
    """The agents on the database hosts."""

    def keep_open(self, cluster: str, primary: str | None) -> bool:
        """Keep the way to the primary's host open, or with None those to all hosts of the cluster; whether hosts are
        few, so that all are kept anyway. Does not wait.
        """

    def facts(self, cluster: str, server: str, timeout: float) -> HostSight:
        """What is true on that host now. Never raises for what a host does."""

    def probe(self, cluster: str, origin: str, target: str, timeout: float) -> ProbeReport | None:
        """A complete login to `target` from the host of `origin`; None where that agent cannot be asked."""

    def remember(self, cluster: str, state: ServerState) -> None:
        """Tell the agent where its server keeps data and logs, so that all works with mysqld dead."""

    def scan(self, cluster: str, server: str, kind: LogKind, lacking: GtidSet, timeout: float) -> Holding:
        """What the log files of that host hold beyond `lacking`; problems are part of the answer."""

    def scan_kept(
        self, cluster: str, server: str, names: tuple[str, ...], lacking: GtidSet, timeout: float
    ) -> Holdings:
        """What only links made there under these names hold beyond `lacking`, by kind of log; problems too."""

    def transfer(self, cluster: str, target: str, wanted: Holding, progress: Progress, lot: Lot) -> Spliced:
        """Copy exactly the wanted transactions, or the first of them as the lot says, from the logs of one host beside
        another's relay logs. The policy's salvage time-out bounds the time without progress. Raises AgentError.
        """

    def bring_forward(self, cluster: str, server: str, lease: Lease) -> str:
        """Name what lies aside as the splice channel's, which is gone; its first file. Raises AgentError, FencedOut."""

    def verify(self, cluster: str, server: str, file: str, position: int, timeout: float) -> Verified:
        """What an applier can read and not get to from its place on: a relay log and an offset in it."""

    def keep(self, cluster: str, server: str, lease: Lease, operation: str, kind: LogKind | None = None) -> int:
        """Hard-link all log files, or the newest of a kind, under a name; how many. Raises AgentError or FencedOut."""

    def kept(self, cluster: str, server: str, timeout: float) -> tuple[Links, ...]:
        """All links there, by name. Raises AgentError."""

    def trim(self, cluster: str, server: str, lease: Lease, held: GtidSet) -> str:
        """Remove all links: what they were made for is over; what is not `held` stays and is told. Raises as `keep`
        does.
        """

    def clean_spliced(self, cluster: str, server: str, lease: Lease) -> None:
        """Remove files that a transfer has left, those aside too."""

    def fence(self, cluster: str, server: str, server_uuid: str, lease: Lease, operation: str) -> FenceProof:
        """Keep logs, hold the restart, kill, prove, mark. Raises FencedOut or AgentError."""

    def release(self, cluster: str, server: str, lease: Lease) -> None:
        """End the hold of a fence with an equal or lower epoch."""

    def stand_in(self, cluster: str, server: str, server_uuid: str, lease: Lease) -> None:
        """Start its mysqld again as it runs now, once, when it has ended and no supervisor does it. Raises FencedOut or
        AgentError.
        """

    def take_address(self, cluster: str, server: str, vip: Vip, lease: Lease) -> bool:
        """Bring the virtual address there, tell the neighbours; whether it was away. FencedOut, AgentError (fenced)."""

    def leave_address(self, cluster: str, server: str, vip: Vip, lease: Lease) -> bool:
        """Take the virtual address away from that host; whether it was there. Raises FencedOut or AgentError."""
