"""A manager on virtual time: the production service, journal and election; its clock, tasks and bell are simulated."""

from __future__ import annotations

import contextlib
import itertools
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any, TypeVar, cast

from failoverd.drivers.identity import Identity
from failoverd.drivers.mysql.statements import Statement
from failoverd.drivers.zookeeper import coordination as zookeeper
from failoverd.drivers.zookeeper import election, lease
from failoverd.drivers.zookeeper.settings import ZooKeeperSettings
from failoverd.execute import splice
from failoverd.model.errors import TimedOut
from failoverd.model.policy import ClusterPolicy
from failoverd.observe.eyes import Eyes
from failoverd.service.publish import Published
from failoverd.service.watch import Watch
from failoverd.service.world import World
from tests.simulation.agents import BYTES_EACH, Host, SimAgents
from tests.simulation.loop import Box, Condition, Loop, Process, Signal, Turnstile
from tests.simulation.mysqld import Mysqld
from tests.simulation.network import Net
from tests.simulation.script import RIGHT, Wall
from tests.simulation.servers import SimServers, Viewpoint, Witness
from tests.simulation.zookeeper import Ensemble, SimZooKeeperSession

T = TypeVar("T")
START = 1_800_000_000.0
PART = 3 * BYTES_EACH  # lives are short: what travels in parts has few transactions here


class SimClock:
    """Time as one process reads it: its rate may be a little off, its zero is its own, its time of day may be wrong."""

    def __init__(self, process: Process, day: Wall = RIGHT) -> None:
        self._process = process
        self._day = day

    def now(self) -> float:
        return 1000.0 + self._process.loop.now * self._process.rate

    def wall(self) -> datetime:
        now = self._process.loop.now
        return datetime.fromtimestamp(START + now + self._day.shows(now), UTC)

    def sleep(self, seconds: float) -> None:
        self._process.loop.sleep(self._process, seconds / self._process.rate)


class SimTasks:
    """Side-by-side work on green threads."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def gather(self, calls: Mapping[str, Callable[[], T]], deadline: float) -> Mapping[str, T | Exception]:
        found: dict[str, T | Exception] = {}
        done: Box[None] = Box(self._process)

        def answering(key: str, call: Callable[[], T]) -> Callable[[], None]:
            def work() -> None:
                try:
                    answer: T | Exception = call()
                except Exception as error:  # noqa: BLE001 - as the real one: an error is the answer
                    answer = error
                if not done.full:
                    found[key] = answer
                    if len(found) == len(calls):
                        done.put(None)

            return work

        for key, call in calls.items():
            self._process.spawn(answering(key, call))
        if calls and not done.wait(deadline / self._process.rate):
            done.put(None)
        return {key: found.get(key, TimedOut(f"{key} has not answered", f"within {deadline:g} s")) for key in calls}

    def start(self, name: str, call: Callable[[], None]) -> None:
        self._process.spawn(call)


class SimBell:
    """What ends a rest early."""

    def __init__(self, process: Process) -> None:
        self._signal = Signal(process)
        self._reasons: set[str] = set()

    def wait(self, seconds: float) -> frozenset[str]:
        self._signal.wait(seconds)
        self._signal.clear()
        reasons, self._reasons = frozenset(self._reasons), set()
        return reasons

    def ring(self, reason: str) -> None:
        self._reasons.add(reason)
        self._signal.set()


class Unpublished(Published):
    """Says nothing to anybody: most lives save the time that telling people takes."""

    def put(self, *_: Any) -> None:
        """Nobody listens."""


class Silence:
    """A log that nobody reads, or that is kept for the story of one life."""

    def __init__(self, tell: Callable[[str], None] | None) -> None:
        self._tell = tell

    def _say(self, event: str, **values: Any) -> None:
        if self._tell is not None:
            self._tell(f"{event} {values}")

    debug = info = warning = error = _say


@dataclass
class Place:
    """The world that managers are put into; `sent` and `done` and `acted` watch what they do."""

    loop: Loop
    net: Net
    ensemble: Ensemble
    mysqlds: Mapping[str, Mysqld]
    hosts: Mapping[str, Host]
    policy: ClusterPolicy
    session: float
    publishes: bool
    sent: Callable[[int, Statement], None]
    done: Witness
    acted: Callable[[str, int, int, str], None]
    refused: Callable[[int, str], None]
    tell: Callable[[str], None] | None = None


class Manager:
    """One manager and its incarnations."""

    def __init__(self, place: Place, name: str, rate: float, day: Wall) -> None:
        self.place = place
        self.name = name
        self.rate = rate
        self.day = day
        self.process = place.loop.process(name, rate)
        self.watch: Watch | None = None
        self.boot()

    def boot(self) -> None:
        """Start a new incarnation."""
        if self.process.alive and self.process.threads:
            return
        if not self.process.alive:
            self.process = self.place.loop.process(self.name, self.rate)
        self.watch = None
        self.process.spawn(self._live)

    def _live(self) -> None:
        place, process = self.place, self.process
        clock, tasks, bell = SimClock(process, self.day), SimTasks(process), SimBell(process)
        settings = ZooKeeperSettings(("zk",), session_timeout=place.session)
        identity = Identity(name=self.name, pid=1, host=self.name, version="simulated")
        coordination = zookeeper.ZooKeeperCoordination(settings, identity, clock, tasks, bell)
        eyes = Viewpoint(process, clock, place.sent, place.done, place.refused)
        servers = SimServers(place.policy.name, place.mysqlds, eyes, bell.ring, self.name)
        agents = SimAgents(place.hosts, process, clock, coordination.lease, place.acted)
        tell = place.tell
        log = Silence(None if tell is None else lambda text: tell(f"{self.name} {text}"))
        world = World(self.name, place.policy, Eyes(servers, agents, tasks, clock), coordination, cast("Any", log))
        published = (Published if place.publishes else Unpublished)(lambda _, __: None)
        self.watch = Watch(world, bell, published)
        while (rest := self.watch.round()) is not None:
            bell.wait(rest)


@contextlib.contextmanager
def installed(loop: Loop, ensemble: Ensemble) -> Iterator[None]:
    """Let the ZooKeeper driver run on virtual time: its locks, its events, and the session below it."""
    shim = SimpleNamespace(
        Event=lambda: Signal(loop.who()),
        RLock=lambda: Turnstile(loop.who()),
        Lock=lambda: Turnstile(loop.who()),
        Condition=lambda: Condition(loop.who()),
    )

    def session(settings: ZooKeeperSettings, _: Any, on_change: Callable[[str], None]) -> SimZooKeeperSession:
        return SimZooKeeperSession(settings, ensemble, loop.who(), on_change)

    numbers = itertools.count(1)
    changes: list[tuple[ModuleType, str, Any]] = [
        (uuid, "uuid4", lambda: uuid.UUID(int=next(numbers))),
        (zookeeper, "threading", shim),
        (election, "threading", shim),
        (lease, "threading", shim),
        (zookeeper, "Session", session),
        (splice, "FIRST_PART", PART),
    ]
    before = [(module, name, getattr(module, name)) for module, name, _ in changes]
    for module, name, value in changes:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
