"""Drills on a cluster that is not made for them: its agents break it, and mend it whoever has died meanwhile."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from failoverd.lab.processes import state
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import PATIENCE, Rehearsal, eventually, rehearsal

pytestmark = pytest.mark.timeout(420)

BOOK = """\
title: A server is broken for a while
about: A rehearsal on a cluster that serves people.
on: shop
needs: [healthy, standby, agents, two-replicas]
blast_radius: [primary, replica]
probe: {every: 20ms}
steps:
  - wait: writes
  - {fault: freeze, at: replica, lasts: 6s}
  - wait: 300s
expect:
  - lost_rows: 0
"""


def allowed(play: Rehearsal) -> None:
    """The cluster allows drills, to a client of its own schema."""
    account = {"user": "app", "password_file": str(play.lab.folder / "keys/app.secret"), "database": "app"}
    drills = {"allowed": True, "faults": ["kill", "freeze", "cut"], **account}
    play.lab.configure({"clusters": {"shop": {"drills": drills}}})


def command(play: Rehearsal, folder: Path) -> list[str]:
    file = folder / "ours.yml"
    file.write_text(BOOK, encoding="utf-8")
    words = ["drill", "run", str(file), "--on", "shop", "--confirm", "shop", "--yes", "--json"]
    reports = ["--reports", str(folder / "reports")]
    return [sys.executable, "-m", "failoverd", "-c", str(play.lab.config_path), *words, *reports]


def stands(play: Rehearsal, server: str) -> bool:
    return state(play.lab.mysqld_pid(server)) == "T"


def killed(play: Rehearsal, folder: Path, broken: Callable[[], bool]) -> None:
    """The drill command is killed as soon as that holds; nothing that it broke stays broken."""
    with subprocess.Popen(command(play, folder), stderr=subprocess.PIPE) as process:
        try:
            eventually(broken, bool, "the moment to kill it", PATIENCE)
        finally:
            process.send_signal(signal.SIGKILL)
    eventually(lambda: stands(play, "db2"), lambda found: not found, "a mended db2", PATIENCE)
    play.managers.wait_for("a healthy cluster", lambda s: s["verdict"] == "healthy" and whole(s), PATIENCE)


def whole(status: object) -> bool:
    """Both replicas follow."""
    servers = status["servers"]  # type: ignore[index]
    return [s["receiver"] for s in servers if s["role"] == "replica"] == ["yes", "yes"]


def test_a_drill_that_is_killed_leaves_the_cluster_whole(lab: LabFactory, tmp_path: Path) -> None:
    with rehearsal(lab()) as play:
        allowed(play)
        for name in ("mgr1", "mgr2"):
            play.managers.start(name)
        play.managers.wait_ready(timeout=PATIENCE)
        table = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME = 'numbered'"
        killed(play, tmp_path, lambda: play.lab.sql("db1", table) == ((1,),))
        killed(play, tmp_path, lambda: stands(play, "db2"))
        assert play.operations() == []
