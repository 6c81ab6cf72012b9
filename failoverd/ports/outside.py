"""What stands outside of the databases: balancers, people's own programs, and what is kept for people to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from failoverd.gtid import GtidSet
from failoverd.model.divergence import Change, Exported, ExportOrder
from failoverd.model.hooks import Heed, HookCall, HookResult, Point
from failoverd.model.traffic import BalancerSight, Steering
from failoverd.ports.lease import Lease


class Balancers(Protocol):
    """The HAProxies of all clusters, by their runtime sockets."""

    def look(self, place: str, backend: str, timeout: float) -> BalancerSight:
        """What it believes. Never raises for what a HAProxy does."""

    def steer(self, wanted: Steering, lease: Lease, timeout: float) -> int:
        """Lead clients to one server alone, shut other sessions; changed servers. Raises LockLost, BalancerError."""

    def may_change(self, place: str, backend: str, timeout: float) -> str:
        """Why it would not let us change anything; empty where it would. Changes nothing, and never raises for it."""


class Hooks(Protocol):
    """People's own programs, in the folder of each point below `hooks_dir`."""

    def names(self, folder: str, point: Point) -> tuple[str, ...]:
        """The hooks of a point in their order. Raises HookError where others could have put them there."""

    def run(self, call: HookCall, heed: Heed | None = None) -> HookResult:
        """Run one to its end, or kill it with its process group at its time-out. Never raises for what it does; what
        `heed` raises kills it, too, and is raised.
        """

    def post(self, calls: tuple[HookCall, ...]) -> None:
        """Run hooks of one point aside; what waits for them there is replaced by this."""


class Archive(Protocol):
    """Transactions that a server has made for itself, kept on this host's disk so that nothing of them is ever lost."""

    def keep(self, order: ExportOrder) -> Exported:
        """Fetch them from that server's host and write them down, durable on return. Raises AgentError, or
        CoordinationError where the disk takes nothing.
        """

    def kept(self, cluster: str, server: str, gtids: GtidSet) -> str:
        """Where all of these are kept already; empty where they are not."""

    def changes(self, cluster: str, server: str, gtids: GtidSet) -> tuple[Change, ...]:
        """What these have changed, in their order, from what is kept. StepFailed where not all of it can be told row by
        row, or it is too much.
        """

    def show(self, order: ExportOrder, most: int) -> tuple[Mapping[str, object], ...]:
        """The first of them as JSON data, nothing is kept. Raises AgentError."""
