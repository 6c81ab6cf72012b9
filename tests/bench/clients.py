"""How long clients are without writes, by the way they come: a list of hosts, the virtual address, HAProxy. All three
write side by side, so that they meet the same failovers and the same planned changes.

`python -m tests.bench clients [CHANGES [RUNS]]`; figures to standard output, as a table and as JSON, and to
build/bench/clients.json. Ends with 1 above a limit.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from failoverd.lab import Lab, Options
from failoverd.lab.leading import balancer_address, lead, virtual_address
from failoverd.lab.managers import Managers
from failoverd.lab.writer import PATIENCE as OWN
from failoverd.lab.writer import TABLE, Writer, writer_for
from failoverd.model.errors import FailoverdError
from tests.acceptance.leading import Proxy, client, holding
from tests.bench import detection
from tests.bench.main_job import MANAGERS, PATIENCE, cells, distribution, enough

CHANGES, RUNS = 20, 5  # planned changes on one lab; runs of each fault, each on a lab of its own
APART = 10**9  # rows of one client never meet those of another
TARGET = Path(__file__).parents[2] / "build/bench/clients.json"
LIST, ADDRESS, HAPROXY = "list of hosts", "virtual address", "HAProxy"
SWITCHOVER = "switchover"
FAULTS: Mapping[str, Callable[[Lab, str], None]] = {
    "kill -9": lambda lab, primary: lab.fault.kill(primary),
    **detection.FAULTS,
}
# Seconds, of the median: what the failover itself may take, what finding the new primary may add to it, and what an
# address that leaves with the fence costs: the patience of a client whose packets nobody answers meanwhile.
FAILOVERS = {"kill -9": 0.5, **dict.fromkeys(detection.FAULTS, detection.WORST)}
FINDING = 0.1
LIMITS: Mapping[str, Mapping[str, float]] = {
    SWITCHOVER: {LIST: 0.05, ADDRESS: 0.1, HAPROXY: 0.1},
    **{what: {LIST: most, ADDRESS: most + FINDING + OWN, HAPROXY: most + FINDING} for what, most in FAILOVERS.items()},
}
Gaps = dict[str, float]  # by the way that a client came, seconds


@dataclass(frozen=True)
class Stage:
    """A lab with managers and a HAProxy, and one client for each way, all of which write."""

    lab: Lab
    managers: Managers
    proxy: Proxy
    writers: Mapping[str, Writer]

    def wrote(self, count: int) -> None:
        """Return when each of them was acknowledged so many more rows."""
        for writer in self.writers.values():
            enough(writer, count)


@contextmanager
def stage(name: str) -> Iterator[Stage]:
    """A fresh lab on which all is ready; it ends with this."""
    lab = lead(Lab.up(Options(name=f"ways{os.getpid()}-{name}", settings=detection.SETTINGS)))
    writers = {
        LIST: writer_for(lab),
        ADDRESS: client(lab, virtual_address(lab)),
        HAPROXY: client(lab, balancer_address(lab)),
    }
    on = Stage(lab, Managers(lab), Proxy(lab), writers)
    try:
        on.proxy.start()
        for manager in MANAGERS:
            on.managers.start(manager)
        primary = str(on.managers.wait_ready(timeout=PATIENCE)["primary"])
        ready(on, primary)
        lab.sql(primary, TABLE)
        for turn, writer in enumerate(writers.values()):
            writer._number = turn * APART
            writer.start()
        on.wrote(100)
        yield on
    finally:
        for writer in writers.values():
            writer.stop()
        on.managers.stop()
        on.proxy.stop()
        lab.fault.heal()
        lab.down()


def ready(on: Stage, primary: str) -> None:
    """Both ways lead to the primary."""
    end = time.monotonic() + PATIENCE
    while holding(on.lab) != (primary,) or on.proxy.ready() != (primary,):
        if time.monotonic() > end:
            raise FailoverdError("clients are not led to the primary", f"{holding(on.lab)}, {on.proxy.ready()}")
        time.sleep(0.1)


def lost(fault: str, number: int) -> Gaps:
    """A primary lost while all write; the longest time between two acknowledged rows of each client."""
    with stage(f"{number}") as on:
        primary = on.managers.status()["primary"]
        at = time.time()
        FAULTS[fault](on.lab, primary)
        on.wrote(100)
        on.managers.wait_for("an end of the operation", lambda s: s["operation"] is None and s["primary"] != primary)
        return {way: writer.stop().longest_gap(at - 0.1)[0] for way, writer in on.writers.items()}


def changed(on: Stage) -> Gaps:
    """Another primary as planned while all write, and what each client saw of it."""
    begun = time.time()
    answer = on.managers.command("switchover", "shop", "--yes", "--json")
    document = json.loads(answer.stdout)
    if document.get("outcome") != "done":
        raise FailoverdError("a switchover was not done", answer.stderr[-2000:])
    on.wrote(50)
    gaps = {way: writer.account.longest_gap(begun)[0] for way, writer in on.writers.items()}
    ready(on, str(document["new_primary"]))
    return gaps


def measured(changes: int, runs: int) -> tuple[dict[str, list[Gaps]], list[float]]:
    """All figures by what happened, and the load before each."""
    found: dict[str, list[Gaps]] = {what: [] for what in LIMITS}
    loads: list[float] = []

    def note(what: str, gaps: Gaps) -> None:
        found[what].append(gaps)
        loads.append(os.getloadavg()[0])
        sys.stderr.write(f"{what}: {', '.join(f'{way} {gap:.3f} s' for way, gap in gaps.items())}\n")

    with stage("s") as on:
        for _ in range(changes):
            note(SWITCHOVER, changed(on))
    for number in range(runs):
        for turn, fault in enumerate(FAULTS):
            note(fault, lost(fault, number * len(FAULTS) + turn))
    return {what: gaps for what, gaps in found.items() if gaps}, loads


def main(words: Sequence[str]) -> int:
    """Run, print, keep; 1 above a limit."""
    changes, runs = (*map(int, words), *(CHANGES, RUNS)[len(words) :])
    measurements, loads = measured(changes, runs)
    outages = {
        what: {way: distribution([gap[way] for gap in gaps]) for way in LIMITS[what]}
        for what, gaps in measurements.items()
    }
    broken = [
        f"{what}, {way}: the median is above {limit} s"
        for what, ways in outages.items()
        for way, limit in LIMITS[what].items()
        if ways[way]["median"] > limit
    ]
    document = {
        "benchmark": "clients",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": {"least": min(loads), "most": max(loads)},
        "runs": {what: len(gaps) for what, gaps in measurements.items()},
        "outage_seconds": outages,
        "limits_seconds": LIMITS,
        "broken": broken,
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    table = Table("seconds without writes", "least", "median", "mean", "worst", title="by the way clients come")
    for what, ways in outages.items():
        for way, figures in ways.items():
            table.add_row(f"{what}, {way}", *cells(figures))
    Console(width=100).print(table)
    print(json.dumps(document))
    return 1 if broken else 0
