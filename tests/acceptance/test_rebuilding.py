"""A server that diverged is restored from a backup by a program of people's own, and catches up from there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from failoverd.lab import Lab
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import PATIENCE, Rehearsal, eventually, rehearsal
from tests.acceptance.test_cloning import titles
from tests.acceptance.test_divergence import alone_on, errant
from tests.acceptance.test_hooks import stand
from tests.acceptance.test_rejoin import attached

pytestmark = pytest.mark.timeout(300)

# What an operator's program would do over SSH: end the server, put the backup in place, start it.
RESTORE = """\
import os, subprocess, sys
from pathlib import Path

sys.path.insert(0, {root!r})
from failoverd.lab import Lab

server, backup = os.environ["FAILOVERD_SERVER"], Path({backup!r})
if not backup.exists():
    sys.exit(f"there is no backup of {{server}}")
lab = Lab.attach({lab!r})
print(f"ending {{server}}", flush=True)
lab.fault.kill(server)
subprocess.run(["rm", "-rf", lab.hosts[server].datadir], check=True)
subprocess.run(["cp", "-a", backup, lab.hosts[server].datadir], check=True)
print("restored", flush=True)
lab.start_mysqld(server)
"""
REBUILD = ("rejoin", "shop", "db3", "--rebuild", "--discard-errant", "--yes")


def backed_up(lab: Lab, server: str, backup: Path) -> None:
    """A cold copy of the server's data, as a backup of some days ago."""
    lab.fault.kill(server)
    subprocess.run(["cp", "-a", str(lab.hosts[server].datadir), str(backup)], check=True)
    lab.start_mysqld(server)


def test_a_program_restores_a_diverged_server_and_it_catches_up(lab: LabFactory) -> None:
    one = lab()
    backup, away = one.folder / "backup", one.folder / "backup.away"
    backed_up(one, "db3", away)
    restore = one.folder / "restore.py"
    restore.write_text(RESTORE.format(root=str(Path(__file__).parents[2]), backup=str(backup), lab=one.name))
    stand(one.folder / "hooks.d", "rebuild/10-restore", f"exec {sys.executable} {restore}")
    one.configure({"clusters": {"shop": {"hooks_dir": str(one.folder / "hooks.d"), "rebuild_timeout": "2m"}}})
    with rehearsal(one) as play:
        play.begin()
        alone_on(play, "db3", "CREATE TABLE app.only_here (n INT)")
        code, told, said = play.command(*REBUILD)
        assert (code, told["outcome"]) == (1, "failed"), said
        assert "there is no backup of db3" in str(told["steps"])
        judge_marked(play)

        shutil.move(away, backup)
        code, told, said = play.command(*REBUILD)
        assert (code, told["outcome"]) == (0, "done"), said
        assert "rebuild db3 by hook" in titles(play)
        attached(play, "db3", "db1")
        assert play.lab.sql("db3", "SHOW TABLES FROM app LIKE 'only_here'") == ()
        assert play.lab.sql("db3", "SELECT @@GLOBAL.super_read_only, @@GLOBAL.offline_mode") == ((1, 0),)
        eventually(lambda: errant(play)[0], lambda found: found == 0, "nobody with errant transactions")
        play.settled("db1", ("db2", "db3"))


def judge_marked(play: Rehearsal) -> None:
    """The program failed: what it had is kept, it is closed, and nobody takes it for a replica."""
    ((own,),) = play.lab.sql("db3", "SELECT @@server_uuid")
    kept = [path.read_text() for path in Path(play.lab.folder).glob("*/state/divergence/*/manifest.json")]
    assert any(f"{own}:1" in text for text in kept), "by this operation or an earlier one"
    assert play.lab.sql("db3", "SELECT @@GLOBAL.super_read_only, @@GLOBAL.offline_mode") == ((1, 0),)
    play.managers.wait_for(
        "half a copy",
        lambda s: s["verdict"] == "healthy" and "half of a copy" in str(s["servers"]),
        PATIENCE,
    )
    code, refused, _ = play.command("rejoin", "shop", "db3", "--yes")
    assert (code, [r["id"] for r in refused["refusals"]]) == (1, ["half-cloned"])
