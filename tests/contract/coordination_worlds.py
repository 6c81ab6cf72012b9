"""The three worlds in which coordination is tried: real ZooKeeper, real files, memory; each makes managers by name."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from failoverd.drivers.clock import SystemClock
from failoverd.drivers.identity import Identity
from failoverd.drivers.local.coordination import LocalCoordination
from failoverd.drivers.tasks import ThreadTasks
from failoverd.drivers.wakeups import Bell
from failoverd.drivers.zookeeper.coordination import ZooKeeperCoordination
from failoverd.drivers.zookeeper.settings import ZooKeeperSettings
from failoverd.ports import Coordination, Lease
from tests.contract.zookeeper_server import ZooKeeperServer
from tests.fakes.coordination import FakeCoordination, Store

SESSION = 1.0
PATIENT = 4.0  # for tests that are about something else than time: it survives a busy machine


class World(Protocol):
    """Where managers meet."""

    def manager(self, name: str) -> Coordination:
        """A manager of that name, ready to contend."""

    def close(self) -> None:
        """End all managers that were made."""


class ZooKeeperWorld:
    """Managers over one real server; each world has a root of its own."""

    def __init__(self, server: ZooKeeperServer, root: str, session: float = PATIENT) -> None:
        self.server = server
        self.root = root
        self.session = session
        self.bells: dict[str, Bell] = {}
        self._made: list[ZooKeeperCoordination] = []

    def manager(self, name: str) -> ZooKeeperCoordination:
        self.bells[name] = Bell()
        made = zookeeper_manager(self.server.address, self.root, name, self.bells[name], self.session)
        self._made.append(made)
        return made

    def close(self) -> None:
        for made in self._made:
            made.close()


class LocalWorld:
    """Managers over one state directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: list[LocalCoordination] = []

    def manager(self, name: str) -> LocalCoordination:
        made = LocalCoordination(self.folder, Identity.mine(name), SystemClock(), Bell())
        self._made.append(made)
        return made

    def close(self) -> None:
        for made in self._made:
            made.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class FakeWorld:
    """Managers over one store in memory."""

    def __init__(self) -> None:
        self.store = Store()

    def manager(self, name: str) -> FakeCoordination:
        return FakeCoordination(self.store, name)

    def close(self) -> None:
        self.store.clusters.clear()


def zookeeper_manager(
    address: str, root: str, name: str, bell: Bell, session: float = SESSION
) -> ZooKeeperCoordination:
    """A manager of that name over a server."""
    settings = ZooKeeperSettings((address,), root=root, session_timeout=session, connect_timeout=10.0)
    return ZooKeeperCoordination(settings, Identity.mine(name), SystemClock(), ThreadTasks(), bell)


def until(seen: Callable[[], bool], what: str, deadline: float = 30.0) -> float:
    """Wait for something; how long it took. Generous, because only its coming is tested."""
    begun = time.monotonic()
    while not seen():
        if time.monotonic() - begun > deadline:
            raise AssertionError(f"{what} did not come within {deadline:g} s")
        time.sleep(0.002)
    return time.monotonic() - begun


def active(manager: Coordination, cluster: str = "shop") -> Lease:
    """Contend and wait until active."""
    manager.campaign(cluster)
    until(lambda: manager.lease(cluster) is not None, "the lease")
    lease = manager.lease(cluster)
    assert lease is not None
    return lease
