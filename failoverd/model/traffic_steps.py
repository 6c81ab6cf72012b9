"""TRAFFIC: the steps that lead clients to the primary; they come right after it is opened."""

from __future__ import annotations

from dataclasses import dataclass

from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.stage import Stage
from failoverd.model.traffic import Haproxy, Vip


@dataclass(frozen=True, slots=True)
class TakeAddress:
    """Bring the virtual address to a server's host and tell the neighbours."""

    server: str
    vip: Vip
    stage = Stage.TRAFFIC

    def title(self) -> str:
        """What it does, for people."""
        return f"bring {self.vip} to the host of {self.server}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never from a snapshot: the neighbours are told again also where the address is there already."""
        return False


@dataclass(frozen=True, slots=True)
class LeaveAddress:
    """Take the virtual address away from a server's host."""

    server: str
    vip: Vip
    stage = Stage.TRAFFIC

    def title(self) -> str:
        """What it does, for people."""
        return f"take {self.vip} away from the host of {self.server}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether its agent does not see it there."""
        facts = snapshot.facts(self.server)
        return facts is not None and self.vip.address not in facts.addresses


@dataclass(frozen=True, slots=True)
class SteerBalancers:
    """Let every HAProxy send its clients to this server alone, and shut the sessions that led elsewhere."""

    server: str
    others: tuple[str, ...]
    haproxy: Haproxy
    stage = Stage.TRAFFIC

    def title(self) -> str:
        """What it does, for people."""
        return f"let HAProxy lead clients of {self.haproxy.backend} to {self.server}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never from a snapshot: only the HAProxies know."""
        return False
