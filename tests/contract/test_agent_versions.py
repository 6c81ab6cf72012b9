"""Managers and agents of different releases, over a real sshd: refused in one sentence, nothing done, and mended by an
upgrade. What docs/upgrade.md says of agents is tried here.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from failoverd.agent import PROTOCOL, VERSION
from failoverd.agent.build import build
from failoverd.drivers.ssh.access import ZIPAPP
from failoverd.drivers.ssh.agents import SshAgents
from failoverd.model.errors import AgentError
from failoverd.model.host import AgentSilent, HostFacts
from tests.contract.agent_worlds import ssh_agents
from tests.contract.coordination_worlds import until
from tests.contract.pretended_mysqld import UUID, PretendedMysqld
from tests.contract.ssh_server import SshServer
from tests.fakes.coordination import FakeLease

RELEASE = "failoverd/__init__.py"
WIRE = "failoverd/agent/__init__.py"


def of_another_release(place: Path, protocol: int, version: str) -> None:
    """Our zipapp as another release would have built it."""
    build(place)
    with zipfile.ZipFile(place) as ours:
        members = {name: ours.read(name).decode() for name in ours.namelist()}
    members[WIRE] = re.sub(r"PROTOCOL = \d+", f"PROTOCOL = {protocol}", members[WIRE])
    members[RELEASE] = re.sub(r'__version__ = "[^"]+"', f'__version__ = "{version}"', members[RELEASE])
    with zipfile.ZipFile(place, "w") as theirs:
        for name, text in members.items():
            theirs.writestr(name, text)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[SshServer]:
    server = SshServer(tmp_path / "sshd")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def db1(tmp_path: Path) -> Iterator[PretendedMysqld]:
    made = PretendedMysqld(tmp_path / "db1", "db1")
    yield made
    made.stop()


@pytest.fixture
def agents(sshd: SshServer) -> Iterator[SshAgents]:
    made = ssh_agents(sshd, FakeLease(4))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("protocol", "version", "remedy"),
    [
        (PROTOCOL - 1, "0.0.1", "failoverd agent install --upgrade"),
        (PROTOCOL, "0.0.1", "failoverd agent install --upgrade"),
        (PROTOCOL + 1, "99.0.0", "upgrade this manager"),
    ],
    ids=["the release before", "the same protocol", "the release after"],
)
def test_an_agent_of_another_release_is_told_and_does_nothing(
    sshd: SshServer, agents: SshAgents, db1: PretendedMysqld, protocol: int, version: str, remedy: str
) -> None:
    db1.start()
    of_another_release(sshd.agent_dir / ZIPAPP, protocol, version)
    told = agents.facts("shop", "db1", 30.0)
    assert isinstance(told, AgentSilent), told
    assert told.state == "old"
    assert f"version {version}, protocol {protocol}; ours is version {VERSION}, protocol {PROTOCOL}" in told.text
    assert remedy in told.text
    assert len(told.text.splitlines()) == 1
    with pytest.raises(AgentError) as refused:
        agents.fence("shop", "db1", UUID, FakeLease(4), "op-1")
    assert refused.value.code == "OLD"
    assert db1.process is not None
    assert db1.process.poll() is None
    build(sshd.agent_dir / ZIPAPP)  # what an upgrade leaves

    def answers() -> bool:
        try:
            agents.remember("shop", db1.state())
        except AgentError:
            return False
        return isinstance(agents.facts("shop", "db1", 5.0), HostFacts)

    until(answers, "an answer of the agent that was put there")
