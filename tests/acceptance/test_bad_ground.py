"""A manager on bad ground: state that is damaged, folders without room, a port that is taken. It says what is wrong and
what to do, nobody acts on a guess, no server is changed, and when the ground is mended it goes on by itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from failoverd.lab import Lab, Options
from failoverd.lab.managers import Managers, armed
from tests.acceptance.rehearsal import PATIENCE, eventually

LISTENER = """
import socket, time
listener = socket.create_server(("127.0.0.1", 8008))
print("listens", flush=True)
time.sleep(600)
"""
RUBBISH = b'{"v": \x00 rubbish'


@dataclass(frozen=True)
class Ground:
    """The manager's host: its folders, and its log."""

    lab: Lab
    managers: Managers

    @property
    def state(self) -> Path:
        return self.lab.folder / "mgr1/state"

    @property
    def run(self) -> Path:
        return self.lab.folder / "mgr1/run"

    def said(self, event: str) -> list[dict[str, Any]]:
        """The lines of the log with that event."""
        lines = self.managers.log("mgr1").read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in found if line["event"] == event]

    def active(self) -> bool:
        """Whether the manager says of itself that it is active."""
        return self.managers.kept("mgr1").get("active_manager") == "mgr1"


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    lab = Lab.up(Options(name=f"t{os.getpid()}-ground", replicas=1, zookeepers=0, managers=1))
    try:
        one = Ground(lab, Managers(lab, at="mgr1"))
        one.managers.start("mgr1")
        one.managers.wait_ready(standbys=0, timeout=PATIENCE)
        one.managers.command("pause", "shop", "--server", "db2", "--reason", "disk", "--yes")
        one.managers.stop()
        yield one
    finally:
        lab.down()


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """A file whose content nobody understands."""
    kept = path.read_bytes()
    path.write_bytes(RUBBISH)
    try:
        yield
    finally:
        path.write_bytes(kept)


@contextmanager
def without_room(folder: Path) -> Iterator[None]:
    """A folder in which no file can be made."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=1", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def taken_port(ground: Ground) -> Iterator[None]:
    """Another program listens where the manager would."""
    process = ground.lab.run_in("mgr1", [sys.executable, "-c", LISTENER], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"listens\n"
        yield
    finally:
        process.kill()
        process.wait(timeout=10)


@dataclass(frozen=True)
class Row:
    """What is wrong, the event of the log that tells it with these words, and whether the manager acts all the same."""

    name: str
    wrong: Callable[[Ground], AbstractContextManager[None]]
    event: str
    words: tuple[str, ...]
    acts: bool


ROWS = (
    Row("the epoch", lambda g: damaged(g.state / "shop.epoch"), "nobody acts", ("the epoch is", "init --adopt"), False),
    Row(
        "the primary",
        lambda g: damaged(g.state / "shop.primary"),
        "nobody acts",
        ("shop.primary cannot", "move"),
        False,
    ),
    Row("a pause", lambda g: damaged(g.state / "shop.paused@db2"), "nobody acts", ("shop.paused@db2", "move"), False),
    Row(
        "a full state folder", lambda g: without_room(g.state), "nobody acts", ("No space", "manager.state_dir"), False
    ),
    Row("the status", lambda g: damaged(g.state / "shop.status"), "lock won", (), True),
    Row("a full run folder", lambda g: without_room(g.run), "status not kept on this host", ("No space",), True),
    Row("a port in use", taken_port, "no HTTP", ("in use", "manager.listen"), True),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_is_wrong_is_said_and_mended_ground_is_gone_on_with(ground: Ground, row: Row) -> None:
    ground.managers.log("mgr1").write_text("")
    (ground.run / "shop/status.json").unlink(missing_ok=True)
    servers = ("db1", "db2")
    look = "SELECT @@read_only, @@super_read_only, @@GLOBAL.gtid_executed"
    before = [ground.lab.sql(server, look) for server in servers]
    try:
        with row.wrong(ground):
            process = ground.managers.start("mgr1")
            (line, *more) = eventually(lambda: ground.said(row.event), bool, f"the event {row.event}")
            assert all(word in json.dumps(line) for word in row.words), line
            eventually(lambda: ground.said("first look done"), bool, "a look")
            assert bool(ground.said("lock won")) is row.acts
            assert (more, process.poll()) == ([], None)
        eventually(ground.active, bool, "an active manager")
        ground.managers.wait_for("a cluster that is armed", lambda status: armed(status, 0), PATIENCE)
        assert [ground.lab.sql(server, look) for server in servers] == before
    finally:
        ground.managers.stop()
