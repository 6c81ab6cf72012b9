"""The agents over a real sshd with the real zipapp, and everything that can stand between."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from failoverd.drivers.clock import SystemClock
from failoverd.drivers.ssh.agents import Account, AgentAccess, SshAgents
from failoverd.drivers.ssh.connection import SshAccess
from failoverd.drivers.tasks import ThreadTasks
from failoverd.gtid import GtidSet
from failoverd.model.errors import AgentError, FencedOut, LockLost
from failoverd.model.host import AgentSilent, HostFacts, LogKind, ProbeOutcome
from failoverd.model.sight import Endpoint
from tests.contract.coordination_worlds import until
from tests.contract.pretended_mysqld import UUID, PretendedMysqld
from tests.contract.ssh_server import SshServer
from tests.fakes.coordination import FakeLease

OTHER = "1799bfac-e4d3-11f1-a4bb-02fc00000002"


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[SshServer]:
    server = SshServer(tmp_path / "sshd")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def make(sshd: SshServer) -> Iterator[Callable[..., SshAgents]]:
    made: list[SshAgents] = []

    def agents(ssh: SshAccess | None = None, lease: FakeLease | None = None, sha256: str = "") -> SshAgents:
        plain = AgentAccess(
            "shop", "db1", ssh or sshd.access(), Endpoint("127.0.0.1", 1), Account("u", "canary"), str(sshd.agent_dir)
        )
        accesses = (plain, replace(plain, server="db2"))
        made.append(SshAgents(accesses, sha256 or sshd.sha256, SystemClock(), ThreadTasks(), lambda _: lease))
        return made[-1]

    yield agents
    for one in made:
        one.close()


@pytest.fixture
def db1(tmp_path: Path) -> Iterator[PretendedMysqld]:
    made = PretendedMysqld(tmp_path / "db1", "db1")
    yield made
    made.stop()


def unheard(_done: int, _total: int) -> None:
    """Progress that nobody follows."""


def facts(agents: SshAgents, server: str = "db1", timeout: float = 30.0) -> HostFacts:
    told = agents.facts("shop", server, timeout)
    assert isinstance(told, HostFacts), told
    return told


def silent(agents: SshAgents, timeout: float = 30.0) -> AgentSilent:
    told = agents.facts("shop", "db1", timeout)
    assert isinstance(told, AgentSilent), told
    return told


def test_facts_tell_a_living_and_a_dead_mysqld(make: Callable[..., SshAgents], db1: PretendedMysqld) -> None:
    agents = make()
    agents.hello("shop", "db1", 30.0)
    agents.remember("shop", db1.state())
    dead = facts(agents)
    assert (dead.alive, dead.pids, dead.server_uuid, dead.fenced_epoch) == (False, (), UUID, None)
    assert dead.disk_free
    assert dead.door == "ok"
    db1.start()
    assert db1.process is not None
    living = facts(agents)
    assert (living.alive, living.pids) == (True, (db1.process.pid,))


def test_a_warm_call_costs_about_a_millisecond(make: Callable[..., SshAgents], db1: PretendedMysqld) -> None:
    agents = make()
    agents.hello("shop", "db1", 30.0)
    agents.remember("shop", db1.state())
    spent = []
    for _ in range(200):
        begun = time.perf_counter()
        facts(agents)
        spent.append((time.perf_counter() - begun) * 1000)
    print(f"facts on a warm channel: median {statistics.median(spent):.2f} ms, worst {max(spent):.2f} ms")
    assert statistics.median(spent) < 25  # a cold one costs hundreds; the rest is the machine's load


def test_calls_side_by_side_share_one_channel(make: Callable[..., SshAgents], db1: PretendedMysqld) -> None:
    agents = make()
    agents.hello("shop", "db1", 30.0)
    agents.remember("shop", db1.state())
    calls = {str(number): (lambda: facts(agents)) for number in range(30)}
    told = ThreadTasks().gather(calls, 20.0)
    assert all(isinstance(one, HostFacts) for one in told.values())


def test_scan_and_transfer_bring_exactly_what_is_wanted(
    make: Callable[..., SshAgents], db1: PretendedMysqld, tmp_path: Path
) -> None:
    db2 = PretendedMysqld(tmp_path / "db2", "db2", OTHER, logs=False)
    agents = make(lease=FakeLease(4))
    agents.hello("shop", "db1", 30.0)
    for one in (db1, db2):
        agents.remember("shop", one.state())
    everything = agents.scan("shop", "db1", LogKind.BINARY, GtidSet(), 30.0)
    assert everything.complete, everything.problem
    assert len(everything.missing) > 20
    lacking = everything.missing - GtidSet.parse(f"{UUID}:3-6")
    wanted = agents.scan("shop", "db1", LogKind.BINARY, lacking, 30.0)
    assert wanted.missing == GtidSet.parse(f"{UUID}:3-6")
    told: list[tuple[int, int]] = []
    laid = agents.transfer("shop", "db1", "db2", wanted, lambda done, total: told.append((done, total)))
    assert laid.gtids == wanted.missing
    assert (db2.datadir / laid.relay_log_file).is_file()
    assert told[-1] == (laid.size, laid.size)
    again = agents.transfer("shop", "db1", "db2", wanted, unheard)
    assert again.gtids == wanted.missing
    assert facts(agents, "db2").highest_epoch == 4
    agents.clean_spliced("shop", "db2", FakeLease(5))
    assert not list(db2.datadir.glob("*fo_recover*"))
    nothing = agents.scan("shop", "db1", LogKind.BINARY, everything.missing, 30.0)
    assert (nothing.missing, nothing.size, nothing.complete) == (GtidSet(), 0, True)


def test_a_long_transfer_has_channels_of_its_own(
    make: Callable[..., SshAgents], db1: PretendedMysqld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failoverd.drivers.ssh.agents._OWN_CHANNEL_OVER", 0)
    db2 = PretendedMysqld(tmp_path / "db2", "db2", OTHER, logs=False)
    agents = make(lease=FakeLease(4))
    agents.hello("shop", "db1", 30.0)
    for one in (db1, db2):
        agents.remember("shop", one.state())
    wanted = agents.scan("shop", "db1", LogKind.BINARY, GtidSet(), 30.0)
    laid = agents.transfer("shop", "db1", "db2", wanted, unheard)
    assert laid.gtids == wanted.missing
    assert not facts(agents).alive


def test_a_transfer_that_the_target_refuses_says_so_and_leaves_the_channel_usable(
    make: Callable[..., SshAgents], db1: PretendedMysqld
) -> None:
    agents = make(lease=FakeLease(4))
    agents.hello("shop", "db1", 30.0)
    agents.remember("shop", db1.state())
    wanted = agents.scan("shop", "db1", LogKind.BINARY, GtidSet(), 30.0)
    with pytest.raises(AgentError) as caught:
        agents.transfer("shop", "db1", "db2", wanted, unheard)
    assert caught.value.code == "NOT_FOUND"
    until(lambda: isinstance(agents.facts("shop", "db1", 5.0), HostFacts), "the next answer")


def test_nothing_is_laid_out_without_a_lease(make: Callable[..., SshAgents], db1: PretendedMysqld) -> None:
    agents = make()
    agents.hello("shop", "db1", 30.0)
    agents.remember("shop", db1.state())
    wanted = agents.scan("shop", "db1", LogKind.BINARY, GtidSet(), 30.0)
    with pytest.raises(LockLost):
        agents.transfer("shop", "db1", "db1", wanted, unheard)


def test_a_fence_kills_holds_and_can_be_released(make: Callable[..., SshAgents], db1: PretendedMysqld) -> None:
    agents = make()
    agents.hello("shop", "db1", 30.0)
    agents.remember("shop", db1.state())
    db1.start()
    assert db1.process is not None
    proof = agents.fence("shop", "db1", UUID, FakeLease(7), "op-1")
    try:
        assert proof.proven, proof
        assert set(proof.killed) <= {db1.process.pid}  # none where the guard was quicker
        assert proof.hold == "guard"
        db1.process.wait()
        assert facts(agents).fenced_epoch == 7
        assert facts(agents).highest_epoch == 7
        db1.start()  # as a supervisor would
        until(lambda: db1.process is not None and db1.process.poll() is not None, "the guard's blow")
        for change in (agents.clean_spliced, agents.release):
            with pytest.raises(FencedOut):
                change("shop", "db1", FakeLease(6))
        with pytest.raises(FencedOut):
            agents.fence("shop", "db1", UUID, FakeLease(6), "op-2")
    finally:
        agents.release("shop", "db1", FakeLease(8))
    assert facts(agents).fenced_epoch is None


def test_a_manager_without_a_lease_changes_nothing(make: Callable[..., SshAgents], db1: PretendedMysqld) -> None:
    agents = make()
    agents.hello("shop", "db1", 30.0)
    agents.remember("shop", db1.state())
    db1.start()
    lost = FakeLease(7)
    lost.why = "frozen too long"
    with pytest.raises(LockLost):
        agents.fence("shop", "db1", UUID, lost, "op-1")
    assert db1.process is not None
    assert db1.process.poll() is None


def test_a_fence_refuses_the_wrong_server(make: Callable[..., SshAgents], db1: PretendedMysqld) -> None:
    agents = make()
    agents.hello("shop", "db1", 30.0)
    agents.remember("shop", db1.state())
    db1.start()
    with pytest.raises(AgentError):
        agents.fence("shop", "db1", OTHER, FakeLease(7), "op-1")
    assert db1.process is not None
    assert db1.process.poll() is None


def test_a_probe_tells_a_closed_port(make: Callable[..., SshAgents]) -> None:
    agents = make()
    agents.hello("shop", "db1", 30.0)
    told = agents.probe("shop", "db1", "db2", 5.0)
    assert told is not None
    assert (told.origin, told.target, told.outcome) == ("db1", "db2", ProbeOutcome.REFUSED)


def test_a_key_with_a_shell_works_too(make: Callable[..., SshAgents], sshd: SshServer) -> None:
    sshd.free()
    assert make().hello("shop", "db1", 30.0)["protocol"] == 1


def test_an_agent_of_another_build_is_old(make: Callable[..., SshAgents]) -> None:
    told = silent(make(sha256="0" * 64))
    assert told.state == "old"
    assert "install" in told.text


def test_no_agent_is_missing(make: Callable[..., SshAgents], sshd: SshServer) -> None:
    sshd.force("/usr/bin/python3 -I -S /nowhere/failoverd-agent.pyz serve")
    told = silent(make())
    assert told.state == "missing"
    assert "agent install" in told.text


@pytest.mark.parametrize("garbage", ["echo Welcome to db1; sleep 60", "head -c 3000000 /dev/urandom; sleep 60"])
def test_a_host_that_speaks_garbage_is_told_apart(
    make: Callable[..., SshAgents], sshd: SshServer, garbage: str
) -> None:
    sshd.force(garbage)
    told = silent(make())
    assert told.state == "unreachable"
    assert "nonsense" in told.text


def test_an_agent_that_says_nothing_is_not_waited_for(make: Callable[..., SshAgents], sshd: SshServer) -> None:
    sshd.force("sleep 60")
    begun = time.monotonic()
    told = silent(make(sshd.access(timeout=1.0)))
    assert told.state == "unreachable"
    assert "hello" in told.text
    assert time.monotonic() - begun < 20.0


def knowing(server: SshServer, public: Path | None) -> SshAccess:
    server.know(public)
    return server.access()


def loose(path: Path) -> Path:
    path.chmod(0o644)
    return path


BROKEN: tuple[tuple[str, Callable[[SshServer], SshAccess], str], ...] = (
    ("unknown host", lambda s: knowing(s, None), "is not known"),
    ("another host key", lambda s: knowing(s, s.folder / "other.pub"), "host key"),
    ("refused key", lambda s: s.access(key_file=s.folder / "other"), "refuses the login"),
    ("no key file", lambda s: s.access(key_file=s.folder / "none"), "cannot be read"),
    ("no known_hosts", lambda s: s.access(known_hosts=s.folder / "none"), "cannot be read"),
    ("closed port", lambda s: s.access(port=1), "cannot be reached"),
    ("loose key file", lambda s: s.access(key_file=loose(s.folder / "other")), "read by others"),
)


@pytest.mark.parametrize(("broken", "words"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_way_that_is_broken_is_named_soon(
    make: Callable[..., SshAgents], sshd: SshServer, broken: Callable[[SshServer], SshAccess], words: str
) -> None:
    agents = make(broken(sshd))
    begun = time.monotonic()
    told = silent(agents)
    assert time.monotonic() - begun < 15.0
    assert told.state == "unreachable"
    assert words in told.text
    assert "(" in told.text  # a hint
    assert "127.0.0.1" in told.text or str(sshd.folder) in told.text
    assert "canary" not in told.text


def test_a_frozen_host_costs_no_more_than_the_time_out(
    make: Callable[..., SshAgents], sshd: SshServer, db1: PretendedMysqld
) -> None:
    agents = make(sshd.access(timeout=3.0))
    agents.hello("shop", "db1", 30.0)
    agents.remember("shop", db1.state())
    sshd.freeze()
    try:
        for _ in range(3):
            begun = time.monotonic()
            told = silent(agents, 0.5)
            assert time.monotonic() - begun < 2.0
            assert told.state == "unreachable"
    finally:
        sshd.thaw()
    until(lambda: isinstance(agents.facts("shop", "db1", 1.0), HostFacts), "the return")


def test_a_restarted_sshd_and_a_killed_agent_are_reached_again(
    make: Callable[..., SshAgents], sshd: SshServer, db1: PretendedMysqld
) -> None:
    agents = make()
    agents.hello("shop", "db1", 30.0)
    agents.remember("shop", db1.state())
    sshd.end_agents()
    until(lambda: isinstance(agents.facts("shop", "db1", 1.0), HostFacts), "the next agent")
    sshd.stop()
    until(lambda: isinstance(agents.facts("shop", "db1", 1.0), AgentSilent), "the loss")
    sshd.start()
    until(lambda: isinstance(agents.facts("shop", "db1", 1.0), HostFacts), "the return")


def test_an_unknown_server_is_missing(make: Callable[..., SshAgents]) -> None:
    told = make().facts("shop", "db9", 1.0)
    assert isinstance(told, AgentSilent)
    assert told.state == "missing"
