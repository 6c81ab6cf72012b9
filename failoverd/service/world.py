"""What the service holds for one cluster: the ports, the policy, and the memory that lives between two looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from failoverd.execute.hands import Outside, unwatched
from failoverd.gtid import GtidSet
from failoverd.model.comings import Comings
from failoverd.model.flight import Flight, Unrecorded
from failoverd.model.history import History
from failoverd.model.host import HostSight
from failoverd.model.pace import Pace, Track
from failoverd.model.plans import Kind, Operation, Report
from failoverd.model.policy import ClusterPolicy
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.steps import Stage
from failoverd.model.traffic import BalancerSight
from failoverd.model.verdict import Verdict
from failoverd.observe.awaited import Awaited
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
    moment: Callable[[str], None] = unwatched
    outside: Outside = field(default_factory=Outside)
    flight: Flight = field(default_factory=Unrecorded)

    @property
    def cluster(self) -> str:
        """The cluster's name."""
        return self.policy.name


@dataclass(frozen=True, slots=True)
class Left:
    """How it stands with an operation that could not be ended yet.

    `since` is when it was first looked at, `again_at` when it is tried again by itself (our clock), `pause` how long
    that waits; `reached` are the servers that answered then: where others answer it is tried at once. `problem` is what
    people are told, `stage` how far it had come.
    """

    operation: str = ""
    since: float = 0.0
    again_at: float = 0.0
    pause: float = 0.0
    reached: frozenset[str] = frozenset()
    problem: str = ""
    stage: Stage = Stage.CHECK


@dataclass(frozen=True, slots=True)
class Led:
    """What is known of the clients' ways (our clock).

    `balancers` is what the HAProxies were last seen to believe, at `seen_at`. What was seen before `since` is not acted
    on: it has been changed by ourselves after that. `again_at` is when something that failed may be tried again.
    """

    balancers: tuple[BalancerSight, ...] = ()
    seen_at: float = float("-inf")
    since: float = float("-inf")
    again_at: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Again:
    """When a server that could not be attached is tried again (our clock), after which pause, and what kept it."""

    at: float = 0.0
    pause: float = 0.0
    why: str = ""


def unpublished(snapshot: TopologySnapshot) -> None:
    """A command tells nobody what it sees."""


class Links:
    """What was linked at the hosts in the trouble `of` (its name, the primary, our epoch).

    `linked` tells by server what it had received then. The calls run beside the cycle: `busy` names servers with one
    under way, `trimmed` those without links, `failures` counts calls that failed since trouble began or ended.
    """

    def __init__(self, of: tuple[str, str, int] = ("", "", 0)) -> None:
        self.of = of
        self.linked: dict[str, GtidSet] = {}
        self.trimmed: set[str] = set()
        self.busy: set[str] = set()
        self.failures: dict[str, int] = {}
        self._trouble = False

    def turn(self, *, trouble: bool) -> None:
        """Forget what was done before the trouble began, or before it ended."""
        if trouble is not self._trouble:
            self._trouble = trouble
            for memory in (self.linked, self.trimmed, self.failures):
                memory.clear()


class Shelf:
    """Which transactions of their own the servers have that are kept on this host already, by server.

    The exports run beside the cycle: `busy` names servers with one under way, `again` tells when one may be next.
    """

    def __init__(self) -> None:
        self.kept: dict[str, GtidSet] = {}
        self.busy: set[str] = set()
        self.again: dict[str, Again] = {}


class Memory:
    """What this manager remembers of one cluster; used by one thread only.

    `publish` tells everybody a look that was taken in the middle of a turn, `progress` how an operation that waits
    gets on. `asked` tells when we asked the standbys which question (our clock), `answered` is the last that we
    answered as a standby ourselves.
    """

    def __init__(self) -> None:
        self.history = History()
        self.heartbeat = Heartbeat()
        self.phase = Phase.STANDBY
        self.epoch = 0
        self.verdict: Verdict | None = None
        self.detected_at: float | None = None
        self.proven_at: float | None = None
        self.operation: Operation | None = None
        self.progress = ""
        self.last_reports: dict[Kind, Report] = {}
        self.hosts: Mapping[str, HostSight] = {}
        self.remembered: dict[str, str] = {}
        self.acks_short_since: float | None = None
        self.acks_tried_at = float("-inf")
        self.left = Left()
        self.led = Led()
        self.comings = Comings()
        self.again: dict[str, Again] = {}
        self.publish: Callable[[TopologySnapshot], None] = unpublished
        self.links = Links()
        self.asked: Mapping[str, float] = {}
        self.questions = 0
        self.answered = ""
        self.shelf = Shelf()
        self.tracks: dict[str, Track] = {}
        self.awaited = Awaited()

    @property
    def paces(self) -> Mapping[str, Pace]:
        """How fast each server was seen to apply, and how large transactions are."""
        return {name: track.pace for name, track in self.tracks.items()}


@dataclass(frozen=True, slots=True)
class Occasion:
    """What an operation starts from: the look, the memory at that moment, the verdict, and the right to act."""

    snapshot: TopologySnapshot
    history: History
    verdict: Verdict
    lease: Lease
    detected_at: float | None
    decided_at: float
    paces: Mapping[str, Pace] = field(default_factory=dict)
