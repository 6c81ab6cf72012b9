"""TLS to a real ZooKeeper, both sides proving who they are, with an account on top: who is not trusted gets nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError

from failoverd.drivers.clock import SystemClock
from failoverd.drivers.identity import Identity
from failoverd.drivers.tasks import ThreadTasks
from failoverd.drivers.wakeups import Bell
from failoverd.drivers.zookeeper.coordination import ZooKeeperCoordination
from failoverd.drivers.zookeeper.settings import Digest, Tls, ZooKeeperSettings
from failoverd.model.errors import CoordinationError
from tests.contract.authority import Authority, Issued
from tests.contract.coordination_worlds import active
from tests.contract.operations import intent, operation, report
from tests.contract.zookeeper_server import ZooKeeperServer

HERE = "127.0.0.1"
SESSION = 4.0


@dataclass(frozen=True)
class Site:
    """A server that speaks TLS, the authority that it trusts, another one, and a client's certificate."""

    server: ZooKeeperServer
    ours: Authority
    theirs: Authority
    client: Issued

    def manager(self, tls: Tls | None, address: str = "") -> ZooKeeperCoordination:
        """A manager with the account `failoverd` and these certificates."""
        settings = ZooKeeperSettings(
            (address or self.server.secure_address,),
            session_timeout=SESSION,
            auth=Digest("failoverd", "planted-secret"),
            tls=tls,
            connect_timeout=2.0,
        )
        return ZooKeeperCoordination(settings, Identity.mine("mgr1"), SystemClock(), ThreadTasks(), Bell())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("tls")
    ours, theirs = Authority(folder, "ours"), Authority(folder, "theirs")
    server = ZooKeeperServer(folder / "zookeeper", tls=(ours.issue("server", HERE).both, ours.certificate))
    server.start()
    yield Site(server, ours, theirs, ours.issue("client", HERE))
    server.kill()


def trusting(authority: Path, client: Issued | None) -> Tls:
    """A client's files."""
    return Tls(str(authority), str(client.certificate), str(client.key)) if client else Tls(str(authority))


def test_lock_journal_and_status_work_over_tls_and_strangers_read_nothing(site: Site) -> None:
    with closing(site.manager(trusting(site.ours.certificate, site.client))) as manager:
        lease, op = active(manager), operation("op-1")
        manager.begin(lease, op)
        manager.write(lease, op, intent(1), wait=True)
        manager.end(lease, op, report(op))
        assert [one["operation"] for one in manager.operations("shop")] == ["op-1"]
        lease.check()
        anybody = KazooClient(site.server.address)
        anybody.start(timeout=10)
        try:
            with pytest.raises(NoAuthError):
                anybody.get("/failoverd/shop/ops/op-1/operation")
            with pytest.raises(NoAuthError):
                anybody.delete("/failoverd/shop/ops/op-1/end")
            with pytest.raises(NoAuthError):
                anybody.create("/failoverd/other", b"")
        finally:
            anybody.stop()
            anybody.close()


@pytest.mark.parametrize("who", ["an authority we do not trust", "no certificate of ours", "a stranger's", "no TLS"])
def test_who_is_not_trusted_is_never_spoken_to(site: Site, who: str) -> None:
    tls = {
        "an authority we do not trust": trusting(site.theirs.certificate, site.client),
        "no certificate of ours": trusting(site.ours.certificate, None),
        "a stranger's": trusting(site.ours.certificate, site.theirs.issue("stranger", HERE)),
        "no TLS": None,
    }[who]
    refused(site.manager(tls), tls=tls is not None)


def test_a_certificate_for_another_address_is_refused(site: Site, tmp_path: Path) -> None:
    files = (site.ours.issue("elsewhere", "192.0.2.7").both, site.ours.certificate)
    other = ZooKeeperServer(tmp_path / "zookeeper", tls=files)
    other.start()
    try:
        refused(site.manager(trusting(site.ours.certificate, site.client), other.secure_address))
    finally:
        other.kill()


def refused(manager: ZooKeeperCoordination, *, tls: bool = True) -> None:
    """It stays without a connection, and says so at once when it is asked."""
    with closing(manager):
        manager.campaign("shop")
        time.sleep(1.0)  # as long as it takes to be let in where one is trusted, several times
        assert manager.state() == "lost"
        assert manager.lease("shop") is None
        with pytest.raises(CoordinationError, match="away") as told:
            manager.holder("shop")
        assert ("certificates" in told.value.hint) is tls
