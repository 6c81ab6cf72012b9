"""Servers shared by the contract tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.pretended_mysqld import PretendedMysqld
from tests.contract.ssh_server import SshServer
from tests.contract.zookeeper_server import ZooKeeperServer


@pytest.fixture(scope="session")
def zookeeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZooKeeperServer]:
    """One real ZooKeeper for tests that leave it running; each uses a root of its own."""
    server = ZooKeeperServer(Path(tmp_path_factory.mktemp("zookeeper")) / "server")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def mortal_zookeeper(tmp_path: Path) -> Iterator[ZooKeeperServer]:
    """A real ZooKeeper that the test may kill, freeze and wipe."""
    server = ZooKeeperServer(tmp_path / "server")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def patient_zookeeper(tmp_path: Path) -> Iterator[ZooKeeperServer]:
    """The same with longer ticks: it grants sessions that outlive its own restart on a busy machine."""
    server = ZooKeeperServer(tmp_path / "server", tick_ms=2000)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[SshServer]:
    """A real sshd."""
    server = SshServer(tmp_path / "sshd")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def db1(tmp_path: Path) -> Iterator[PretendedMysqld]:
    """What an agent takes for a mysqld."""
    made = PretendedMysqld(tmp_path / "db1", "db1")
    yield made
    made.stop()
