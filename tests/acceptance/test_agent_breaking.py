"""Faults of a drill end by themselves on a real server: whoever began them may have died."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from failoverd.agent.processes import state_of
from tests.acceptance.agent_ground import agent_ground
from tests.acceptance.agent_process import AgentProcess, AgentRefused
from tests.acceptance.real_mysqld import RealMysqld
from tests.acceptance.rehearsal import eventually

PATIENCE = 30.0


@pytest.fixture(scope="module")
def ground() -> Iterator[Path]:
    with agent_ground() as folder:
        yield folder


class Host:
    """A server, and its agent in a network of its own, so that a cut touches nobody else."""

    def __init__(self, ground: Path) -> None:
        self.folder = ground / f"host-{time.monotonic_ns()}"
        self.folder.mkdir()
        self.program = ground / "agent.pyz"
        self.server = RealMysqld(self.folder / "db1", 1)
        self.server.initialise(ground / "template/data")
        self.server.start()
        facts = self.server.facts("db1")
        self.uuid = str(facts["server_uuid"])
        self.agent = self.new_agent()
        self.agent.call("remember", facts)

    def new_agent(self) -> AgentProcess:
        return AgentProcess(self.program, self.folder / "agent", ("unshare", "--net"))

    def broken(self, fault: str, seconds: int, epoch: int = 5) -> dict[str, Any]:
        asked = {"server": "db1", "server_uuid": self.uuid, "fault": fault, "seconds": seconds, "port": 3306}
        return self.agent.call("break", asked, epoch)

    @property
    def pid(self) -> int:
        assert self.server.process is not None
        return self.server.process.pid

    def stands(self) -> bool:
        return state_of(self.pid) == "T"

    def marks(self) -> list[str]:
        return [path.name for path in (self.folder / "agent/state").glob("*.broken")]

    def tables(self) -> str:
        enter = ["nsenter", f"--target={self.agent.process.pid}", "--net", "nft", "list", "ruleset"]
        return subprocess.run(enter, capture_output=True, text=True, timeout=20, check=True).stdout

    def close(self) -> None:
        self.server.kill()
        self.agent.process.kill()
        self.agent.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def host(ground: Path) -> Iterator[Host]:
    one = Host(ground)
    try:
        yield one
    finally:
        one.close()


def test_a_frozen_server_wakes_although_everybody_who_froze_it_is_dead(host: Host) -> None:
    began = time.monotonic()
    host.broken("freeze", 3)
    assert host.stands()
    assert host.marks() == ["shop.db1.broken"]
    os.kill(host.agent.process.pid, signal.SIGKILL)
    eventually(host.stands, lambda stands: not stands, "the end of the freeze", PATIENCE)
    assert time.monotonic() - began > 2.5, "it lasted as long as it was to last"
    assert host.server.value("SELECT 1") == "1"
    assert host.marks() == ["shop.db1.broken"], "a mark is the agent's to remove"
    host.agent = host.new_agent()
    eventually(host.marks, lambda marks: not marks, "no mark", PATIENCE)


def test_it_ends_even_if_the_process_that_ends_it_is_killed(host: Host) -> None:
    timer = int(host.broken("freeze", 5)["pid"])
    os.kill(timer, signal.SIGKILL)
    assert host.stands()
    eventually(host.stands, lambda stands: not stands, "the end of the freeze", PATIENCE)
    eventually(host.marks, lambda marks: not marks, "no mark", PATIENCE)


def test_an_agent_that_starts_later_ends_what_is_over(host: Host) -> None:
    timer = int(host.broken("freeze", 4)["pid"])
    os.kill(host.agent.process.pid, signal.SIGKILL)
    os.kill(timer, signal.SIGKILL)
    host.agent.process.wait(10)
    time.sleep(5.2)
    assert host.stands()
    host.agent = host.new_agent()
    eventually(host.stands, lambda stands: not stands, "the end of the freeze", PATIENCE)


def test_it_is_ended_early_by_whoever_asks_with_or_without_an_epoch(host: Host) -> None:
    host.broken("freeze", 300)
    assert host.agent.call("mend", {"server": "db1"}) == {"ended": True}
    assert not host.stands()
    assert host.agent.call("mend", {"server": "db1"}) == {"ended": False}
    eventually(host.marks, lambda marks: not marks, "no mark", PATIENCE)


def test_a_cut_of_the_servers_port_ends_by_itself(host: Host) -> None:
    assert "failoverd_drill" not in host.tables()
    host.broken("cut", 5)
    assert "tcp dport 3306 drop" in host.tables()
    eventually(host.tables, lambda told: "failoverd_drill" not in told, "the end of the cut", PATIENCE)


def test_a_kill_kills_that_server(host: Host) -> None:
    host.broken("kill", 1)
    assert host.server.process is not None
    assert host.server.process.wait(10) == -signal.SIGKILL


def test_what_is_refused(host: Host) -> None:
    host.broken("freeze", 300, epoch=7)
    for fault, seconds, epoch, code in (
        ("freeze", 5, 6, "STALE_EPOCH"),
        ("cut", 5, 7, "DOOR"),
        ("freeze", 601, 7, "BAD_REQUEST"),
        ("melt", 5, 7, "BAD_REQUEST"),
    ):
        with pytest.raises(AgentRefused) as refused:
            host.broken(fault, seconds, epoch)
        assert refused.value.code == code
    host.agent.call("mend", {"server": "db1"})
    host.uuid = "0" * 8 + host.uuid[8:]
    with pytest.raises(AgentRefused, match="belongs to another server"):
        host.broken("freeze", 5, 7)
    assert host.marks() == []
    assert not host.stands()
