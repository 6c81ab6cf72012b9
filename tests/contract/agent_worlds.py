"""The two worlds in which agents are tried: the real zipapp behind a real sshd, and memory."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from failoverd.drivers.clock import SystemClock
from failoverd.drivers.ssh.access import Account, AgentAccess
from failoverd.drivers.ssh.agents import SshAgents
from failoverd.drivers.ssh.connection import SshAccess
from failoverd.drivers.tasks import ThreadTasks
from failoverd.gtid import GtidSet
from failoverd.model.host import LogKind
from failoverd.model.sight import Endpoint
from failoverd.ports import Agents
from tests.contract.pretended_mysqld import UUID, PretendedMysqld
from tests.contract.ssh_server import SshServer
from tests.fakes.agents import FakeAgents, FakeHost
from tests.fakes.coordination import FakeLease

OTHER = "1799bfac-e4d3-11f1-a4bb-02fc00000002"
HELD = GtidSet.parse(f"{UUID}:1-20")


class World(Protocol):
    """Servers db1 (with binary logs that hold at least HELD) and db2 (with none), their agents, and one lease."""

    lease: FakeLease | None

    @property
    def agents(self) -> Agents:
        """The agents of both."""

    def remember(self) -> None:
        """Let the agents know their servers."""

    def start(self, server: str) -> None:
        """Start a mysqld, as a supervisor would."""

    def lives(self, server: str) -> bool:
        """Whether it runs."""

    def spliced(self, server: str) -> bool:
        """Whether files of a transfer lie there."""

    def purge(self, server: str) -> None:
        """Its binary logs are gone, as mysqld purges them."""

    def close(self) -> None:
        """End everything."""


def ssh_agents(
    server: SshServer,
    lease: FakeLease | None,
    ssh: SshAccess | None = None,
    hosts: tuple[str, ...] = (),
) -> SshAgents:
    """Agents for db1 and db2, both on the host of that sshd; or for these, as if each had a host of its own."""
    here, account = Endpoint("127.0.0.1", 1), Account("u", "canary")
    plain = AgentAccess("shop", "db1", ssh or server.access(), here, account, str(server.agent_dir))
    accesses: tuple[AgentAccess, ...] = (plain, replace(plain, server="db2"))
    if hosts:
        ways = [(name, server.access(timeout=20.0 + number)) for number, name in enumerate(hosts)]
        accesses = tuple(replace(plain, server=name, ssh=way) for name, way in ways)
    return SshAgents(accesses, server.sha256, SystemClock(), ThreadTasks(), lambda _: lease)


class SshWorld:
    """Real agents; mysqld is a process of that name."""

    def __init__(self, folder: Path) -> None:
        self.lease: FakeLease | None = FakeLease(4)
        self.server = SshServer(folder / "sshd")
        self.server.start()
        self._folder = folder
        self.hosts = {
            "db1": PretendedMysqld(folder / "db1", "db1"),
            "db2": PretendedMysqld(folder / "db2", "db2", OTHER, logs=False),
        }
        self.agents = ssh_agents(self.server, None)
        self.agents._lease_of = lambda _: self.lease
        self.agents.hello("shop", "db1", 30.0)

    def remember(self) -> None:
        for host in self.hosts.values():
            self.agents.remember("shop", host.state())

    def start(self, server: str) -> None:
        self.hosts[server].start()

    def lives(self, server: str) -> bool:
        process = self.hosts[server].process
        return process is not None and process.poll() is None

    def spliced(self, server: str) -> bool:
        return bool(list(self.hosts[server].datadir.glob("*fo_recover*")))

    def purge(self, server: str) -> None:
        for path in self.hosts[server].datadir.glob("binlog.0*"):
            path.unlink()

    def close(self) -> None:
        if self.agents.facts("shop", "db1", 30.0):
            self.agents.release("shop", "db1", FakeLease(1000))
        self.agents.close()
        self.server.stop()
        for host in self.hosts.values():
            host.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


class FakeWorld:
    """Agents in memory."""

    def __init__(self) -> None:
        self.lease: FakeLease | None = FakeLease(4)
        self.hosts = {"db1": FakeHost(UUID, logs={LogKind.BINARY: HELD}), "db2": FakeHost(OTHER)}
        self.agents = FakeAgents(self.hosts, lambda _: self.lease)

    def remember(self) -> None:
        for host in self.hosts.values():
            host.remembered = True

    def start(self, server: str) -> None:
        self.hosts[server].begin()

    def lives(self, server: str) -> bool:
        return self.hosts[server].alive

    def spliced(self, server: str) -> bool:
        return bool(self.hosts[server].spliced)

    def purge(self, server: str) -> None:
        self.hosts[server].logs.clear()

    def close(self) -> None:
        self.hosts.clear()
