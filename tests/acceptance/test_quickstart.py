"""The quickstart, typed: its blocks in their order, on three database hosts and a manager's host of a lab."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from failoverd.lab import Lab
from failoverd.lab.layout import NETNS_FILES
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import PATIENCE, eventually, executed, inside, writable
from tests.house.pages import Block, blocks

FOUND_BEFORE_THE_START = frozenset({"no-manager", "local-coordination", "slow-heartbeat"})  # the page says so
AGENT = "/var/lib/failoverd-agent"
BY_NAME = "STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'db1'; START REPLICA"
# What the package leaves on a manager's host, laid over this machine's files for this host alone.
PREPARE = """
set -eu
mount -t tmpfs tmpfs "$1"
for place in etc var/lib run; do
    mkdir -p "$1/up/$place" "$1/work/$place"
    mount -t overlay overlay -o "lowerdir=/$place,upperdir=$1/up/$place,workdir=$1/work/$place" "/$place"
done
cp "$2" /etc/hosts
grep -q ^failoverd: /etc/passwd || useradd --system --no-create-home --home-dir /var/lib/failoverd failoverd
install -d -o root -g failoverd -m 0750 /etc/failoverd
install -d -o failoverd -g failoverd -m 0750 /var/lib/failoverd /run/failoverd
echo prepared
exec sleep 86400
"""


class ManagersHost:
    """A host of a lab with files of its own, on which the packages were installed."""

    def __init__(self, process: subprocess.Popen[bytes], home: Path) -> None:
        self._into = ["nsenter", "--target", str(process.pid), "--net", "--mount", "--"]
        self.environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(home)}

    def typed(self, text: str) -> str:
        """What a shell prints that is given this text; it must end well."""
        argv = [*self._into, "sh", "-eu"]
        done = subprocess.run(
            argv, input=text, capture_output=True, text=True, timeout=PATIENCE, check=False, env=self.environment
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        """A command that stays."""
        return subprocess.Popen([*self._into, *words], stdin=subprocess.DEVNULL, env=self.environment)


@contextmanager
def managers_host(lab: Lab, folder: Path) -> Iterator[ManagersHost]:
    """mgr1; root's key there opens root's login on the database hosts."""
    for name in ("files", "home/.ssh"):
        (folder / name).mkdir(parents=True)
    shutil.copy(lab.folder / "keys/install_ed25519", folder / "home/.ssh/id_ed25519")
    host = lab.hosts["mgr1"]
    names = f"{NETNS_FILES}/{host.namespace}/hosts"
    own = ("unshare", "--mount", "--propagation", "private", "sh", "-c", PREPARE, "sh", str(folder / "files"), names)
    process = lab.run_in("mgr1", own, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"prepared\n"
        yield ManagersHost(process, folder / "home")
    finally:
        process.kill()
        process.wait(timeout=10)


def everywhere(lab: Lab, statement: str) -> None:
    """Run it on the primary, and wait for the replicas."""
    lab.sql("db1", statement)
    wanted = executed(lab, "db1")
    for server in lab.servers:
        eventually(lambda server=server: inside(lab, server, wanted), bool, f"{server} after {statement}")  # type: ignore[misc]


def without_failoverd(lab: Lab) -> None:
    """As the servers are on the first day: no account of the manager's, an agent's package and nobody's key. Replicas
    follow the primary by its name.
    """
    everywhere(lab, "DROP USER 'failoverd'@'%'")
    for server in lab.servers[1:]:
        lab.sql(server, BY_NAME)
    for server in lab.servers:
        host = lab.hosts[server]
        rules = f"changed=$(sed 's#{host.agent_dir}#{AGENT}#' /etc/sudoers); echo \"$changed\" > /etc/sudoers"
        keys = f": > {host.folder}/home/failoverd-agent/.ssh/authorized_keys"
        done = lab.call_in(server, ["sh", "-euc", f"mount -t tmpfs -o mode=755 tmpfs /var/lib; {rules}; {keys}"])
        assert done.returncode == 0, done.stderr


def filled(lab: Lab, text: str) -> str:
    """What a person types: passwords for the words that stand for them."""
    for user in ("failoverd", "repl"):
        text = text.replace(f"the password of {user}", lab.password(user))
    return text


def checked(host: ManagersHost, text: str) -> None:
    """A check finds what the page says; on a busy machine the first answer may come too late to be one."""

    def found() -> frozenset[str]:
        told = json.loads(host.typed(f"{text.strip()} --json || test $? = 1"))["findings"]
        return frozenset(one["id"] for one in told if one["severity"] != "ok")

    wanted = frozenset() if "agent" in text else FOUND_BEFORE_THE_START
    eventually(found, lambda ids: ids == wanted, text)


def carried_out(lab: Lab, host: ManagersHost, told: list[Block]) -> None:
    """Every block where it belongs; what prints statements has them run on the primary, as the page says."""
    for block in told:
        text = filled(lab, block.text)
        if block.mark == "lab":
            assert block.places == ("db1",)
            everywhere(lab, text.strip())
        elif "--grants" in text:
            printed = host.typed(f"{text.strip()} || test $? = 1")  # what is missing is a finding
            for statement in re.findall(r"^GRANT .*;$", printed, re.MULTILINE):
                everywhere(lab, statement)
        elif "check shop" in text:
            checked(host, text)
        else:
            host.typed(text)


def test_the_quickstart_leads_to_a_watched_cluster_that_switches_over(lab: LabFactory, tmp_path: Path) -> None:
    one = lab(managers=1, zookeepers=0)
    without_failoverd(one)
    told = [block for block in blocks("quickstart.md") if block.mark == "lab" or block.places == ("manager",)]
    watched = next(number for number, block in enumerate(told) if "failoverd status" in block.text)
    with managers_host(one, tmp_path) as host:
        carried_out(one, host, told[:watched])
        manager = host.begin("failoverd", "run")
        try:
            carried_out(one, host, told[watched:])
        finally:
            manager.terminate()
            assert manager.wait(timeout=15) == 0
    assert writable(one) == ("db1",)
