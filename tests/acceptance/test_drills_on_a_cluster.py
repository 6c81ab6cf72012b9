"""Drills on a cluster that is not made for them: its agents break it, and mend it whoever has died meanwhile."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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
probe: {{every: 20ms}}
steps:
  - wait: writes
  - {{fault: {fault}, lasts: 6s}}
  - wait: 300s
expect:
  - lost_rows: 0
"""
FROZEN = BOOK.format(fault="freeze, at: replica")
CUT = BOOK.format(fault="cut, at: replica, peer: everybody")
DRILLS = Path(__file__).parents[2] / "conf/drills"
TABLE = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME = 'numbered'"


def allowed(play: Rehearsal) -> None:
    """The cluster allows drills, to a client of its own schema."""
    account = {"user": "app", "password_file": str(play.lab.folder / "keys/app.secret"), "database": "app"}
    drills = {"allowed": True, "faults": ["kill", "freeze", "cut"], **account}
    play.lab.configure({"clusters": {"shop": {"drills": drills}}})


def patient(name: str) -> str:
    """A shipped runbook with limits for a machine that other tests run on: on real clusters nothing is stretched."""
    text = (DRILLS / f"{name}.yml").read_text(encoding="utf-8")
    return re.sub(r"\b(within|outage_below|outage_over): [0-9.]+m?s", r"\1: 90s", text)


def command(play: Rehearsal, folder: Path, book: str) -> list[str]:
    file = folder / "ours.yml"
    file.write_text(book, encoding="utf-8")
    words = ["drill", "run", str(file), "--on", "shop", "--confirm", "shop", "--yes", "--json"]
    reports = ["--reports", str(folder / "reports")]
    return [sys.executable, "-m", "failoverd", "-c", str(play.lab.config_path), *words, *reports]


def drilled(play: Rehearsal, folder: Path, book: str) -> tuple[int, Mapping[str, Any], str]:
    """Exit code, document and story of a whole drill."""
    done = subprocess.run(command(play, folder, book), capture_output=True, text=True, timeout=240, check=False)
    left = [path.read_bytes() for path in (folder / "reports").rglob("*") if path.is_file()]
    secret = play.lab.password("app").encode()
    assert not [text for text in (done.stdout.encode(), done.stderr.encode(), *left) if secret in text]
    return done.returncode, json.loads(done.stdout), done.stderr


def stands(play: Rehearsal, server: str) -> bool:
    return state(play.lab.mysqld_pid(server)) == "T"


def cut_off(play: Rehearsal, server: str) -> bool:
    return "failoverd_drill" in play.lab.call_in(server, ["nft", "list", "ruleset"]).stdout


def killed(play: Rehearsal, folder: Path, book: str, broken: Callable[[], bool]) -> None:
    """The drill command is killed as soon as that holds; nothing that it broke stays broken."""
    with subprocess.Popen(command(play, folder, book), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        try:
            eventually(broken, bool, "the moment to kill it", PATIENCE)
        finally:
            process.send_signal(signal.SIGKILL)
    eventually(lambda: stands(play, "db2") or cut_off(play, "db2"), lambda found: not found, "a mended db2", PATIENCE)
    play.managers.wait_for("a healthy cluster", lambda s: s["verdict"] == "healthy" and whole(s), PATIENCE)


def whole(status: Mapping[str, Any]) -> bool:
    """Both replicas follow."""
    return [s["receiver"] for s in status["servers"] if s["role"] == "replica"] == ["yes", "yes"]


def test_a_drill_that_is_killed_and_one_that_ends_leave_the_cluster_whole(lab: LabFactory, tmp_path: Path) -> None:
    with rehearsal(lab()) as play:
        allowed(play)
        play.managers.start("mgr1")
        play.managers.wait_ready(standbys=0, timeout=PATIENCE)
        code, told, said = drilled(play, tmp_path, FROZEN)
        assert (code, play.lab.sql("db1", TABLE)) == (2, ((0,),)), "without a standby nothing is touched"
        assert "ours.yml:4: needs: standby: mgr1 is alone" in said
        play.managers.start("mgr2")
        play.managers.wait_ready(timeout=PATIENCE)
        killed(play, tmp_path, FROZEN, lambda: play.lab.sql("db1", TABLE) == ((1,),))
        killed(play, tmp_path, FROZEN, lambda: stands(play, "db2"))
        killed(play, tmp_path, CUT, lambda: cut_off(play, "db2"))
        assert play.operations() == []

        code, told, said = drilled(play, tmp_path, patient("replica-cut-off"))
        assert (code, told["result"], told["left"]) == (0, "passed", []), said
        assert play.operations() == []
        code, told, said = drilled(play, tmp_path, patient("primary-frozen"))
        assert (code, told["result"], told["left"]) == (0, "passed", []), said
        assert (told["on"], told["cast"]["primary"], told["rpo"]["rows"]) == ("shop", "db1", 0)
        assert told["client"]["acknowledged"] > 100
        assert not stands(play, "db1"), "it was ended by the fence, or mended by the drill"
