"""The ways into a real server: TLS by policy, the password without TLS, host names, the port for administrators."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from failoverd.agent import probe
from failoverd.agent.conversation import Call
from failoverd.agent.deadline import Deadline
from failoverd.drivers.mysql.access import ServerAccess, Tls
from failoverd.drivers.mysql.servers import Manager, MysqlServers
from failoverd.drivers.wakeups import Bell
from failoverd.model.errors import ConnectFailed
from failoverd.model.sight import Endpoint, ServerState, Sight, Unreachable, Why
from tests.acceptance.real_mysqld import RealMysqld, free_port
from tests.contract.authority import Authority
from tests.contract.mysql.worlds import CLOCK, CLUSTER, RealWorld, in_memory, template
from tests.fakes.coordination import FakeLease

LONG = 5.0
# Ten thousand in all, most of them without TLS: its handshakes are what takes the time.
PROBES: Mapping[Tls, int] = {"off": 9_000, "preferred": 1_000}


def look(access: ServerAccess, timeout: float = LONG) -> Sight:
    """One look by a manager of its own."""
    servers = MysqlServers((access,), {}, Manager("m1"), CLOCK, Bell())
    try:
        return servers.look(access.cluster, access.name, timeout)
    finally:
        servers.close()


def access_to(mysqld: RealMysqld) -> ServerAccess:
    """Our account there."""
    return ServerAccess(CLUSTER, "db1", Endpoint("127.0.0.1", mysqld.port), "failoverd", "right")


@pytest.fixture(scope="module")
def plain() -> Iterator[RealMysqld]:
    """A server without TLS, with few connections and a port for administrators."""
    home = in_memory("plain")
    admin = free_port()
    extra = ("--tls-version=", "--max-connections=3", "--admin-address=127.0.0.1", f"--admin-port={admin}")
    mysqld = RealMysqld(home / "one", 7, extra=extra)
    mysqld.initialise(template(home))
    mysqld.start()
    mysqld.rows("GRANT SERVICE_CONNECTION_ADMIN ON *.* TO failoverd@'%'")
    yield mysqld
    mysqld.kill()
    shutil.rmtree(home)


@pytest.mark.parametrize("tls", ["off", "preferred", "required"])
def test_a_server_with_tls_lets_every_policy_in(real: RealWorld, tls: Tls) -> None:
    server = real.mysqlds["db1"]
    server.rows("FLUSH LOCAL PRIVILEGES")  # a cold cache: the whole password must travel, by TLS or by RSA
    assert isinstance(look(replace(access_to(server), tls=tls)), ServerState)


def test_verify_trusts_the_given_authority_only(real: RealWorld, plain: RealMysqld) -> None:
    ours, theirs = real.mysqlds["db1"], plain  # each was made with an authority of its own
    access = replace(access_to(ours), tls="verify", ca_file=str(ours.datadir / "ca.pem"))
    assert isinstance(look(access), ServerState)
    for authority in (str(theirs.datadir / "ca.pem"), "", "/nonexistent/ca.pem"):
        sight = look(replace(access, ca_file=authority))
        assert isinstance(sight, Unreachable), authority
        assert sight.why is Why.OWN_SIDE


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealMysqld, Authority]]:
    """A server whose certificate, of an authority of ours, names 127.0.0.1 and nothing else."""
    home = in_memory("certified")
    ours = Authority(tmp_path_factory.mktemp("authority"), "ours")
    issued = ours.issue("server", "127.0.0.1")
    files = (f"--ssl-ca={ours.certificate}", f"--ssl-cert={issued.certificate}", f"--ssl-key={issued.key}")
    mysqld = RealMysqld(home / "one", 8, extra=files)
    mysqld.initialise(template(home))
    mysqld.start()
    yield mysqld, ours
    mysqld.kill()
    shutil.rmtree(home)


@pytest.mark.parametrize(
    ("tls", "host", "let_in"),
    [
        ("verify", "127.0.0.1", True),
        ("verify", "localhost", True),
        ("verify-identity", "127.0.0.1", True),
        ("verify-identity", "localhost", False),
    ],
)
def test_names_are_compared_where_identity_is_asked_for(
    certified: tuple[RealMysqld, Authority], tls: Tls, host: str, let_in: bool
) -> None:
    mysqld, ours = certified
    access = replace(access_to(mysqld), endpoint=Endpoint(host, mysqld.port), tls=tls, ca_file=str(ours.certificate))
    sight = look(access)
    assert isinstance(sight, ServerState) is let_in, sight
    if isinstance(sight, Unreachable):
        assert (sight.why, sight.spoke) == (Why.OWN_SIDE, False)
        assert "localhost" in sight.text


@pytest.mark.parametrize("tls", ["verify", "verify-identity"])
def test_a_foreign_authority_is_refused_whatever_name_it_certifies(
    certified: tuple[RealMysqld, Authority], tls: Tls, tmp_path: Path
) -> None:
    mysqld, _ = certified
    access = replace(access_to(mysqld), tls=tls, ca_file=str(Authority(tmp_path, "theirs").certificate))
    sight = look(access)
    assert isinstance(sight, Unreachable)
    assert "certificate" in sight.text


@pytest.mark.parametrize("tls", ["off", "preferred"])
def test_a_server_without_tls_is_entered_where_the_policy_allows_it(plain: RealMysqld, tls: Tls) -> None:
    plain.rows("FLUSH LOCAL PRIVILEGES")
    assert isinstance(look(replace(access_to(plain), tls=tls)), ServerState)


@pytest.mark.parametrize("tls", ["required", "verify-identity"])
def test_a_server_without_tls_lives_and_is_not_entered_where_tls_is_required(plain: RealMysqld, tls: Tls) -> None:
    sight = look(replace(access_to(plain), tls=tls))
    assert isinstance(sight, Unreachable)
    assert (sight.why, sight.spoke) == (Why.ALIVE, True)


def test_the_administrators_port_is_tried_when_connections_are_used_up(plain: RealMysqld) -> None:
    admin = int(plain.value("SELECT @@GLOBAL.admin_port"))
    sessions = [plain.connect() for _ in range(4)]  # the last one is the one kept for administrators
    try:
        sight = look(access_to(plain))
        assert isinstance(sight, Unreachable)
        assert sight.code == 1040
        assert isinstance(look(replace(access_to(plain), admin_port=admin)), ServerState)
    finally:
        for session in sessions:
            session.close()


def test_a_host_is_found_by_name(real: RealWorld) -> None:
    server = real.mysqlds["db1"]
    assert isinstance(look(replace(access_to(server), endpoint=Endpoint("localhost", server.port))), ServerState)


def test_an_unknown_name_says_nothing_about_the_server() -> None:
    sight = look(ServerAccess(CLUSTER, "db1", Endpoint("nowhere.invalid", 3306), "failoverd", "right"))
    assert isinstance(sight, Unreachable)
    assert sight.why is Why.OWN_SIDE


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_something_else_on_the_port_is_no_evidence_of_life(greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_greet, args=(listener, greeting), daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        sight = look(ServerAccess(CLUSTER, "db1", Endpoint("127.0.0.1", port), "failoverd", "right"), 1.0)
    assert isinstance(sight, Unreachable)
    assert not sight.spoke


def _greet(listener: socket.socket, greeting: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            line, _ = listener.accept()
            with line:
                line.sendall(greeting)


def test_a_claim_needs_a_way_in(real: RealWorld) -> None:
    with pytest.raises(ConnectFailed) as refusal:
        real.servers(password="wrong").claim(CLUSTER, "db1", FakeLease(5), LONG)
    assert refusal.value.why is Why.ACCESS_DENIED


def aborted(mysqld: RealMysqld) -> int:
    """How many connections the server counts as broken before they were logins: enough of them block their host."""
    (row,) = mysqld.rows("SHOW GLOBAL STATUS LIKE 'Aborted_connects'")
    return int(row["Value"])


@pytest.mark.parametrize("tls", ["off", "preferred"])
def test_probes_are_complete_logins_and_never_count_against_their_host(real: RealWorld, tls: Tls) -> None:
    """Ten broken ones would block a host (max_connect_errors); a bare connection is such a one."""
    server = real.mysqlds["db1"]
    look(access_to(server))  # the account is in the server's cache now, as it is where a manager watches
    server.rows("SET GLOBAL max_connect_errors = 10")
    before = aborted(server)
    args = {"host": "127.0.0.1", "port": server.port, "user": "failoverd", "password": "right", "tls": tls}
    found = Counter(probe.probe(Call({**args, "timeout": LONG}, Deadline(LONG)))["outcome"] for _ in range(PROBES[tls]))
    assert found == {"ok": PROBES[tls]}
    assert aborted(server) == before
    with socket.create_connection(("127.0.0.1", server.port)):
        pass
    end = CLOCK.now() + LONG
    while aborted(server) == before and CLOCK.now() < end:
        CLOCK.sleep(0.05)
    assert aborted(server) == before + 1, "a bare connection counts"
    server.rows("SET GLOBAL max_connect_errors = 100")
