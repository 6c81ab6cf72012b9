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
from failoverd.lab.rehearsing import PREFIX

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


# A client that knows one address only; one replica answers late for a while.
BOOK = """\
title: A client of one address
about: It is led to whoever takes writes.
needs: [healthy, standby, agents]
blast_radius: [primary, other-replica]
probe: {{through: {way}}}
steps:
  - wait: writes
  - {{fault: stop-applier, at: other-replica, clock: true}}
  - wait: 1500ms
  - {{fault: start-applier, at: other-replica}}
  - {{wait: caught-up, within: 60s}}
  - {{fault: kill, at: primary}}
  - {{wait: new-primary, within: 60s}}
  - {{wait: writes, within: 60s}}
expect:
  - {{within: 120s, operation: failover done}}
  - outage_below: 60s
  - lost_rows: 0
  - stale_reads_below: {stale}
"""


@pytest.mark.parametrize(
    ("way", "stale", "result"),
    [("vip", "60s", "passed"), ("haproxy", "100ms", "failed")],
)
def test_the_client_comes_by_the_address_of_applications_and_reads_replicas(
    way: str, stale: str, result: str, tmp_path: Path
) -> None:
    file = tmp_path / "ours.yml"
    file.write_text(BOOK.format(way=way, stale=stale), encoding="utf-8")
    code, told, said = drilled(str(file), tmp_path / "reports")
    assert (code, told["result"], told["left"]) == (0 if result == "passed" else 1, result, []), said
    assert told["client"]["ways"].keys() == {way}, "nobody was asked by another address"
    assert told["client"]["ways"][way] > 150
    assert told["client"]["stalest_seconds"] > 1, "the replica whose applier stood still"
    failed = [one["kind"] for one in told["expectations"] if one["outcome"] != "met"]
    assert failed == ([] if result == "passed" else ["stale_reads_below"])


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
        Lab.take_down_orphans()
        assert name not in Lab.names()
