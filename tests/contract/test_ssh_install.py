"""Installing the agent over a real sshd on a host with accounts of its own, as root and through sudo."""

from __future__ import annotations

import hashlib
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from failoverd.drivers.ssh.access import ZIPAPP, Account, AgentAccess
from failoverd.drivers.ssh.install import Order, install
from failoverd.drivers.ssh.zipapp import shipped
from failoverd.model.sight import Endpoint
from tests.contract.ssh_server import SshServer

AGENT, INSTALLER = 29871, 29872


class Host:
    """An sshd that sees passwd, group, shadow and sudoers of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = SshServer(folder / "sshd")
        self.dir = folder / "opt" / "failoverd-agent"
        self.home = folder / "home"
        for name, uid in (("root", 0), ("failoverd-agent", AGENT), ("installer", INSTALLER)):
            (self.home / name / ".ssh").mkdir(parents=True)
            for path in (self.home / name, self.home / name / ".ssh"):
                shutil.chown(path, uid, uid)
        self._write("passwd", "root", "failoverd-agent", "installer")
        (folder / "group").write_text(f"root:x:0:\nagents:x:{AGENT}:\ninstallers:x:{INSTALLER}:\n")
        (folder / "shadow").write_text("root:*:20000::::::\nfailoverd-agent:*:20000::::::\ninstaller:*:20000::::::\n")
        (folder / "sudoers").write_text("Defaults !syslog\ninstaller ALL=(root) NOPASSWD: ALL\n")
        (folder / "sudoers").chmod(0o440)
        binds = " && ".join(
            f"mount --bind {folder}/{name} /etc/{name}" for name in ("passwd", "group", "shadow", "sudoers")
        )
        self.server.before = ("unshare", "-m", "/bin/sh", "-c", f'{binds} && exec "$@"', "sh")
        self.server.free()
        self.agent_key = folder / "sshd" / "other"
        (folder / "sshd" / "authorized_keys").write_text("")
        for name in ("root", "installer"):
            shutil.copy(folder / "sshd" / "client.pub", self.home / name / ".ssh" / "authorized_keys")

    def _write(self, name: str, *accounts: str) -> None:
        ids = {"root": 0, "failoverd-agent": AGENT, "installer": INSTALLER}
        lines = [f"{one}:x:{ids[one]}:{ids[one]}::{self.home}/{one}:/bin/sh" for one in accounts]
        lines.append("sshd:x:100:65534::/run/sshd:/usr/sbin/nologin")
        (self.folder / name).write_text("\n".join(lines) + "\n")

    def order(self, login: str = "root", **wish: bool) -> Order:
        """Install as that account, with everything else as the configuration would say."""
        ssh = self.server.access(user="failoverd-agent", key_file=self.agent_key)
        agent = AgentAccess("shop", "db1", ssh, Endpoint("127.0.0.1", 1), Account("u", "p"), str(self.dir))
        return Order(agent, self.server.access(user=login), **wish)

    def keys(self) -> str:
        """The agent account's authorized_keys."""
        path = self.home / "failoverd-agent" / ".ssh" / "authorized_keys"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def host() -> Iterator[Host]:
    folder = Path(tempfile.mkdtemp(prefix="failoverd-install-"))
    folder.chmod(0o755)  # the agent's account must come through
    made = Host(folder)
    made.server.start()
    yield made
    made.server.stop()
    shutil.rmtree(folder)


@pytest.mark.parametrize("login", ["root", "installer"])
def test_an_install_puts_the_agent_and_it_answers(host: Host, login: str) -> None:
    zipapp, sha256 = shipped()
    told = install(host.order(login, write_key=True), zipapp, sha256)
    assert told["outcome"] == "done", told
    assert "answers as failoverd-agent" in str(told["detail"])
    assert "sudoers" in str(told["detail"])  # this host has no rule for it yet
    there = host.dir / ZIPAPP
    assert hashlib.sha256(there.read_bytes()).hexdigest() == sha256
    assert (there.stat().st_uid, stat.S_IMODE(there.stat().st_mode)) == (0, 0o755)
    state = (host.dir / "state").stat()
    assert (state.st_uid, stat.S_IMODE(state.st_mode)) == (AGENT, 0o700)
    assert host.keys().strip() == told["key_line"]
    assert str(told["key_line"]).startswith('restrict,command="/usr/bin/python3 -I -S ')
    assert str(told["sudoers_line"]).endswith(f"{host.dir}/{ZIPAPP} door")
    path = host.home / "failoverd-agent" / ".ssh" / "authorized_keys"
    assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (AGENT, 0o600)


def test_an_install_repeated_changes_nothing(host: Host) -> None:
    zipapp, sha256 = shipped()
    first = install(host.order(write_key=True), zipapp, sha256)
    before = ((host.dir / ZIPAPP).stat().st_ino, host.keys())
    second = install(host.order(write_key=True), zipapp, sha256)
    assert (first["outcome"], second["outcome"]) == ("done", "already")
    assert ((host.dir / ZIPAPP).stat().st_ino, host.keys()) == before


def test_without_leave_to_write_the_key_line_is_only_told(host: Host) -> None:
    told = install(host.order(), *shipped())
    assert told["outcome"] == "done"
    assert "cannot log in yet" in str(told["detail"])
    assert host.keys() == ""
    assert "ssh-ed25519" in str(told["key_line"])


def test_another_version_stays_until_an_upgrade_is_asked_for(host: Host) -> None:
    host.dir.mkdir(parents=True)
    (host.dir / ZIPAPP).write_bytes(b"an older one")
    told = install(host.order(write_key=True), *shipped())
    assert told["outcome"] == "failed"
    assert "--upgrade" in str(told["detail"])
    assert (host.dir / ZIPAPP).read_bytes() == b"an older one"
    assert host.keys() == ""
    assert install(host.order(write_key=True, upgrade=True), *shipped())["outcome"] == "done"


def test_a_link_laid_by_the_agents_account_is_not_followed_as_root(host: Host) -> None:
    aim = host.folder / "precious"
    aim.write_text("")
    aim.chmod(0o644)
    (host.home / "failoverd-agent" / ".ssh" / "authorized_keys").symlink_to(aim)
    told = install(host.order(write_key=True), *shipped())
    assert told["outcome"] == "failed"
    assert aim.read_text() == ""


def test_what_is_wrong_is_said(host: Host) -> None:
    order = host.order()
    stranger = replace(order, agent=replace(order.agent, ssh=replace(order.agent.ssh, user="nobody-here")))
    told = install(stranger, *shipped())
    assert told["outcome"] == "failed"
    assert "nobody-here" in str(told["detail"])
    refused = install(replace(order, login=replace(order.login, key_file=host.agent_key)), *shipped())
    assert refused["outcome"] == "failed"
    assert "refuses the login" in str(refused["detail"])
    damaged = install(order, b"not the zipapp", shipped()[1])
    assert damaged["outcome"] == "failed"
    assert "damaged" in str(damaged["detail"])
    assert not (host.dir / ZIPAPP).exists()
    assert not list(host.dir.glob(".new*"))
