"""The fence of a mysqld that is a unit of a systemd that really booted: held, and let go again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.agent_process import AgentProcess
from tests.acceptance.real_mysqld import SID_FOLDER, RealMysqld, mysqld_command
from tests.acceptance.rehearsal import eventually
from tests.package.conftest import package
from tests.package.machine import Machine, booted

pytestmark = pytest.mark.timeout(600)  # the first one builds the packages
UNIT = "mysql.service"
OWN_UNIT = "orders-db.service"
# Where packages put units, and where people do: nothing that lasts until the next boot stands over the second.
PLACES = ("/lib/systemd/system", "/etc/systemd/system")
SEVERAL_RESTARTS = 3.0
DATA = "/var/lib/mysql"
OPTIONS = (
    f"--datadir={DATA}", f"--socket={DATA}/s.sock", "--mysqlx=OFF", "--super-read-only=ON", "--secure-file-priv=",
    "--innodb-use-native-aio=OFF", "--innodb-buffer-pool-size=32M",
)  # fmt: skip
SERVICE = """\
[Service]
User=mysql
ExecStart={command}
Restart={restart}
"""


UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
FACTS = {
    "server": "db1", "datadir": DATA, "server_uuid": UUID, "log_bin_basename": f"{DATA}/binlog",
    "log_bin_index": f"{DATA}/binlog.index", "relay_log_basename": f"{DATA}/relay",
    "relay_log_index": f"{DATA}/relay.index", "log_error": "stderr", "port": 3306, "pid_file": f"{DATA}/pid",
}  # fmt: skip


@pytest.fixture(scope="module")
def host(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A host with a mysqld under systemd and the agent's package."""
    with booted(SID_FOLDER) as machine:
        machine.run("useradd", "--system", "--user-group", "mysql")
        machine.install(package(packages, "failoverd-agent"))
        template = RealMysqld(tmp_path_factory.mktemp("template"), 1)
        template.initialise()
        shutil.copytree(template.datadir, machine.root / DATA.lstrip("/"))
        (machine.root / DATA.lstrip("/") / "auto.cnf").write_text(f"[auto]\nserver-uuid={UUID}\n", encoding="utf-8")
        machine.run("chown", "-R", "mysql:", DATA)
        yield machine


@pytest.fixture
def agent(host: Machine) -> Iterator[AgentProcess]:
    """The agent as its account runs it."""
    folder = Path("/var/lib/failoverd-agent")
    become = (*host.inside, "runuser", "-u", "failoverd-agent", "--")
    one = AgentProcess(folder / "failoverd-agent.pyz", folder, become)
    yield one
    one.close()


def starts(host: Machine, unit: str = UNIT) -> int:
    """How often its mysqld has taken connections."""
    return host.say("journalctl", "--no-pager", "-o", "cat", "-u", unit).count("ready for connections")


def started(host: Machine, place: str, restart: str, unit: str = UNIT) -> None:
    """Let its mysqld run as a unit of this place."""
    before = starts(host, unit)
    for other in (UNIT, OWN_UNIT):
        host.run("systemctl", "stop", other, check=False)
        for folder in PLACES:
            (host.root / folder.lstrip("/") / other).unlink(missing_ok=True)
    command = " ".join((*mysqld_command(), *OPTIONS))
    host.write(f"{place}/{unit}", SERVICE.format(command=command, restart=restart))
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "restart", unit)
    eventually(lambda: starts(host, unit), lambda now: now > before, "a mysqld that takes connections")


def fenced(agent: AgentProcess, unit: str = UNIT) -> dict[str, Any]:
    agent.call("remember", FACTS)
    order = {"server": "db1", "server_uuid": UUID, "operation": "op-1", "hold": f"systemd:{unit}"}
    return agent.call("fence", order, epoch=1)


@pytest.mark.parametrize(
    ("place", "held"), [(PLACES[0], f"systemd:{UNIT}"), (PLACES[1], "guard")], ids=["mask", "guard"]
)
def test_a_unit_that_systemd_would_restart_stays_down_until_it_is_let_go(
    host: Machine, agent: AgentProcess, place: str, held: str
) -> None:
    started(host, place, "on-failure")
    before, proof = starts(host), fenced(agent)
    assert (proof["proven"], proof["hold"]["how"], proof["hold"]["ok"]) == (True, held, True), proof
    assert len(proof["killed"]) == 1
    host.run("systemctl", "start", UNIT, check=False)  # by a person who does not know of it
    time.sleep(SEVERAL_RESTARTS)
    assert starts(host) == before
    released = agent.call("release", {"server": "db1"}, epoch=1)
    assert released["released"], released
    eventually(lambda: starts(host), lambda now: now > before, "the mysqld that was let go")


def test_a_unit_of_any_name_stays_held_when_its_dead_mysqld_is_fenced_again(host: Machine, agent: AgentProcess) -> None:
    started(host, PLACES[0], "on-failure", OWN_UNIT)
    before = starts(host, OWN_UNIT)
    for _ in range(2):  # the second is that of a manager that took the operation over
        proof = fenced(agent, OWN_UNIT)
        assert (proof["proven"], proof["hold"]["how"]) == (True, f"systemd:{OWN_UNIT}"), proof
    released = agent.call("release", {"server": "db1"}, epoch=1)
    assert (released["released"], released["started"]) == (True, True), released
    eventually(lambda: starts(host, OWN_UNIT), lambda now: now > before, "the mysqld that was let go")


def tried(agent: AgentProcess, unit: str) -> list[dict[str, str]]:
    """What is said of a unit; nothing before the door is open."""
    found: list[dict[str, str]] = agent.call("agent_check", {"server": "db1", "unit": unit})["settings"]
    return found


@pytest.mark.parametrize(
    ("unit", "why"),
    [("mysql-typed-wrong.service", "knows no unit"), ("mysql-other.service", "is not that of the mysqld")],
)
def test_a_unit_that_does_not_run_this_mysqld_is_named_and_not_relied_on(
    host: Machine, agent: AgentProcess, unit: str, why: str
) -> None:
    host.write(f"{PLACES[0]}/mysql-other.service", "[Service]\nExecStart=/bin/true\n")
    started(host, PLACES[0], "on-failure")
    agent.call("remember", FACTS)
    for name, wrong in ((UNIT, ""), (unit, why)):
        (found,) = eventually(lambda name=name: tried(agent, name), bool, "the door's word")  # type: ignore[misc]
        assert (wrong in found["why"], not found["why"]) == (True, not wrong)
    proof = fenced(agent, unit)
    assert (proof["proven"], proof["hold"]["how"], why in proof["hold"]["problem"]) == (True, "guard", True), proof
    before = starts(host)
    time.sleep(SEVERAL_RESTARTS)
    assert starts(host) == before
    assert agent.call("release", {"server": "db1"}, epoch=1)["released"]


def test_a_unit_that_nobody_restarts_stays_down_when_it_is_let_go(host: Machine, agent: AgentProcess) -> None:
    started(host, PLACES[0], "no")
    before = starts(host)
    assert fenced(agent)["proven"]
    assert agent.call("release", {"server": "db1"}, epoch=1)["started"] is False
    assert starts(host) == before
    host.run("systemctl", "start", UNIT)
    eventually(lambda: starts(host), lambda now: now > before, "the mysqld that a person starts")
