"""The main job by commands alone, as the front page tells it, and the demo's word on what became of every row."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from rich.console import Console

from failoverd.lab import Lab, demo
from failoverd.lab.compare import Comparison, compare
from failoverd.lab.writer import Account
from tests.acceptance.rehearsal import PATIENCE, eventually

FAILOVERD = (sys.executable, "-m", "failoverd")


@pytest.fixture
def name() -> Iterator[str]:
    """The name of a lab that a test brings up and takes down by itself; what it leaves is taken down."""
    own = f"t{os.getpid()}-cli"
    try:
        yield own
    finally:
        Lab.take_down(own)


def call(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*FAILOVERD, *words], capture_output=True, text=True, timeout=PATIENCE, check=False)


def good(*words: str) -> str:
    done = call(*words)
    assert done.returncode == 0, done
    return done.stdout


def manager(lines: str, config: str, which: str) -> list[str]:
    """The command line of a manager that `lab up` told us to try."""
    (line,) = (line for line in lines.splitlines() if line.endswith("# a manager"))
    space, _, words = line.removesuffix("# a manager").partition(" failoverd ")
    assert f"-c {config}/mgr1/failoverd.yml run" in words
    both = f"{space.strip()} {' '.join(FAILOVERD)} {words}"
    return both.replace("mgr1", which).split()


def test_up_run_kill_status_down(name: str) -> None:
    said = good("lab", "up", "--name", name)
    folder = next(line.split("=", 1)[1] for line in said.splitlines() if "FAILOVERD_CONFIG=" in line)
    config, place = folder, folder.removesuffix("/failoverd.yml")
    with ExitStack() as stack:
        running = []
        for which in ("mgr1", "mgr2"):
            process = subprocess.Popen(manager(said, place, which), stderr=subprocess.DEVNULL)
            stack.callback(process.wait, 15)
            stack.callback(process.terminate)
            running.append(process)
        before = cluster(good("-c", config, "status", "--wait-ready", "60s", "--json"))
        assert before["primary"] == "db1"
        eventually(lambda: agents(config), lambda found: found == {"ok"}, "an answer of every agent")

        good("lab", "fault", "kill", "db1", "--name", name)
        after = eventually(
            lambda: cluster(call("-c", config, "status", "--json").stdout),
            lambda seen: seen["primary"] != "db1" and seen["verdict"] == "healthy" and seen["operation"] is None,
            "a new primary",
        )
        assert after["primary"] in {"db2", "db3"}
        rows = json.loads(good("lab", "sql", after["primary"], "SELECT @@read_only AS r", "--name", name, "--json"))
        assert rows["rows"] == [{"r": 0}]
        assert "done" in good("-c", config, "ops", "list")
        for process in running:
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
    good("lab", "down", "--name", name)
    assert name not in Lab.names()


def cluster(document: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document)["clusters"][0]
    return found


def agents(config: str) -> set[str]:
    return {server["agent"] for server in cluster(call("-c", config, "status", "--json").stdout)["servers"]}


def test_the_demo_ends_well(name: str) -> None:
    screen = io.StringIO()
    assert demo.Demo(Console(file=screen, width=160), name).run() == 0, screen.getvalue()
    told = screen.getvalue()
    assert "rows lost: 0; taking writes: db" in told
    assert "What happened" in told
    assert name not in Lab.names(), "nothing is left behind"


def test_the_demo_does_not_end_well_when_a_row_is_lost(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoiled(lab: Lab, server: str, account: Account) -> Comparison:
        lab.sql(server, "DELETE FROM app.numbered WHERE n = 7")
        return compare(lab, server, account)

    monkeypatch.setattr(demo, "compare", spoiled)
    screen = io.StringIO()
    assert demo.Demo(Console(file=screen, width=160), name).run() == 1
    assert "rows lost: 1;" in screen.getvalue()
