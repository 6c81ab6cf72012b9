"""A drill as its runbook says it: what is needed, what is broken, what must come of it, and how it is cleared away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

LAB: Final = "lab"


class Need(StrEnum):
    """What must hold before anything is touched."""

    HEALTHY = "healthy"
    STANDBY = "standby"
    AGENTS = "agents"
    TWO_REPLICAS = "two-replicas"
    ZOOKEEPER = "zookeeper"
    LOSSLESS = "lossless"


class Fault(StrEnum):
    """What a drill can break, and how it takes that back."""

    KILL = "kill"
    FREEZE = "freeze"
    THAW = "thaw"
    CUT = "cut"
    HEAL = "heal"
    START = "start"
    RESTART = "restart"
    POWEROFF = "poweroff"
    FILL_DISK = "fill-disk"
    HOLD_LOCK = "hold-lock"
    DAMAGE_RELAY = "damage-relay"
    STOP_RECEIVER = "stop-receiver"
    START_RECEIVER = "start-receiver"
    STOP_APPLIER = "stop-applier"
    START_APPLIER = "start-applier"
    OPEN_TRANSACTION = "open-transaction"
    BIG_TRANSACTION = "big-transaction"
    WRITE_ALONE = "write-alone"
    HOLD_CLIENTS = "hold-clients"
    RELEASE_CLIENTS = "release-clients"


class Role(StrEnum):
    """Whom a step means; who has which role is settled when the drill begins, and stays."""

    PRIMARY = "primary"
    REPLICA = "replica"
    OTHER_REPLICA = "other-replica"
    REPLICAS = "replicas"
    ACTIVE_MANAGER = "active-manager"
    STANDBY_MANAGER = "standby-manager"
    MANAGERS = "managers"
    ZOOKEEPER = "zookeeper"
    EVERYBODY = "everybody"


class Condition(StrEnum):
    """What a step can wait for."""

    HEALTHY = "healthy"
    WRITES = "writes"
    CAUGHT_UP = "caught-up"
    NEW_PRIMARY = "new-primary"
    OPERATION_ENDED = "operation-ended"
    ATTACHED = "attached"


_SERVERS: Final = frozenset({Role.PRIMARY, Role.REPLICA, Role.OTHER_REPLICA, Role.REPLICAS})
_MANAGERS: Final = frozenset({Role.ACTIVE_MANAGER, Role.STANDBY_MANAGER, Role.MANAGERS})
_PROCESSES: Final = _SERVERS | _MANAGERS | {Role.ZOOKEEPER}


@dataclass(frozen=True, slots=True)
class FaultFacts:
    """What a fault is: its sentence, whom it can hit (nobody: it names none), whether it is between two, and whether it
    may be done to a real cluster, because its agents undo it by themselves.
    """

    sentence: str
    hits: frozenset[Role] = frozenset()
    between: bool = False
    real: bool = False


FAULTS: Final[Mapping[Fault, FaultFacts]] = MappingProxyType(
    {
        Fault.KILL: FaultFacts("SIGKILL to the process of {at}", _PROCESSES, real=True),
        Fault.FREEZE: FaultFacts("stop the process of {at} where it stands (SIGSTOP)", _PROCESSES, real=True),
        Fault.THAW: FaultFacts("let the process of {at} go on (SIGCONT)", _PROCESSES, real=True),
        Fault.CUT: FaultFacts("let nothing pass between {at} and {peer}", _PROCESSES, between=True, real=True),
        Fault.HEAL: FaultFacts("take back cuts, held sessions and filled disks", real=True),
        Fault.START: FaultFacts("start what is dead of {at}", _PROCESSES),
        Fault.RESTART: FaultFacts("stop mysqld on {at} in order, and start it again", _SERVERS),
        Fault.POWEROFF: FaultFacts("cut the power of the host of {at}", _SERVERS),
        Fault.FILL_DISK: FaultFacts("use up the disk of {at}", _SERVERS),
        Fault.HOLD_LOCK: FaultFacts("hold a global read lock on {at}", _SERVERS),
        Fault.DAMAGE_RELAY: FaultFacts("damage what {at} has received and not applied", _SERVERS),
        Fault.STOP_RECEIVER: FaultFacts("stop the receiver of {at}", _SERVERS),
        Fault.START_RECEIVER: FaultFacts("start the receiver of {at}", _SERVERS),
        Fault.STOP_APPLIER: FaultFacts("stop the applier of {at}", _SERVERS),
        Fault.START_APPLIER: FaultFacts("start the applier of {at}", _SERVERS),
        Fault.OPEN_TRANSACTION: FaultFacts("leave a transaction of a client open on {at}", _SERVERS),
        Fault.BIG_TRANSACTION: FaultFacts("commit a big transaction on {at}, received by halves", _SERVERS),
        Fault.WRITE_ALONE: FaultFacts("write on {at} what nobody else has", _SERVERS),
        Fault.HOLD_CLIENTS: FaultFacts("let the client write nothing, and end its sessions"),
        Fault.RELEASE_CLIENTS: FaultFacts("let the client write on"),
    }
)


@dataclass(frozen=True, slots=True)
class FaultStep:
    """Break something; on a real cluster it ends by itself after `lasts` seconds, whoever still lives."""

    fault: Fault
    at: Role | None = None
    peer: Role | None = None
    lasts: float = 60.0
    clock: bool = False
    place: str = ""

    @property
    def title(self) -> str:
        """The step in words."""
        return FAULTS[self.fault].sentence.format(at=self.at or "", peer=self.peer or "")


@dataclass(frozen=True, slots=True)
class RunStep:
    """A failoverd command, without its first word and its configuration; it must end with this exit code."""

    run: str
    exit: int = 0
    within: float = 120.0
    clock: bool = False
    place: str = ""

    @property
    def title(self) -> str:
        """The step in words."""
        return f"failoverd {self.run}"


@dataclass(frozen=True, slots=True)
class WaitStep:
    """Wait so many seconds, or until something holds; what does not come within the time ends the drill."""

    until: float | Condition
    within: float = 60.0
    clock: bool = False
    place: str = ""

    @property
    def title(self) -> str:
        """The step in words."""
        if isinstance(self.until, Condition):
            return f"wait for {self.until} (at most {self.within:g} s)"
        return f"wait {self.until:g} s"


@dataclass(frozen=True, slots=True)
class AskStep:
    """Ask a person to do or to confirm something; a no ends the drill."""

    ask: str
    clock: bool = False
    place: str = ""

    @property
    def title(self) -> str:
        """The step in words."""
        return f"ask: {self.ask}"


@dataclass(frozen=True, slots=True)
class HookStep:
    """Run a program of people's own; anything but exit code 0 ends the drill."""

    hook: str
    within: float = 60.0
    clock: bool = False
    place: str = ""

    @property
    def title(self) -> str:
        """The step in words."""
        return f"run {self.hook}"


Step = FaultStep | RunStep | WaitStep | AskStep | HookStep

# Each kind of expectation with its sentence; {value} is what the runbook says.
SENTENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "new_primary": "there is a new primary: {value}",
        "no_failover": "nothing is failed over",
        "outage_below": "no write waits longer than {value} s",
        "lost_rows": "at most {value} acknowledged rows are lost",
        "duplicate_rows": "at most {value} rows are there twice",
        "stale_reads_below": "no replica answers with rows older than {value} s",
        "verdict": "the verdict is {value}",
        "one_writer": "never do two servers take writes, and in the end one does",
        "attached": "these follow the primary: {value}",
        "operation": "an operation ends so: {value}",
    }
)
Kind = Literal[
    "new_primary",
    "no_failover",
    "outage_below",
    "lost_rows",
    "duplicate_rows",
    "stale_reads_below",
    "verdict",
    "one_writer",
    "attached",
    "operation",
]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must come of it; `within` seconds after the step that carries the clock, None: judged at the end."""

    kind: Kind
    value: str | float
    within: float | None = None
    place: str = ""

    @property
    def title(self) -> str:
        """The expectation in words."""
        value = f"{self.value:g}" if isinstance(self.value, float) else self.value
        limit = "" if self.within is None else f" (within {self.within:g} s)"
        return SENTENCES[self.kind].format(value=value) + limit


@dataclass(frozen=True, slots=True)
class Abort:
    """What ends a drill at once: `two_writers`, `outage_over` seconds, or a `verdict`."""

    kind: Literal["two_writers", "outage_over", "verdict"]
    value: str | float = ""

    @property
    def title(self) -> str:
        """The condition in words."""
        return f"{self.kind.replace('_', ' ')} {self.value}".strip()


@dataclass(frozen=True, slots=True)
class LabShape:
    """The lab that is brought up for a drill; `settings` are keys of the cluster's section with their values."""

    replicas: int = 2
    managers: int = 2
    zookeepers: int = 1
    lossless: bool = False
    supervised: bool = False
    performance_schema: bool = False
    disk_mb: int = 512
    failpoint: str = ""
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ProbeShape:
    """The writing client: a row every so many seconds, by each server in turn, `vip`, `haproxy` or HOST:PORT."""

    every: float = 0.01
    through: str = "hosts"
    reads: bool = True


@dataclass(frozen=True, slots=True)
class Runbook:
    """One drill; `on` is `lab` or a cluster's name, `file` where it is written."""

    name: str
    file: str
    title: str
    about: str
    steps: tuple[Step, ...]
    expect: tuple[Expectation, ...]
    on: str = LAB
    needs: tuple[Need, ...] = ()
    needs_place: str = ""
    blast_radius: tuple[Role, ...] = ()
    cleanup: tuple[Step, ...] = ()
    abort_if: tuple[Abort, ...] = ()
    abort_file: str = ""
    text: str = ""
    lab: LabShape = LabShape()
    probe: ProbeShape = ProbeShape()

    @property
    def starts_the_clock(self) -> int:
        """The index of the step from which times count: the marked one, else the last that breaks or runs something."""
        marked = [number for number, step in enumerate(self.steps) if step.clock]
        acts = [number for number, step in enumerate(self.steps) if isinstance(step, FaultStep | RunStep)]
        return (marked or acts[-1:] or [0])[0]
