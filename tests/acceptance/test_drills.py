"""Shipped runbooks on real labs: a covering few; `make drills` runs all of them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from failoverd.lab import Lab
from failoverd.lab.rehearsing import PREFIX, take_down_orphans

pytestmark = pytest.mark.timeout(300)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "failoverd", "drill", "run", *words]


def drilled(name: str, reports: Path) -> tuple[int, Mapping[str, Any], str]:
    """Exit code, document and story of one drill."""
    done = subprocess.run(
        [*command(name), "--json", "--reports", str(reports)], capture_output=True, text=True, timeout=280, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def test_a_primary_that_is_killed_with_transactions_that_nobody_received(tmp_path: Path) -> None:
    code, told, said = drilled("unreceived-transactions", tmp_path)
    assert (code, told["result"], told["left"]) == (0, "passed", []), said
    assert told["client"]["acknowledged"] > 100
    assert (told["rpo"]["rows"], told["client"]["duplicates"]) == (0, 0)
    assert {"FENCE", "RECOVER", "PROMOTE"} <= {one["stage"] for one in told["stages"]}
    assert sum(one["seconds"] for one in told["rto"]["stages"]) == pytest.approx(told["rto"]["seconds"], abs=0.01)
    (operation,) = (one for one in told["operations"] if one["kind"] == "failover")
    assert operation["saved"]
    (place,) = tmp_path.iterdir()
    assert "failover done" in (place / "report.html").read_text(encoding="utf-8")
    assert told["client"]["reads"] > 0


def test_an_interrupted_drill_leaves_nothing_and_a_killed_one_is_cleared_away_by_the_next(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = subprocess.Popen(
            [*command("zookeeper-lost"), "--reports", str(tmp_path)], stderr=subprocess.PIPE, text=True
        )
        name = f"{PREFIX}{process.pid}"
        assert process.stderr is not None
        for line in process.stderr:
            if "SIGKILL to the process of zookeeper" in line:
                break
        assert name in Lab.names()
        process.send_signal(number)
        process.stderr.read()
        code = process.wait(timeout=60)
        if number is signal.SIGTERM:
            assert code == 1
            assert name not in Lab.names()
            (report,) = tmp_path.glob("*/report.json")
            assert json.loads(report.read_text(encoding="utf-8"))["result"] == "aborted"
            continue
        assert not Path(f"/proc/{process.pid}").exists()
        take_down_orphans()
        assert name not in Lab.names()
