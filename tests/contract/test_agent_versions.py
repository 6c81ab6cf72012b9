"""Managers and agents of different releases, over a real sshd: neighbours work together, others are refused in one
sentence, with nothing done, until an upgrade mends it. What docs/upgrade.md says of agents is tried here.
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
REQUESTS = "failoverd/agent/service.py"


def of_another_release(place: Path, protocol: int, version: str, without: str = "") -> None:
    """Our zipapp as another release would have built it, perhaps without one of the requests it can be asked."""
    build(place)
    with zipfile.ZipFile(place) as ours:
        members = {name: ours.read(name).decode() for name in ours.namelist()}
    members[WIRE] = re.sub(r"PROTOCOL = \d+", f"PROTOCOL = {protocol}", members[WIRE])
    members[RELEASE] = re.sub(r'__version__ = "[^"]+"', f'__version__ = "{version}"', members[RELEASE])
    assert without in members[REQUESTS]
    members[REQUESTS] = members[REQUESTS].replace(without, "")
    with zipfile.ZipFile(place, "w") as theirs:
        for name, text in members.items():
            theirs.writestr(name, text)


@pytest.fixture
def agents(sshd: SshServer) -> Iterator[SshAgents]:
    made = ssh_agents(sshd, FakeLease(4))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("protocol", "version"),
    [(PROTOCOL - 1, "0.0.1"), (PROTOCOL, "0.0.1"), (PROTOCOL + 1, "99.0.0")],
    ids=["the release before", "the same protocol", "the release after"],
)
def test_an_agent_of_a_neighbouring_release_is_worked_with_and_told(
    sshd: SshServer, agents: SshAgents, db1: PretendedMysqld, protocol: int, version: str
) -> None:
    db1.start()
    of_another_release(sshd.agent_dir / ZIPAPP, protocol, version)
    found = facts(agents, db1)
    assert found.release == f"version {version}, protocol {protocol}; ours is version {VERSION}, protocol {PROTOCOL}"
    fenced(agents, db1)


def test_what_an_older_agent_does_not_know_is_told_and_the_rest_is_done(
    sshd: SshServer, agents: SshAgents, db1: PretendedMysqld
) -> None:
    db1.start()
    of_another_release(sshd.agent_dir / ZIPAPP, PROTOCOL - 1, "0.0.1", without='"kept": Op(self._kept, SERVER),')
    facts(agents, db1)
    with pytest.raises(AgentError, match="is too old for this: there is no operation 'kept'") as refused:
        agents.kept("shop", "db1", 30.0)
    assert refused.value.code == "OLD"
    assert "failoverd agent install --upgrade" in refused.value.hint
    fenced(agents, db1)


def test_an_agent_of_our_own_release_that_refuses_is_not_called_old(
    sshd: SshServer, agents: SshAgents, db1: PretendedMysqld
) -> None:
    facts(agents, db1)
    with pytest.raises(AgentError) as refused:
        agents.fence("shop", "db1", "no uuid", FakeLease(4), "op-1")
    assert refused.value.code == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("protocol", "version", "remedy"),
    [
        (PROTOCOL - 2, "0.0.1", "failoverd agent install --upgrade"),
        (PROTOCOL + 2, "99.0.0", "upgrade this manager"),
    ],
    ids=["two releases before", "two releases after"],
)
def test_an_agent_of_a_distant_release_is_told_and_does_nothing(
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
    assert facts(agents, db1).release == ""


def facts(agents: SshAgents, server: PretendedMysqld) -> HostFacts:
    """What the agent of db1 tells once it answers and knows its server."""
    found: list[HostFacts] = []

    def answers() -> bool:
        try:
            agents.remember("shop", server.state())
        except AgentError:
            return False
        told = agents.facts("shop", "db1", 5.0)
        found.extend([told] if isinstance(told, HostFacts) else [])
        return bool(found)

    until(answers, "an answer of the agent that was put there")
    return found[-1]


def fenced(agents: SshAgents, server: PretendedMysqld) -> None:
    """Its mysqld is killed, and kept down until the hold is given back."""
    assert agents.fence("shop", "db1", UUID, FakeLease(4), "op-1").proven
    assert server.process is not None
    until(lambda: server.process is not None and server.process.poll() is not None, "its end")
    agents.release("shop", "db1", FakeLease(5))
