"""Fencing real servers: also against a supervisor that starts mysqld again 100 ms after its death."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from failoverd.agent.build import build
from failoverd.agent.faults import UNKNOWN
from failoverd.agent.processes import argv_of, state_of
from tests.acceptance.agent_process import AgentProcess, AgentRefused
from tests.acceptance.real_mysqld import RealMysqld

SERVER_UID = 64901
AGENT_UID = 64902
"""Accounts of the test's own; they get names only inside the agent's mount namespace."""

PRIVATE = """
mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/group" /etc/group && mount --bind "$1/shadow" /etc/shadow &&
mount --bind "$1/sudoers" /etc/sudoers && shift &&
exec setpriv --reuid=64902 --regid=64902 --groups=64901 env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
"""


class Ground:
    """A folder with the zipapp and a data directory to copy, and the files of a host with two accounts and one rule."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="failoverd-fence-", dir="/dev/shm"))
        self.folder.chmod(0o755)
        self.program = self.folder / "agent.pyz"
        build(self.program)
        RealMysqld(self.folder / "template", 9).initialise()
        names = {"root": 0, "lab-mysql": SERVER_UID, "lab-agent": AGENT_UID}
        self._write("passwd", "".join(f"{name}:x:{uid}:{uid}::/:/bin/sh\n" for name, uid in names.items()))
        self._write("group", "".join(f"{name}:x:{uid}:\n" for name, uid in names.items()))
        self._write("shadow", "".join(f"{name}:*:19000:0:99999:7:::\n" for name in names))
        door = f"/usr/bin/python3 -I -S {self.program} door"
        rules = "Defaults use_pty\nroot ALL=(ALL) ALL\n"
        self.rules = {False: f"{rules}lab-agent ALL=(root) NOPASSWD: {door}\n", True: rules}
        self._write("sudoers", rules)
        (self.folder / "sudoers").chmod(0o440)

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def as_agent(self, shut: bool = False) -> tuple[str, ...]:
        """A command prefix: the agent's account, on a host where only this test's sudo rule exists (or no rule)."""
        (self.folder / "sudoers").write_text(self.rules[shut])
        return ("unshare", "--mount", "--propagation", "private", "sh", "-ec", PRIVATE, "host", str(self.folder))


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    ground = Ground()
    yield ground
    shutil.rmtree(ground.folder)


class Host:
    """A server under a supervisor, and an agent of an account that may do nothing but use the door."""

    def __init__(self, ground: Ground, supervised: bool) -> None:
        self.ground = ground
        self.home = Path(tempfile.mkdtemp(dir=ground.folder))
        self.home.chmod(0o755)
        self.server = RealMysqld(self.home / "db1", 1, uid=SERVER_UID)
        self.server.initialise(ground.folder / "template/data")
        self.supervisor: subprocess.Popen[bytes] | None = None
        self.server.start()
        self.facts = self.server.facts("db1")
        self.uuid = str(self.facts["server_uuid"])
        if supervised:
            self.server.kill()
            self._supervise()
        self.agents: list[AgentProcess] = []
        self.agent_folder = self.home / "agent"
        self.agent_folder.mkdir()
        os.chown(self.agent_folder, AGENT_UID, AGENT_UID)
        self.agent = self.open_agent()
        self.agent.call("remember", self.facts)

    def _supervise(self) -> None:
        command = " ".join(f"'{word}'" for word in self.server.command())
        loop = f"while :; do {command} >/dev/null 2>&1; sleep 0.1; done"
        self.supervisor = subprocess.Popen(["sh", "-c", loop], start_new_session=True)
        self.server.wait_answering()

    def open_agent(self) -> AgentProcess:
        """Connect once more."""
        agent = AgentProcess(self.ground.program, self.agent_folder, self.ground.as_agent())
        self.agents.append(agent)
        return agent

    def fence(self, epoch: int = 1, **other: Any) -> dict[str, Any]:
        args = {"server": "db1", "server_uuid": self.uuid, "operation": "op-1", **other}
        return self.agent.call("fence", args, epoch=epoch)

    def mysqld(self) -> dict[str, Any]:
        return dict(self.agent.call("facts", {"server": "db1"})["mysqld"])

    def close(self) -> None:
        if self.supervisor is not None:
            os.killpg(self.supervisor.pid, signal.SIGKILL)
            self.supervisor.wait()
        self.server.kill()
        agent = self.open_agent()
        agent.call("release", {"server": "db1"}, epoch=1_000_000)
        for one in self.agents:
            if one.process.poll() is None:
                one.close()


@pytest.fixture(params=[False, True], ids=["alone", "supervised"])
def host(request: pytest.FixtureRequest, ground: Ground) -> Iterator[Host]:
    host = Host(ground, request.param)
    try:
        yield host
    finally:
        host.close()


@pytest.fixture
def supervised(ground: Ground) -> Iterator[Host]:
    host = Host(ground, supervised=True)
    try:
        yield host
    finally:
        host.close()


def stays_away(host: Host, seconds: float) -> bool:
    """Whether nobody gets an answer from the server for this long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            host.server.connect()
        except Exception:  # noqa: BLE001 - any failure is the wanted one
            time.sleep(0.02)
            continue
        return False
    return True


def comes_back(host: Host) -> bool:
    host.server.wait_answering(20)
    return host.mysqld()["alive"] is True


def test_the_door_is_one_sudo_rule_and_enough(host: Host) -> None:
    assert host.agent.hello["door"] == "ok" or host.agent.hello["door"].startswith(UNKNOWN)
    assert host.agent.hello["user"] == "lab-agent"
    check = checked(host)
    assert check["ok"], check
    assert {one["right"] for one in check["rights"]} >= {"kill", "see", "door", "ask for the lock"}


def checked(host: Host) -> Mapping[str, Any]:
    """What it says of its rights, once sudo has answered: a busy machine may take longer than it waits."""
    until = time.monotonic() + 10
    while True:
        check = host.agent.call("agent_check", {"server": "db1"})
        if time.monotonic() > until or not any(one["why"].startswith(UNKNOWN) for one in check["rights"]):
            return dict(check)


def test_a_fenced_server_is_dead_and_stays_dead(host: Host) -> None:
    alive = host.mysqld()
    assert alive["alive"]
    assert alive["how"] == "lock"
    fenced = host.fence()
    assert fenced["proven"], fenced
    assert fenced["killed"][0] == alive["pids"][0]
    assert fenced["hold"]["how"] == "guard"
    assert fenced["keep"]["files"] >= 1
    assert fenced["keep"]["problem"] == ""
    assert stays_away(host, 2.0)
    facts = host.agent.call("facts", {"server": "db1"})
    assert facts["fenced"]["guarded"]
    assert facts["fenced"]["epoch"] == 1
    assert list((host.server.datadir / "#failoverd_kept/op-1").glob("binlog.0*"))


def test_the_fence_outlives_the_connection_and_ends_with_its_release(supervised: Host) -> None:
    host = supervised
    guard = host.fence()["hold"]["pid"]
    host.agent.close()
    assert stays_away(host, 1.0)
    host.agent = host.open_agent()
    assert host.agent.call("facts", {"server": "db1"})["fenced"]["guard"] == guard
    with pytest.raises(AgentRefused) as refused:
        host.agent.call("release", {"server": "db1"}, epoch=0)
    assert refused.value.code == "STALE_EPOCH"
    assert host.agent.call("release", {"server": "db1"}, epoch=2)["released"]
    # its parent is gone, so it may wait as a zombie for whoever reaps on this machine
    assert state_of(guard) is None
    assert comes_back(host)
    assert host.agent.call("facts", {"server": "db1"})["fenced"] is None


def test_a_dead_guard_is_replaced_by_the_next_agent(supervised: Host) -> None:
    host = supervised
    guard = host.fence()["hold"]["pid"]
    os.kill(guard, signal.SIGKILL)
    host.agent = host.open_agent()
    deadline = time.monotonic() + 10
    while True:
        mark = host.agent.call("facts", {"server": "db1"})["fenced"]
        if mark["guarded"] and mark["guard"] != guard:
            break
        assert time.monotonic() < deadline, mark
        time.sleep(0.05)
    time.sleep(0.3)
    assert stays_away(host, 1.5)


def test_without_a_hold_the_supervisor_wins(supervised: Host) -> None:
    """What the guard is for: the same fence without it, and the server is back."""
    host = supervised
    host.fence(hold="none")
    assert comes_back(host)


def test_a_foreign_uuid_kills_nobody(host: Host) -> None:
    other = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
    with pytest.raises(AgentRefused) as refused:
        host.fence(server_uuid=other)
    assert refused.value.code == "NOT_FOUND"
    assert host.mysqld()["alive"]
    assert host.agent.call("facts", {"server": "db1"})["fenced"] is None


def test_a_stopped_server_is_fenced_too(supervised: Host) -> None:
    host = supervised
    pid = host.mysqld()["pids"][0]
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + 10
    while host.mysqld()["state"] != "T":
        assert time.monotonic() < deadline
    fenced = host.fence()
    assert fenced["proven"], fenced
    assert pid in fenced["killed"]


def test_where_systemd_is_missing_the_guard_stands_in_and_why_is_told(host: Host) -> None:
    if Path("/run/systemd/system").exists():
        pytest.fail("this test is for a machine that systemd does not run")
    fenced = host.fence(hold="systemd:mysql.service")
    assert fenced["proven"]
    assert fenced["hold"]["how"] == "guard"
    assert "systemd does not run on this host" in fenced["hold"]["problem"]
    assert host.agent.call("release", {"server": "db1"}, epoch=9)["started"] is False


def test_a_file_that_the_configuration_names_is_looked_for(host: Host) -> None:
    for path, why in (
        (host.server.datadir / "auto.cnf", ""),
        (host.home / "ca.pem", "No such file"),
        (host.home, "is not a file"),
    ):
        check = host.agent.call("agent_check", {"server": "db1", "ca_file": str(path)})
        (found,) = check["settings"]
        assert (found["key"], why in found["why"], not found["why"]) == ("replication.ca_file", True, not why)


def test_a_stale_manager_changes_nothing(host: Host) -> None:
    host.agent.call("raise_epoch", {}, epoch=9)
    with pytest.raises(AgentRefused) as refused:
        host.fence(epoch=8)
    assert refused.value.code == "STALE_EPOCH"
    assert host.mysqld()["alive"]
    assert host.agent.call("epoch", {})["epoch"] == 9


def test_a_mark_from_before_the_last_boot_holds_nobody(supervised: Host) -> None:
    """Who started mysqld after a reboot may have meant it: a manager decides, not an old mark."""
    host = supervised
    guard = host.fence()["hold"]["pid"]
    path = host.agent_folder / "state/shop.db1.fenced"
    mark = json.loads(path.read_text())
    path.unlink()
    assert comes_back(host)
    assert state_of(guard) is None
    path.write_text(json.dumps({**mark, "boot": "an earlier one"}))
    host.agent = host.open_agent()
    facts = host.agent.call("facts", {"server": "db1"})
    assert facts["mysqld"]["alive"]
    assert not facts["fenced"]["guarded"]
    time.sleep(0.5)
    assert host.mysqld()["pids"] == facts["mysqld"]["pids"]


def test_files_put_through_the_door_belong_to_mysqld(host: Host, ground: Ground) -> None:
    host.server.rows("CREATE DATABASE IF NOT EXISTS t", "CREATE TABLE t.a (v LONGBLOB)")
    for _ in range(3):
        host.server.rows("INSERT INTO t.a VALUES (REPEAT(RANDOM_BYTES(1024), 2048))")
    wanted = host.server.executed()
    sent = host.agent.call("extract", {"server": "db1", "kind": "binary", "wanted": wanted})
    put = host.agent.call("put", {"server": "db1"}, epoch=1, raw=sent["raw"], deadline=30)
    assert put["gtids"] == wanted
    for path in host.server.datadir.glob("relay-fo_recover*"):
        assert path.stat().st_uid == SERVER_UID
        assert path.stat().st_mode & 0o777 == 0o640
    assert len(host.agent.call("splice_clean", {"server": "db1"}, epoch=1)["removed"]) == 2


def test_a_datadir_that_only_the_door_can_see(host: Host) -> None:
    """A mysqld that is told its data directory by an option file shows it in its working directory alone."""
    host.agent.call("fence", {"server": "db1", "server_uuid": host.uuid, "operation": "op", "hold": "none"}, epoch=1)
    if host.supervisor is not None:
        os.killpg(host.supervisor.pid, signal.SIGKILL)
        host.supervisor.wait()
        host.supervisor = None
        host.fence(hold="none")
    host.server.kill()
    host.agent.call("release", {"server": "db1"}, epoch=1)
    become = ["setpriv", f"--reuid={SERVER_UID}", f"--regid={SERVER_UID}", "--clear-groups"]
    # a program by mysqld's name that opens nothing: only its working directory tells where it belongs
    words = [*become, "bash", "-c", "exec -a /usr/sbin/mysqld sleep 60"]
    lookalike = subprocess.Popen(words, cwd=host.server.datadir)
    elsewhere = subprocess.Popen(words, cwd="/")
    try:
        deadline = time.monotonic() + 10
        while host.mysqld()["pids"] != [lookalike.pid]:
            assert time.monotonic() < deadline, host.mysqld()
            time.sleep(0.02)
        assert host.mysqld()["how"] == "process"
        assert host.fence(hold="none")["killed"] == [lookalike.pid]
        assert elsewhere.poll() is None
    finally:
        for one in (lookalike, elsewhere):
            one.kill()
            one.wait()


def test_a_door_that_died_is_opened_again(host: Host) -> None:
    for _ in range(2):
        assert checked(host)["ok"]
        children = Path(f"/proc/{host.agent.process.pid}/task/{host.agent.process.pid}/children").read_text().split()
        assert children
        for child in children:
            os.kill(int(child), signal.SIGKILL)
            wait_until(partial(is_gone, int(child)))


def test_a_shut_door_is_said_at_once_and_proves_nothing(host: Host, ground: Ground) -> None:
    shut = AgentProcess(ground.program, host.agent_folder, ground.as_agent(shut=True))
    host.agents.append(shut)
    assert shut.hello["door"].startswith("missing: sudo")
    check = shut.call("agent_check", {"server": "db1"})
    assert [one["right"] for one in check["rights"] if one["why"]] == ["door"]
    with pytest.raises(AgentRefused) as refused:
        shut.call("fence", {"server": "db1", "server_uuid": host.uuid, "operation": "op"}, epoch=1)
    assert refused.value.code == "DOOR"
    facts = shut.call("facts", {"server": "db1"})
    assert facts["mysqld"]["alive"]
    assert not facts["fenced"]["proven"]


def test_a_server_in_another_container_lives_and_cannot_be_proven_dead(host: Host, ground: Ground) -> None:
    """Its lock has a holder that we cannot see: alive, and a fence says that it proved nothing."""
    folder = host.home / "inside"
    inside = AgentProcess(ground.program, folder, ("unshare", "--pid", "--fork", "--mount-proc"))
    host.agents.append(inside)
    inside.call("remember", host.facts)
    assert inside.call("facts", {"server": "db1"})["mysqld"] == {"alive": True, "pids": [], "state": "", "how": "lock"}
    args = {"server": "db1", "server_uuid": host.uuid, "operation": "op", "hold": "none"}
    fenced = inside.call("fence", args, epoch=1, deadline=5.0)
    assert not fenced["proven"]
    assert fenced["left"] == [0]
    assert host.mysqld()["alive"]


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    return state_of(pid) is None


def ended(host: Host) -> tuple[int, list[bytes] | None]:
    """Let its mysqld end in good order, as after a clone; which one that was, and its command line."""
    (pid,) = host.mysqld()["pids"]
    words = argv_of(pid)
    os.kill(pid, signal.SIGTERM)
    if host.server.process is not None:
        host.server.process.wait(30)
    wait_until(partial(is_gone, pid))
    return pid, words


def test_a_mysqld_that_ends_is_started_once_as_it_was_whoever_asked_is_gone(host: Host) -> None:
    host.agent.call("stand_in", {"server": "db1", "server_uuid": host.uuid}, epoch=1)
    host.agent.close()
    host.agent = host.open_agent()
    copied = host.server.datadir / "mysql.ibd.#clone"
    copied.touch()
    before, words = ended(host)
    try:
        assert comes_back(host)
        (after,) = host.mysqld()["pids"]
        assert after != before
        assert argv_of(after) == words
        assert os.stat(f"/proc/{after}").st_uid == SERVER_UID
        if host.supervisor is None:
            ended(host)
            until = time.monotonic() + 30
            while host.mysqld()["alive"] and time.monotonic() < until:
                time.sleep(0.1)
            assert stays_away(host, 5.0), "once is enough"
    finally:
        for pid in host.mysqld()["pids"]:
            if host.supervisor is None:
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("fenced", [True, False], ids=["fenced", "nothing copied"])
def test_nobody_stands_in_where_it_is_held_or_was_ended_by_people(ground: Ground, fenced: bool) -> None:
    host = Host(ground, supervised=False)
    try:
        host.agent.call("stand_in", {"server": "db1", "server_uuid": host.uuid}, epoch=1)
        if fenced:
            (host.server.datadir / "mysql.ibd.#clone").touch()
            host.fence(epoch=2)
        else:
            ended(host)
        assert stays_away(host, 5.0)
    finally:
        host.close()
