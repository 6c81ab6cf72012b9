"""What stands outside of the databases: balancers and people's own programs."""

from __future__ import annotations

from typing import Protocol

from failoverd.model.hooks import HookCall, HookResult, Point
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

    def run(self, call: HookCall) -> HookResult:
        """Run one to its end, or kill it with its process group at its time-out. Never raises for what it does."""

    def post(self, calls: tuple[HookCall, ...]) -> None:
        """Run hooks of one point aside; what waits for them there is replaced by this."""
