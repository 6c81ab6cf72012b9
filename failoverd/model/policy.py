"""What people decided: the settings of one cluster, as plain values with their defaults. Durations are seconds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from failoverd.model.hooks import HookPolicy
from failoverd.model.load import Loads
from failoverd.model.sight import Endpoint
from failoverd.model.traffic import TrafficPolicy
from failoverd.model.writing import WriteProbe


class Promote(StrEnum):
    """How much a server is wanted as primary."""

    PREFER = "prefer"
    NORMAL = "normal"
    AVOID = "avoid"
    NEVER = "never"


class Reaction(StrEnum):
    """What a verdict leads to."""

    FAILOVER = "failover"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """One member of a cluster as the configuration lists it."""

    name: str
    endpoint: Endpoint
    promote: Promote = Promote.NORMAL
    site: str = ""
    maintenance: bool = False
    hold: str = "guard"


@dataclass(frozen=True, slots=True)
class CrashLoop:
    """How many crashes within how many seconds make a primary one that is not worth opening again."""

    restarts: int = 3
    within: float = 600.0


@dataclass(frozen=True, slots=True)
class DetectionPolicy:
    """When silence becomes death."""

    interval: float = 0.5
    timeout: float = 0.5
    misses: int = 3
    crash_grace: float = 0.0
    shutdown_grace: float = 15.0
    hung_after: float = 30.0
    crash_loop: CrashLoop = CrashLoop()
    write_probe: WriteProbe | None = None


@dataclass(frozen=True, slots=True)
class Reactions:
    """What each verdict about the primary leads to."""

    dead: Reaction = Reaction.FAILOVER
    frozen: Reaction = Reaction.FAILOVER
    hung: Reaction = Reaction.ALERT
    unfit: Reaction = Reaction.ALERT


@dataclass(frozen=True, slots=True)
class FailoverPolicy:
    """Limits of a failover; `max_loss` None means any loss is accepted."""

    automatic: bool = True
    on: Reactions = Reactions()
    cooldown: float = 3600.0
    fencing: Literal["required", "best-effort"] = "best-effort"
    max_loss: int | None = 0
    salvage_timeout: float = 30.0
    drain_timeout: float = 60.0
    min_claimed: Literal["majority"] | int = "majority"
    fencing_timeout: float = 3.0
    kill_blockers: bool = True
    relax_durability: bool = False
    allow_site_change: bool = True


@dataclass(frozen=True, slots=True)
class ReplicationPolicy:
    """How replicas are made to follow; the password never appears here."""

    user: str = "repl"
    tls: Literal["off", "preferred", "required", "verify", "verify-identity"] = "preferred"
    connect_retry: float = 1.0
    retry_count: int = 100000
    heartbeat: float = 0.5
    net_timeout: float = 10.0
    tune: bool = True


@dataclass(frozen=True, slots=True)
class SemiSyncPolicy:
    """How many replicas acknowledge a commit in lossless mode, and what happens where too few are left."""

    wait_count: int = 1
    on_no_ackers: Literal["wait", "degrade"] = "wait"


@dataclass(frozen=True, slots=True)
class SiteGuard:
    """How many clusters may fail within how many seconds before nobody fails over by itself."""

    clusters: int = 3
    within: float = 60.0


@dataclass(frozen=True, slots=True)
class LongTransactions:
    """What a switchover does about transactions that were open before it begins to close the primary.

    `wait`: within the freeze budget, then all is undone and tried again. `abort`: undone at once, not tried again.
    `kill-after`: their sessions are ended when they were waited for `after` seconds.
    """

    does: Literal["wait", "abort", "kill-after"] = "wait"
    after: float = 0.0

    def __str__(self) -> str:
        return f"{self.does} {self.after:g}s" if self.does == "kill-after" else self.does


@dataclass(frozen=True, slots=True)
class SwitchoverPolicy:
    """Limits of a planned change. `freeze_budget` is the time without writes that one attempt may take.

    Above `max_load`, and while `throttle_query` says more than 0, nothing is frozen yet; above `critical_load` it is
    given up. `preheat` is said to the candidate before.
    """

    freeze_budget: float = 2.0
    attempts: int = 3
    max_lag: float = 5.0
    max_threads_running: int = 200
    long_transactions: LongTransactions = LongTransactions()
    max_load: Loads = ()
    critical_load: Loads = ()
    throttle_query: str = ""
    preheat: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterPolicy:
    """Everything that deciding and planning need to know about a cluster's settings."""

    name: str
    servers: tuple[ServerSpec, ...]
    detection: DetectionPolicy = DetectionPolicy()
    failover: FailoverPolicy = FailoverPolicy()
    replication: ReplicationPolicy = ReplicationPolicy()
    digest: str = field(default="", compare=False)
    durability: Literal["async", "lossless"] = "async"
    semi_sync: SemiSyncPolicy = SemiSyncPolicy()
    traffic: TrafficPolicy = field(default_factory=TrafficPolicy)
    site_guard: SiteGuard = SiteGuard()
    hooks: HookPolicy = field(default_factory=HookPolicy)
    switchover: SwitchoverPolicy = SwitchoverPolicy()
    rejoin: Literal["off", "clean-only", "clone"] = "clean-only"

    @property
    def lossless(self) -> bool:
        """Whether a commit is acknowledged only when a replica has it."""
        return self.durability == "lossless"

    def server(self, name: str) -> ServerSpec:
        """The member of that name; KeyError where there is none."""
        for spec in self.servers:
            if spec.name == name:
                return spec
        raise KeyError(name)

    def sparing(self, names: frozenset[str]) -> ClusterPolicy:
        """The same settings with these servers in maintenance too."""
        servers = tuple(replace(s, maintenance=s.maintenance or s.name in names) for s in self.servers)
        return replace(self, servers=servers)

    def named(self, endpoint: Endpoint) -> str | None:
        """The name of the member that listens there, or None."""
        return next((s.name for s in self.servers if s.endpoint == endpoint), None)

    def claims_needed(self, dead: str) -> int:
        """How many listed servers other than `dead` must be claimed before anything is changed.

        A majority is at least half here: with two replicas, one of which died together with the primary, the other one
        must still be able to take over.
        """
        others = sum(1 for s in self.servers if s.name != dead)
        if self.failover.min_claimed == "majority":
            return (others + 1) // 2
        return min(self.failover.min_claimed, others)
