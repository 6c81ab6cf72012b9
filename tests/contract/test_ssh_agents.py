"""The agents over a real sshd with the real zipapp, and everything that can stand between."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from failoverd.drivers.ssh.agent_client import AgentChannel
from failoverd.drivers.ssh.agents import SshAgents
from failoverd.drivers.ssh.connection import SshAccess
from failoverd.drivers.ssh.copying import copied_out
from failoverd.drivers.tasks import ThreadTasks
from failoverd.gtid import GtidSet
from failoverd.model.errors import AgentError
from failoverd.model.host import AgentSilent, HostFacts, LogKind, Lot
from tests.contract.agent_worlds import OTHER, ssh_agents
from tests.contract.coordination_worlds import until
from tests.contract.pretended_mysqld import PretendedMysqld
from tests.contract.ssh_server import SshServer
from tests.fakes.coordination import FakeLease


@pytest.fixture
def make(sshd: SshServer) -> Iterator[Callable[..., SshAgents]]:
    made: list[SshAgents] = []

    def agents(ssh: SshAccess | None = None, lease: FakeLease | None = None) -> SshAgents:
        made.append(ssh_agents(sshd, lease, ssh))
        return made[-1]

    yield agents
    for one in made:
        one.close()


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
    assert min(spent) < 25  # a cold one costs hundreds at its best; the rest is the machine's load


def test_calls_side_by_side_share_one_channel(make: Callable[..., SshAgents], db1: PretendedMysqld) -> None:
    agents = make()
    agents.hello("shop", "db1", 30.0)
    agents.remember("shop", db1.state())
    calls = {str(number): (lambda: facts(agents)) for number in range(30)}
    told = ThreadTasks().gather(calls, 20.0)
    assert all(isinstance(one, HostFacts) for one in told.values())


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
    laid = agents.transfer("shop", "db2", wanted, unheard, Lot())
    assert laid.gtids == wanted.missing
    assert not facts(agents).alive


def test_channels_of_long_transfers_open_during_the_first_short_one(
    make: Callable[..., SshAgents], db1: PretendedMysqld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failoverd.drivers.ssh.agents._OWN_CHANNEL_OVER", 1)
    db2 = PretendedMysqld(tmp_path / "db2", "db2", OTHER, logs=False)
    agents = make(lease=FakeLease(4))
    agents.hello("shop", "db1", 30.0)
    for one in (db1, db2):
        agents.remember("shop", one.state())
    wanted = agents.scan("shop", "db1", LogKind.BINARY, GtidSet(), 30.0)
    laid = agents.transfer("shop", "db2", wanted, unheard, Lot(1))
    (line,) = agents._lines.values()
    until(lambda: set(line._others) == {"give", "take"}, "both channels")
    opened = dict(line._others)
    rest = replace(wanted, missing=wanted.missing - laid.gtids)
    assert agents.transfer("shop", "db2", rest, unheard, Lot(0, aside=True)).gtids == rest.missing
    assert line._others == opened


def test_exports_of_one_host_and_a_transfer_do_not_end_each_other(
    make: Callable[..., SshAgents], db1: PretendedMysqld, monkeypatch: pytest.MonkeyPatch
) -> None:
    agents = make()
    agents.remember("shop", db1.state())
    wanted = agents.scan("shop", "db1", LogKind.BINARY, GtidSet(), 30.0).missing
    used: list[AgentChannel] = []
    found: list[bytes] = []

    def copied(channel: AgentChannel, *rest: Any) -> tuple[str, ...]:
        """While the first one is under way, another one begins and ends, and so does a splice."""
        used.append(channel)
        if len(used) == 1:
            agents.copy_out("shop", "db1", wanted, lambda _, piece: found.append(piece))
            agents.clean_spliced("shop", "db1", FakeLease(4))
        return copied_out(channel, *rest)

    monkeypatch.setattr("failoverd.drivers.ssh.agents.copied_out", copied)
    agents.copy_out("shop", "db1", wanted, lambda _, piece: found.append(piece))
    half = len(found) // 2
    assert found[:half] == found[half:] != []
    assert not any(channel.alive for channel in used), "both are ended with their export"


def test_from_so_many_hosts_on_only_the_primarys_channel_is_kept_and_the_others_open_on_suspicion(
    sshd: SshServer, db1: PretendedMysqld, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("db1", "db2", "db3", "db4")
    agents = ssh_agents(sshd, None, hosts=names)
    assert agents.keep_open("shop", "db1")
    monkeypatch.setattr("failoverd.drivers.ssh.lines.REST", 1.0)
    lines = dict(zip(names, agents._lines.values(), strict=True))
    for name in names:
        agents.remember("shop", replace(db1.state(), name=name))
    until(lambda: all(time.monotonic() - line._used_at > 1.0 for line in lines.values()), "a while unused")
    assert not any(line._unused() for line in lines.values())
    monkeypatch.setattr("failoverd.drivers.ssh.agents.MANY", len(names))
    assert not agents.keep_open("shop", "db2")
    rest = [line for name, line in lines.items() if name != "db2"]
    channels = {name: line._channel for name, line in lines.items()}
    until(lambda: not any(line._started for line in rest), "the channels of the others to be let go")
    assert not any(channel.alive for name, channel in channels.items() if channel is not None and name != "db2")
    assert lines["db2"]._channel is channels["db2"]
    print(f"cold: {took(agents, ('db1', 'db3', 'db4')):.0f} ms, warm: {took(agents, ('db1', 'db3', 'db4')):.1f} ms")
    until(lambda: not any(line._started for line in rest), "the channels of the others to be let go again")
    agents.keep_open("shop", None)
    until(lambda: all(line._channel is not None for line in rest), "all channels, with nobody asking anything")
    agents.close()


def took(agents: SshAgents, names: tuple[str, ...]) -> float:
    """Milliseconds until all of them have told their facts, asked side by side."""
    begun = time.perf_counter()
    told = ThreadTasks().gather({name: partial(facts, agents, name) for name in names}, 30.0)
    assert all(isinstance(one, HostFacts) for one in told.values()), told
    return (time.perf_counter() - begun) * 1000


def test_damaged_files_are_named_and_what_is_sound_travels(
    make: Callable[..., SshAgents], db1: PretendedMysqld, tmp_path: Path
) -> None:
    db2 = PretendedMysqld(tmp_path / "db2", "db2", OTHER, logs=False)
    agents = make(lease=FakeLease(4))
    agents.hello("shop", "db1", 30.0)
    for one in (db1, db2):
        agents.remember("shop", one.state())
    whole = agents.scan("shop", "db1", LogKind.BINARY, GtidSet(), 30.0)
    path = db1.datadir / "binlog.000001"
    data = bytearray(path.read_bytes())
    data[1500] ^= 1
    path.write_bytes(data)
    # heads do not show it; taking the transaction out does
    wanted = agents.scan("shop", "db1", LogKind.BINARY, GtidSet(), 30.0)
    assert (wanted.missing, wanted.complete) == (whole.missing, True)
    laid = agents.transfer("shop", "db2", wanted, unheard, Lot())
    assert laid.gtids < whole.missing
    assert len(whole.missing - laid.gtids) == 1
    assert "log file binlog.000001 is damaged at offset" in laid.problem
    told = agents.scan("shop", "db1", LogKind.BINARY, GtidSet(), 30.0)
    assert (told.missing, told.complete) == (laid.gtids, False)
    assert "binlog.000001 is damaged at offset" in told.problem


def test_a_transfer_that_the_target_refuses_says_so_and_leaves_the_channel_usable(
    make: Callable[..., SshAgents], db1: PretendedMysqld
) -> None:
    agents = make(lease=FakeLease(4))
    agents.hello("shop", "db1", 30.0)
    agents.remember("shop", db1.state())
    wanted = agents.scan("shop", "db1", LogKind.BINARY, GtidSet(), 30.0)
    with pytest.raises(AgentError) as caught:
        agents.transfer("shop", "db2", wanted, unheard, Lot())
    assert caught.value.code == "NOT_FOUND"
    until(lambda: isinstance(agents.facts("shop", "db1", 5.0), HostFacts), "the next answer")


def test_a_key_with_a_shell_works_too(make: Callable[..., SshAgents], sshd: SshServer) -> None:
    sshd.free()
    assert make().hello("shop", "db1", 30.0)["protocol"] == 1


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
