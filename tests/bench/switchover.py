"""How long a client cannot write while another server is made the primary: there and back on one lab, under load.

`python -m tests.bench switchover [RUNS]`. The figures go to standard output, as a table and as one JSON document, and
to build/bench/switchover.json. Ends with 1 when a limit is broken.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from failoverd.lab import Lab, Options
from failoverd.lab.compare import compare, writable
from failoverd.lab.demo import parse
from failoverd.lab.managers import Managers
from failoverd.lab.writer import TABLE, Writer, writer_for
from failoverd.model.errors import FailoverdError
from tests.bench.main_job import MANAGERS, PATIENCE, cells, distribution, enough, rounded

RUNS = 20
TARGET = Path(__file__).parents[2] / "build/bench/switchover.json"
# Limits in seconds, as the client sees it: the longest time between two rows that were acknowledged.
MEDIAN, WORST = 0.05, 0.15
STAGES = ("close", "catch up", "keep out and disarm", "choose and open")


@dataclass(frozen=True)
class Change:
    """One change: seconds without an acknowledged row, the parts of the freeze, and the load when it began."""

    outage: float
    stages: dict[str, float]
    load: float


def one_change(managers: Managers, writer: Writer) -> Change:
    """To the other server, and what the client saw of it."""
    enough(writer, 50)
    load, begun = os.getloadavg()[0], writer.account.acks[-1].at
    answer = managers.command("switchover", "shop", "--yes", "--json")
    document = json.loads(answer.stdout)
    if document.get("outcome") != "done":
        raise FailoverdError("a switchover was not done", answer.stderr[-2000:])
    enough(writer, 50)
    return Change(writer.account.longest_gap(begun)[0], shares(document), load)


def shares(document: Mapping[str, Any]) -> dict[str, float]:
    """The seconds of each part of the freeze that succeeded."""
    ends: dict[str, float] = {}
    for step in document["steps"]:
        ends[f"{step['stage']} {step['title'].split()[0]}"] = parse(step["started"]) + float(step["seconds"])
    begun = parse(document["detected"])
    marks = [
        ends["FREEZE close"],
        ends["FREEZE wait"],
        max(ends["FREEZE keep"], ends["PROMOTE disarm"]),
        parse(document["writable"]),
    ]
    return {name: mark - before for name, mark, before in zip(STAGES, marks, [begun, *marks], strict=False)}


def run(runs: int) -> tuple[list[Change], dict[str, Any]]:
    """All changes on one lab, and what was found at its end."""
    lab = Lab.up(Options(name=f"bench{os.getpid()}-s", replicas=2))
    managers, writer = Managers(lab), writer_for(lab)
    try:
        for name in MANAGERS:
            managers.start(name)
        lab.sql(str(managers.wait_ready(timeout=PATIENCE)["primary"]), TABLE)
        writer.start()
        changes = []
        for number in range(runs):
            changes.append(one_change(managers, writer))
            sys.stderr.write(f"{number + 1} of {runs}: {changes[-1].outage:.3f} s\n")
        account, takers = writer.stop(), writable(lab)
        lost = sum(len(compare(lab, taker, account).lost) for taker in takers)
        return changes, {"rows_lost": lost, "writable": takers, "rows": len(account.acks)}
    finally:
        writer.stop()
        managers.stop()
        lab.down()


def summary(changes: Sequence[Change], found: Mapping[str, Any]) -> dict[str, Any]:
    """The document."""
    outages = sorted(change.outage for change in changes)
    spread = distribution(outages)
    checks = (
        (spread["median"] > MEDIAN, f"the median outage is above {MEDIAN} s"),
        (spread["worst"] > WORST, f"the worst outage is above {WORST} s"),
        (found["rows_lost"] > 0, "rows were lost"),
        (len(found["writable"]) != 1, "not exactly one server took writes in the end"),
    )
    return {
        "benchmark": "switchover",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load": {"least": min(c.load for c in changes), "most": max(c.load for c in changes)},
        "runs": len(changes),
        "outage_seconds": {**spread, "all": rounded(outages)},
        "stages_seconds": {name: distribution([c.stages[name] for c in changes]) for name in STAGES},
        **found,
        "limits_seconds": {"median": MEDIAN, "worst": WORST},
        "broken": [sentence for holds, sentence in checks if holds],
        "changes": [asdict(change) for change in changes],
    }


def main(words: Sequence[str]) -> int:
    """Run, print, keep; 1 when a limit is broken."""
    document = summary(*run(int(words[0]) if words else RUNS))
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    console, load = Console(width=100), document["load"]
    table = Table("seconds", "least", "median", "mean", "worst", title="switchover under a writing client")
    for name, found in document["stages_seconds"].items():
        table.add_row(name, *cells(found))
    table.add_row("without a row", *cells(document["outage_seconds"]), style="bold")
    console.print(table)
    console.print(f"rows lost: {document['rows_lost']}; load beside it: {load['least']:.1f} to {load['most']:.1f}")
    for sentence in document["broken"]:
        console.print(f"BROKEN: {sentence}", style="bold red")
    print(json.dumps({key: value for key, value in document.items() if key != "changes"}))
    return 1 if document["broken"] else 0
