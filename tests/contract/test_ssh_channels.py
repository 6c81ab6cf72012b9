"""Many agent channels side by side, and hosts that stop in the middle of opening one."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import paramiko
import pytest
from paramiko.common import AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from failoverd.drivers.ssh import tending
from failoverd.drivers.ssh.agent_client import AgentChannel
from failoverd.drivers.ssh.agents import SshAgents
from failoverd.drivers.ssh.connection import connect
from failoverd.drivers.tasks import ThreadTasks
from failoverd.model.errors import AgentError
from failoverd.model.host import AgentSilent, HostFacts
from tests.contract.agent_worlds import ssh_agents
from tests.contract.coordination_worlds import until
from tests.contract.pretended_mysqld import PretendedMysqld
from tests.contract.ssh_server import SshServer, make_key, send

MANY = tuple(f"db{number}" for number in range(1, 21))


def opened(agents: SshAgents, names: tuple[str, ...]) -> bool:
    lines = [agents._line(agents._access("shop", name)) for name in names]
    return all(line._channel is not None and line._channel.alive for line in lines)


def test_many_channels_take_a_thread_each_and_one_for_all(sshd: SshServer) -> None:
    before = set(threading.enumerate())
    agents = ssh_agents(sshd, None, hosts=MANY)
    most = 0

    def all_open() -> bool:
        nonlocal most
        most = max(most, len(set(threading.enumerate()) - before))
        return opened(agents, MANY)

    agents.keep_warm()
    seconds = until(all_open, "all channels", 120.0)
    until(
        lambda: len(set(threading.enumerate()) - before) <= len(MANY) + 1, "a thread for each channel and one for all"
    )
    print(f"{len(MANY)} channels open after {seconds:.1f} s, at most {most} threads, then {len(MANY) + 1}")
    assert most <= len(MANY) + 2 * tending.OPENINGS + 1
    agents.close()
    until(lambda: not set(threading.enumerate()) - before, "the end of them all")


def test_an_agent_that_is_stopped_delays_no_other_ones_answer(sshd: SshServer, db1: PretendedMysqld) -> None:
    names = MANY[:4]
    agents = ssh_agents(sshd, None, hosts=names)
    for name in names:
        agents.remember("shop", replace(db1.state(), name=name))
    victim = next(pid for pid in sshd.family() if b"serve" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
    send(victim, signal.SIGSTOP)
    try:
        told = asked(agents, names, 6.0)
    finally:
        send(victim, signal.SIGCONT)
        agents.close()
    (late,) = [seconds for one, seconds in told if isinstance(one, AgentSilent)]
    assert max(seconds for one, seconds in told if isinstance(one, HostFacts)) < late / 2
    assert 5.0 < late < 12.0


def asked(agents: SshAgents, names: tuple[str, ...], timeout: float = 5.0) -> list[tuple[object, float]]:
    """What each tells when all are asked side by side, and after how many seconds."""

    def ask(name: str) -> tuple[object, float]:
        begun = time.monotonic()
        return agents.facts("shop", name, timeout), time.monotonic() - begun

    told = ThreadTasks().gather({name: partial(ask, name) for name in names}, timeout + 30.0)
    return [one for one in told.values() if not isinstance(one, Exception)]


class StuckHost(paramiko.ServerInterface):
    """Speaks SSH up to one moment and not a word further; `moment` is one of MOMENTS."""

    def __init__(self, moment: str, key: paramiko.PKey) -> None:
        self._moment = moment
        self._key = key
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        came, _ = self._listener.accept()
        with came, contextlib.suppress(paramiko.SSHException, OSError, EOFError):
            if self._moment == "name":
                came.sendall(b"SSH-2.0-stuck\r\n")
            if self._moment in {"nothing", "name"}:
                self._over.wait()
                return
            transport = paramiko.Transport(came)
            transport.add_server_key(self._key)
            transport.start_server(server=self)
            self._over.wait()
            transport.close()

    def end(self) -> None:
        """Let go of everybody."""
        self._over.set()
        self._listener.close()

    def _stuck_at(self, moment: str) -> None:
        if self._moment == moment:
            self._over.wait()

    def get_allowed_auths(self, username: str) -> str:
        """Keys only."""
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """Every key is good."""
        self._stuck_at("login")
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Every session is opened."""
        self._stuck_at("session")
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        """Every program starts, and none says anything."""
        self._stuck_at("program")
        return True


MOMENTS = ("nothing", "name", "login", "session", "program", "hello")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_host_that_stops_in_the_middle_of_opening_is_given_up_with_its_threads(tmp_path: Path, moment: str) -> None:
    for name in ("host", "client"):
        make_key(tmp_path / name)
    stuck = StuckHost(moment, paramiko.Ed25519Key(filename=str(tmp_path / "host")))
    words = (tmp_path / "host.pub").read_text().split()
    (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{stuck.port} {words[0]} {words[1]}\n")
    server = SshServer.__new__(SshServer)
    server.folder, server.port = tmp_path, stuck.port
    access = server.access(timeout=1.0)
    try:
        begun = time.monotonic()
        with pytest.raises(AgentError) as caught:
            AgentChannel(connect(access), access, "agent")
        assert time.monotonic() - begun < 20.0
        assert caught.value.code == "TIMEOUT"
        until(lambda: not clients(), "the end of the connection's thread", 10.0)
    finally:
        stuck.end()


def clients() -> list[threading.Thread]:
    """The threads of connections that this process has opened."""
    return [one for one in threading.enumerate() if isinstance(one, paramiko.Transport) and not one.server_mode]


def test_dead_hosts_leave_places_for_those_that_were_never_tried() -> None:
    tender = tending.Tender(ThreadTasks())
    held, tried = threading.Event(), []

    class Line:
        """Opens after a wait that does not end before the test."""

        def __init__(self, down: bool) -> None:
            self.down, self.ended, self._once = down, False, False

        def due(self) -> float:
            """At once."""
            return 0.0

        def open(self) -> None:
            """Wait."""
            tried.append(self)
            held.wait()

    dead = [Line(down=True) for _ in range(50)]
    fresh = [Line(down=False) for _ in range(50)]
    try:
        for line in dead:
            tender.take(line)
        until(lambda: len(tried) == tending.RETRIES, "as many dead ones as there are places for them")
        for line in fresh:
            tender.take(line)
        tender.wake()
        until(lambda: len(tried) == tending.OPENINGS, "all places")
        assert sum(line.down for line in tried) == tending.RETRIES
    finally:
        for line in [*dead, *fresh]:
            line.ended = True
        held.set()
        tender.wake()
