"""A whole cluster in memory behind the production service: a clock that stands still, work done in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import structlog

from failoverd.gtid import GtidSet
from failoverd.model.host import FenceProof, Holding, HostFacts, HostSight, LogKind, Lot, ProbeReport, Spliced
from failoverd.model.policy import ClusterPolicy, FailoverPolicy, ServerSpec
from failoverd.model.sight import Channel, Endpoint, Thread
from failoverd.observe.eyes import Eyes
from failoverd.ports import Lease, Progress
from failoverd.service.cycle import turn
from failoverd.service.publish import Published
from failoverd.service.world import Memory, World
from tests.fakes.agents import EVERYTHING, FakeAgents, FakeHost
from tests.fakes.coordination import FakeCoordination, Store
from tests.fakes.mysqld import FakeMysqld
from tests.fakes.servers import FakeServers

T = TypeVar("T")
CLUSTER = "shop"
START = 1_800_000_000.0


class StillClock:
    """Time that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.passed = 1000.0

    def now(self) -> float:
        return self.passed

    def wall(self) -> datetime:
        return datetime.fromtimestamp(START + self.passed, UTC)

    def sleep(self, seconds: float) -> None:
        self.passed += max(seconds, 0.001)


class InTurn:
    """Side-by-side work, one call after the other."""

    def gather(self, calls: Mapping[str, Callable[[], T]], deadline: float) -> Mapping[str, T | Exception]:
        answers: dict[str, T | Exception] = {}
        for name, call in calls.items():
            try:
                answers[name] = call()
            except Exception as error:  # noqa: BLE001 - as the real one: an error is the answer
                answers[name] = error
        return answers

    def start(self, name: str, call: Callable[[], None]) -> None:
        raise AssertionError("nothing long-lived is started here")


class SilentBell:
    """A bell that nobody hears."""

    def wait(self, seconds: float) -> frozenset[str]:
        return frozenset()

    def ring(self, reason: str) -> None:
        """Nobody rests."""


class WholeAgents(FakeAgents):
    """Agents whose hosts hold what their servers hold, and whose deliveries land beside the servers' relay logs."""

    def __init__(self, cluster: Whole, coordination: FakeCoordination) -> None:
        super().__init__(cluster.hosts, coordination.lease)
        self._cluster = cluster

    def facts(self, cluster: str, server: str, timeout: float) -> HostSight:
        self._cluster.align()
        found = super().facts(cluster, server, timeout)
        if not isinstance(found, HostFacts):
            return replace(found, read_at=self._cluster.clock.now())
        closed = self._cluster.mysqlds[server].starts_closed
        return replace(found, read_at=self._cluster.clock.now(), starts_closed=closed)

    def probe(self, cluster: str, origin: str, target: str, timeout: float) -> ProbeReport | None:
        self._cluster.align()
        found = super().probe(cluster, origin, target, timeout)
        return None if found is None else replace(found, read_at=self._cluster.clock.now())

    def scan(self, cluster: str, server: str, kind: LogKind, lacking: GtidSet, timeout: float) -> Holding:
        self._cluster.align()
        return super().scan(cluster, server, kind, lacking, timeout)

    def transfer(
        self, cluster: str, target: str, wanted: Holding, progress: Progress, lot: Lot = EVERYTHING
    ) -> Spliced:
        laid = super().transfer(cluster, target, wanted, progress, lot)
        self._cluster.mysqlds[target].spliced[laid.relay_log_file] = laid.gtids
        return laid

    def bring_forward(self, cluster: str, server: str, lease: Lease) -> str:
        first = super().bring_forward(cluster, server, lease)
        self._cluster.mysqlds[server].spliced = {first: self.hosts[server].spliced}
        return first

    def fence(self, cluster: str, server: str, server_uuid: str, lease: Lease, operation: str) -> FenceProof:
        proof = super().fence(cluster, server, server_uuid, lease, operation)
        self._cluster.mysqlds[server].kill()
        return proof

    def stand_in(self, cluster: str, server: str, server_uuid: str, lease: Lease) -> None:
        super().stand_in(cluster, server, server_uuid, lease)
        self._cluster.mysqlds[server].restarts = True


class Whole:
    """One primary and its replicas, and any number of managers that share them."""

    def __init__(self, replicas: int = 2, **failover: object) -> None:
        names = [f"db{number}" for number in range(1, replicas + 2)]
        self.clock = StillClock()
        self.store = Store(lambda: self.clock.wall().timestamp())
        self.mysqlds = {
            name: FakeMysqld(name, Endpoint(name, 3306), uuid_of(name), number)
            for number, name in enumerate(names, start=1)
        }
        self.hosts = {name: FakeHost(uuid_of(name), alive=True) for name in names}
        first = self.mysqlds["db1"]
        first.write(10)
        for name in names[1:]:
            replica = self.mysqlds[name]
            replica.read_only = replica.super_read_only = True
            replica.executed = first.executed
            replica.channels[""] = Channel(
                "", first.endpoint, first.server_uuid, Thread.YES, Thread.YES, received=first.executed
            )
        specs = tuple(ServerSpec(name, mysqld.endpoint) for name, mysqld in self.mysqlds.items())
        self.policy = ClusterPolicy(CLUSTER, specs, failover=FailoverPolicy(**failover))  # type: ignore[arg-type]

    def align(self) -> None:
        """Hosts hold in their logs what their servers executed and received, and know whether they live."""
        for name, mysqld in self.mysqlds.items():
            host = self.hosts[name]
            host.alive = mysqld.alive
            host.unreadable, host.behind = mysqld.unreadable, mysqld.behind
            received = GtidSet()
            for channel in mysqld.channels.values():
                received |= channel.received
            host.logs = {LogKind.BINARY: mysqld.executed, LogKind.RELAY: received}

    def manager(self, name: str = "m1") -> Manager:
        """A manager that contends for the lock."""
        return Manager(self, name)


class Manager:
    """The production service of one cluster, turn by turn."""

    def __init__(self, whole: Whole, name: str) -> None:
        self.coordination = FakeCoordination(whole.store, name)
        self.servers = FakeServers(CLUSTER, whole.mysqlds, whole.clock, SilentBell(), manager=name)
        self.agents = WholeAgents(whole, self.coordination)
        eyes = Eyes(self.servers, self.agents, InTurn(), whole.clock)
        self.world = World(name, whole.policy, eyes, self.coordination, structlog.get_logger())
        self.memory = Memory()
        self.kept: dict[str, str] = {}
        self.published = Published(self.kept.__setitem__)
        self.coordination.campaign(CLUSTER)
        self._clock = whole.clock

    def turns(self, count: int = 1) -> Manager:
        """Take so many turns, resting as the service says."""
        for _ in range(count):
            self._clock.sleep(turn(self.world, self.memory, self.published))
        return self


def uuid_of(name: str) -> str:
    """A server_uuid that shows whose it is."""
    return f"00000000-0000-0000-0000-{int(name[2:]):012d}"
