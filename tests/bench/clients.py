"""How long clients are without writes when the primary is killed, by the way they come: a list of hosts, the virtual
address, HAProxy. All three write side by side in each run, so that they meet the same failover.

`python -m tests.bench clients [RUNS]`; figures to standard output, as a table and as JSON. Ends with 1 above a limit.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from failoverd.lab import Lab, Options
from failoverd.lab.managers import Managers
from failoverd.lab.writer import TABLE, Writer, writer_for
from failoverd.model.errors import FailoverdError
from tests.acceptance.leading import Proxy, address, balancer, client, holding, led
from tests.bench.main_job import MANAGERS, PATIENCE, cells, distribution, enough

RUNS = 10
# The failover's own limit, and what finding the new primary may add to it (seconds, of the median).
LIMITS = {"list of hosts": 0.5, "virtual address": 0.6, "HAProxy": 0.6}
APART = 10**9  # rows of one client never meet those of another


def one_kill(number: int) -> dict[str, float]:
    """A fresh lab, three clients, a SIGKILL; by the way of each, the longest time between two acknowledged rows."""
    lab = led(Lab.up(Options(name=f"ways{os.getpid()}-{number}")))
    managers, proxy = Managers(lab), Proxy(lab)
    writers = dict(zip(LIMITS, (writer_for(lab), client(lab, address(lab)), client(lab, balancer(lab))), strict=True))
    try:
        proxy.start()
        for name in MANAGERS:
            managers.start(name)
        primary = str(managers.wait_ready(timeout=PATIENCE)["primary"])
        ready(lab, proxy, primary)
        lab.sql(primary, TABLE)
        for turn, writer in enumerate(writers.values()):
            writer._number = turn * APART
            writer.start()
        return killed(lab, managers, writers, primary)
    finally:
        for writer in writers.values():
            writer.stop()
        managers.stop()
        proxy.stop()
        lab.down()


def ready(lab: Lab, proxy: Proxy, primary: str) -> None:
    """Both ways lead to the primary."""
    end = time.monotonic() + PATIENCE
    while holding(lab) != (primary,) or proxy.ready() != (primary,):
        if time.monotonic() > end:
            raise FailoverdError("clients are not led to the primary", f"{holding(lab)}, {proxy.ready()}")
        time.sleep(0.1)


def killed(lab: Lab, managers: Managers, writers: Mapping[str, Writer], primary: str) -> dict[str, float]:
    """Kill it while all write, and let all write on."""
    for writer in writers.values():
        enough(writer, 100)
    at = time.time()
    os.kill(lab.mysqld_pid(primary), signal.SIGKILL)
    for writer in writers.values():
        enough(writer, 100)
    managers.wait_for("an end of the operation", lambda s: s["operation"] is None and s["primary"] != primary)
    return {way: writer.stop().longest_gap(at - 0.1)[0] for way, writer in writers.items()}


def main(words: Sequence[str]) -> int:
    """Run, print; 1 above a limit."""
    runs = int(words[0]) if words else RUNS
    kills, loads = [], []
    for number in range(runs):
        loads.append(os.getloadavg()[0])
        kills.append(one_kill(number))
        told = ", ".join(f"{way} {gap:.3f} s" for way, gap in kills[-1].items())
        sys.stderr.write(f"{number + 1} of {runs}: {told}\n")
    found = {way: distribution([kill[way] for kill in kills]) for way in LIMITS}
    late = [way for way, limit in LIMITS.items() if statistics.median(kill[way] for kill in kills) > limit]
    table = Table("seconds without writes", "least", "median", "mean", "worst", title=f"kill -9, {runs} runs")
    for way, figures in found.items():
        table.add_row(way, *cells(figures))
    Console(width=100).print(table)
    document = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "runs": runs, "load": max(loads), "broken": late}
    print(json.dumps({"benchmark": "clients", **document, "outage_seconds": found, "limits_seconds": LIMITS}))
    return 1 if late else 0
