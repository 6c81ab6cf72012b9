"""The simulated world as the contract tests know worlds, in real time: what they ask of real servers it must do too."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

from failoverd.drivers.identity import Identity
from failoverd.drivers.zookeeper import coordination as zookeeper
from failoverd.drivers.zookeeper.settings import ZooKeeperSettings
from failoverd.gtid import GtidSet
from failoverd.model.sight import Channel, Endpoint, Thread
from failoverd.ports import Agents, Coordination, Lease, Servers
from tests.simulation.agents import Host, SimAgents
from tests.simulation.loop import Loop, Process
from tests.simulation.managers import SimClock, SimTasks, installed
from tests.simulation.mysqld import Mysqld, each
from tests.simulation.network import Net
from tests.simulation.servers import SimServers, Viewpoint
from tests.simulation.zookeeper import Ensemble


class Steady:
    """Chance that always says the same."""

    def random(self) -> float:
        return 0.5


def nothing(*_: object) -> None:
    """Nobody watches."""


class Voice:
    """A port whose every call is made by one process, when all that is due by then has happened."""

    def __init__(self, port: Any, process: Process) -> None:
        self._port = port
        self._process = process

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found

        def call(*args: Any, **named: Any) -> Any:
            loop = self._process.loop
            loop.catch_up()
            loop.acting = self._process
            answer = found(*args, **named)
            claimed = type(answer).__name__ == "Claimed"
            return Voice(answer, self._process) if claimed else answer

        return call


class PacedBell:
    """A bell in a world that moves only while somebody waits."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._reasons: set[str] = set()

    def wait(self, seconds: float) -> frozenset[str]:
        self._loop.catch_up()
        end = self._loop.now + seconds
        while not self._reasons and self._loop.now < end:
            self._loop.run(min(self._loop.now + 0.01, end))
        reasons, self._reasons = frozenset(self._reasons), set()
        return reasons

    def ring(self, reason: str) -> None:
        self._reasons.add(reason)


class SimulatedServers:
    """Three simulated mysqlds: the world of the Servers suite."""

    def __init__(self, cluster: str, names: tuple[str, ...]) -> None:
        self.cluster = cluster
        self.loop = Loop()
        self.net = Net(self.loop, cast("Any", Steady()))
        self.bell: Any = PacedBell(self.loop)
        self.mysqlds = {name: Mysqld(self.loop, self.net, name, number) for number, name in enumerate(names, 1)}
        everybody = list(self.mysqlds.values())
        endpoints = {mysqld.endpoint: mysqld for mysqld in everybody}
        first = everybody[0]
        for mysqld in everybody:
            mysqld.named = endpoints.get
            mysqld.followers = lambda: everybody
            if mysqld is not first:
                mysqld.read_only = mysqld.super_read_only = True
                mysqld.channels[""] = Channel("", first.endpoint, first.uuid, Thread.YES, Thread.YES)
                mysqld.pull_soon("")
        self.loop.keep_pace()
        self._contents = 0

    def servers(self, manager: str = "m1", password: str = "right", may_evict: bool = True) -> Servers:
        process = self.loop.process(manager)
        eyes = Viewpoint(process, SimClock(process), nothing, nothing, nothing)
        made = SimServers(self.cluster, self.mysqlds, eyes, self.bell.ring, manager)
        made.password, made.may_evict = password, may_evict
        return cast("Servers", Voice(made, process))

    def endpoint(self, server: str) -> Endpoint:
        return self.mysqlds[server].endpoint

    def write(self, server: str, count: int = 1) -> None:
        self.loop.catch_up()
        for _ in range(count):
            self._contents += 1
            self.mysqlds[server].write(self._contents)

    def executed(self, server: str) -> GtidSet:
        self.loop.catch_up()
        return self.mysqlds[server].executed

    def stop_applier(self, server: str) -> None:
        self._change(server, applier=Thread.NO)

    def start_applier(self, server: str) -> None:
        """Start the applier of the default channel, as a person would."""
        self._change(server, applier=Thread.YES)
        self.mysqlds[server].apply_soon("")

    def _change(self, server: str, **values: Any) -> None:
        self.loop.catch_up()
        mysqld = self.mysqlds[server]
        mysqld.channels[""] = replace(mysqld.channels[""], **values)

    @contextlib.contextmanager
    def client(self, server: str) -> Iterator[Any]:
        mysqld = self.mysqlds[server]
        yield SimulatedClient(mysqld, mysqld.connect("app"))

    def kill(self, server: str) -> None:
        self.mysqlds[server].kill()

    def freeze(self, server: str) -> None:
        self.mysqlds[server].freeze()

    def thaw(self, server: str) -> None:
        self.mysqlds[server].thaw()

    @contextlib.contextmanager
    def full(self, server: str) -> Iterator[None]:
        self.mysqlds[server].full = True
        yield
        self.mysqlds[server].full = False


class SimulatedClient:
    """A client of a simulated server."""

    def __init__(self, mysqld: Mysqld, session: int) -> None:
        self._mysqld = mysqld
        self._session = session

    def lives(self) -> bool:
        return self._session in self._mysqld.sessions

    def lock_tables(self) -> None:
        self._mysqld.tables_locked_by = self._session


class SimulatedCoordination:
    """The production ZooKeeper driver over the simulated ensemble: the world of the Coordination suite."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.net = Net(self.loop, cast("Any", Steady()))
        self.ensemble = Ensemble(self.loop, self.net)
        self._installed = installed(self.loop, self.ensemble)
        self._installed.__enter__()
        self.loop.keep_pace()

    def manager(self, name: str) -> Coordination:
        process = self.loop.process(name)
        self.loop.acting = process
        settings = ZooKeeperSettings(("zk",), session_timeout=1.0)
        made = zookeeper.ZooKeeperCoordination(
            settings, Identity(name, 1, name, "simulated"), SimClock(process), SimTasks(process), PacedBell(self.loop)
        )
        return cast("Coordination", Voice(made, process))

    def close(self) -> None:
        self._installed.__exit__(None, None, None)
        self.loop.end()


class SimulatedAgents:
    """Two simulated hosts: the world of the Agents suite. `uuids` are of db1, which has logs, and of db2."""

    def __init__(self, uuids: tuple[str, str], held: GtidSet, lease: Any) -> None:
        self.lease = lease
        self.loop = Loop()
        net = Net(self.loop, cast("Any", Steady()))
        self.hosts: dict[str, Host] = {}
        for number, uuid in enumerate(uuids, 1):
            mysqld = Mysqld(self.loop, net, f"db{number}", number)
            mysqld.uuid, mysqld.alive = uuid, False
            self.hosts[mysqld.name] = Host(mysqld, remembered=False)
        first = self.hosts["db1"].mysqld
        first.executed, first.disk.executed = held, dict.fromkeys(each(held), 1)
        process = self.loop.process("m1")

        def lease_of(_: str) -> Lease | None:
            found: Lease | None = self.lease
            return found

        made = SimAgents(self.hosts, process, SimClock(process), lease_of, nothing)
        self.agents = cast("Agents", Voice(made, process))

    def remember(self) -> None:
        for host in self.hosts.values():
            host.remembered = True

    def start(self, server: str) -> None:
        self.hosts[server].supervise(0.0)
        self.loop.run(self.loop.now + 0.01)

    def lives(self, server: str) -> bool:
        return self.hosts[server].mysqld.alive

    def spliced(self, server: str) -> bool:
        return bool(self.hosts[server].mysqld.disk.files)

    def purge(self, server: str) -> None:
        mysqld = self.hosts[server].mysqld
        mysqld.executed, mysqld.disk.executed = GtidSet(), {}

    def close(self) -> None:
        self.loop.end()
