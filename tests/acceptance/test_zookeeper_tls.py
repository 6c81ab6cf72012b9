"""A ZooKeeper that speaks TLS only to whom it knows, below an account: managers work through it, nobody else does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError

from failoverd.lab import Lab
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import NOTHING_LOST, rehearsal
from tests.contract.authority import Authority, Issued
from tests.contract.zookeeper_server import ZooKeeperServer


def section(folder: Path, address: str, trusted: Path, ours: Issued, password: str = "planted") -> dict[str, object]:
    """The section zookeeper of a manager with these files and this password."""
    secret = folder / f"{password}.secret"
    secret.touch(0o600)
    secret.write_text(f"{password}\n")
    return {
        "hosts": [address],
        "session_timeout": "4s",
        "auth": {"scheme": "digest", "username": "failoverd", "password_file": str(secret)},
        "tls": {"ca_file": str(trusted), "cert_file": str(ours.certificate), "key_file": str(ours.key)},
    }


@contextmanager
def guarded(lab: Lab, folder: Path) -> Iterator[tuple[ZooKeeperServer, Authority]]:
    """A ZooKeeper at the lab's own address, and the authority whose clients it takes."""
    ours, here = Authority(folder, "ours"), lab.layout.gateway
    server = ZooKeeperServer(folder / "zookeeper", tls=(ours.issue("server", here).both, ours.certificate), host=here)
    server.start()
    try:
        yield server, ours
    finally:
        server.kill()


def test_managers_lock_and_fail_over_through_tls_and_nobody_else_is_let_in(lab: LabFactory, tmp_path: Path) -> None:
    one = lab(zookeepers=0, managers=2)
    with guarded(one, tmp_path) as (server, ours), rehearsal(one) as play:
        client = ours.issue("client", one.layout.gateway)
        one.configure({"zookeeper": section(tmp_path, server.secure_address, ours.certificate, client)})
        play.begin()
        play.managers.kill("mgr1")
        play.kill_primary()
        shown = play.ended()
        assert shown["lost"] == NOTHING_LOST
        elect = shown["new_primary"]
        (other,) = set(play.replicas()) - {elect}
        play.settled(elect, (other,))
        theirs = Authority(tmp_path, "theirs")
        stranger = theirs.issue("stranger", one.layout.gateway)
        for trusted, shows, password, word in (
            (theirs.certificate, client, "planted", "certificates"),
            (ours.certificate, stranger, "planted", "certificates"),
            (ours.certificate, client, "wrong", "zookeeper.auth"),
        ):
            one.configure({"zookeeper": section(tmp_path, server.secure_address, trusted, shows, password)})
            is_refused(one, word)
        is_kept_out(server)


def is_refused(lab: Lab, word: str) -> None:
    """Whoever writes with the configuration that now stands is told one sentence with this word, and writes nothing."""
    argv = lab.manager_argv("mgr1", "pause", "shop", "--reason", "nobody may", "--yes")
    told = lab.call_in("mgr1", argv, deadline=60.0)
    assert told.returncode != 0, told
    assert word in told.stderr, told
    assert "Traceback" not in told.stderr, told


def is_kept_out(server: ZooKeeperServer) -> None:
    """Somebody without an account, on the port without TLS, can neither read nor write."""
    anybody = KazooClient(server.address)
    anybody.start(timeout=10)
    try:
        with pytest.raises(NoAuthError):
            anybody.get("/failoverd/shop/primary")
        with pytest.raises(NoAuthError):
            anybody.set("/failoverd/shop/epoch", b"1")
    finally:
        anybody.stop()
        anybody.close()
