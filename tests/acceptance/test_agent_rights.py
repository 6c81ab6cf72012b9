"""`failoverd agent check` with each right of an agent taken away: exactly that one is named."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from failoverd.lab import Lab, Options, keeping
from failoverd.lab.managers import Managers
from tests.acceptance.rehearsal import eventually

# DATADIR, NEWEST (binary log) and SUDOERS stand for the host's files.
READ = "read {} logs in DATADIR"
READING = frozenset({"read the data directory", "ask for the lock", READ.format("binary"), READ.format("relay")})
DOOR = ("cp SUDOERS DATADIR/../rules; : > SUDOERS", "cat DATADIR/../rules > SUDOERS")


@dataclass(frozen=True)
class Row:
    """What takes a right away: a command that is undone by another one, or a capability that sshd's children lack."""

    name: str
    lacks: frozenset[str]
    take: str = ""
    give: str = ""
    capability: str = ""


ROWS = (
    Row("the sudo rule", frozenset({"door"}), *DOOR),
    Row("the group of mysqld", READING, *(f"chmod {mode} DATADIR" for mode in ("0700", "0750"))),
    Row("the lock's file", frozenset({"ask for the lock"}), *(f"chmod {m} DATADIR/ibdata1" for m in ("0600", "0640"))),
    Row("reading logs", frozenset({READ.format("binary")}), *(f"chmod {mode} NEWEST" for mode in ("0600", "0640"))),
    Row("writing beside logs", frozenset({"files in DATADIR"}), *(f"chattr {sign}i DATADIR" for sign in "+-")),
    Row("ending processes of others", frozenset({"kill"}), capability="kill"),
    Row("looking at processes of others", frozenset({"see"}), capability="sys_ptrace"),
    Row("addresses", frozenset({"add and delete an address"}), capability="net_admin"),
    Row("gratuitous ARP", frozenset({"send gratuitous ARP"}), capability="net_raw"),
)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    one = Lab.up(Options(name=f"t{os.getpid()}-rights", replicas=0, zookeepers=0, managers=0))
    try:
        network = one.layout.gateway.rpartition(".")[0]
        vip = {"address": f"{network}.200/24", "interface": "eth0"}
        one.configure({"clusters": {"shop": {"traffic": {"vip": vip}}}})
        yield one
    finally:
        one.down()


def lacking(lab: Lab) -> frozenset[str]:
    """The rights that are said to be missing."""
    done = Managers(lab).command("agent", "check", "shop", "--json")
    found = json.loads(done.stdout)["findings"]
    missing = [one["sentence"] for one in found if one["severity"] != "ok"]
    assert done.returncode == (1 if missing else 0)
    assert all(one["hint"] for one in found if one["severity"] != "ok")
    rights = [sentence.partition("lacks the right ")[2].partition(": ")[0] for sentence in missing]
    return frozenset(right or sentence for right, sentence in zip(rights, missing, strict=True))


@contextmanager
def taken(lab: Lab, row: Row, words: dict[str, str]) -> Iterator[None]:
    """Without that right."""
    host = lab.hosts["db1"]
    if row.capability:
        keeping.ask(host, "stop", service="sshd", signal=signal.SIGKILL)
        eventually(lambda: keeping.service_pid(host, "sshd"), lambda number: number == 0, "the end of sshd")
        pid = f"{host.folder}/walled.pid"
        sshd = f"/usr/sbin/sshd -f {host.folder}/sshd_config -o PidFile={pid}"
        run(lab, f"setpriv --bounding-set=-{row.capability} {sshd}", {})
        eventually(Path(pid).exists, bool, "sshd")
        try:
            yield
        finally:
            run(lab, f"kill $(cat {pid})", {})
            eventually(Path(pid).exists, lambda there: not there, "the end of the walled sshd")
            keeping.ask(host, "start", service="sshd")
        return
    run(lab, row.take, words)
    try:
        yield
    finally:
        run(lab, row.give, words)


def run(lab: Lab, command: str, words: dict[str, str]) -> None:
    for word, text in words.items():
        command = command.replace(word, text)
    done = lab.call_in("db1", ["sh", "-euc", command])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_right_that_is_missing_is_named(lab: Lab, row: Row) -> None:
    host = lab.hosts["db1"]
    ((newest,),) = (lab.sql("db1", "SHOW BINARY LOGS")[-1][:1],)
    words = {"DATADIR": str(host.datadir), "NEWEST": f"{host.datadir}/{newest}", "SUDOERS": "/etc/sudoers"}
    with taken(lab, row, words):
        wanted = frozenset(right.replace("DATADIR", str(host.datadir)) for right in row.lacks)
        eventually(lambda: lacking(lab), lambda missing: missing == wanted, f"only {sorted(wanted)} missing")


def test_with_every_right_nothing_is_missing(lab: Lab) -> None:
    eventually(lambda: lacking(lab), lambda missing: not missing, "every right")
