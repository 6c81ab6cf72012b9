"""What the service holds for one cluster: the ports, the policy, and the memory that lives between two looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from failoverd.model.history import History
from failoverd.model.host import HostSight
from failoverd.model.plans import Operation, Report
from failoverd.model.policy import ClusterPolicy
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.verdict import Verdict
from failoverd.observe.heartbeat import Heartbeat
from failoverd.observe.look import Eyes
from failoverd.ports import Coordination, Lease
from failoverd.service.logs import Log
from failoverd.service.phases import Phase

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class World:
    """One cluster as this manager serves it."""

    manager: str
    policy: ClusterPolicy
    eyes: Eyes
    coordination: Coordination
    log: Log

    @property
    def cluster(self) -> str:
        """The cluster's name."""
        return self.policy.name


@dataclass(slots=True)
class Memory:
    """What this manager remembers of one cluster; mutable, used by one thread only."""

    history: History = field(default_factory=History)
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    phase: Phase = Phase.STANDBY
    epoch: int = 0
    verdict: Verdict | None = None
    detected_at: float | None = None
    operation: Operation | None = None
    last_report: Report | None = None
    hosts: Mapping[str, HostSight] = field(default_factory=dict)
    remembered: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Occasion:
    """What an operation starts from: the look, the memory at that moment, the verdict, and the right to act."""

    snapshot: TopologySnapshot
    history: History
    verdict: Verdict
    lease: Lease
    detected_at: float | None
    decided_at: float
