"""What the service holds for one cluster: the ports, the policy, and the memory that lives between two looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from failoverd.model.history import History
from failoverd.model.host import HostSight
from failoverd.model.plans import Operation, Report
from failoverd.model.policy import ClusterPolicy
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.verdict import Verdict
from failoverd.observe.eyes import Eyes
from failoverd.observe.heartbeat import Heartbeat
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


class Memory:
    """What this manager remembers of one cluster; used by one thread only."""

    def __init__(self) -> None:
        self.history = History()
        self.heartbeat = Heartbeat()
        self.phase = Phase.STANDBY
        self.epoch = 0
        self.verdict: Verdict | None = None
        self.detected_at: float | None = None
        self.operation: Operation | None = None
        self.last_report: Report | None = None
        self.hosts: Mapping[str, HostSight] = {}
        self.remembered: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Occasion:
    """What an operation starts from: the look, the memory at that moment, the verdict, and the right to act."""

    snapshot: TopologySnapshot
    history: History
    verdict: Verdict
    lease: Lease
    detected_at: float | None
    decided_at: float
