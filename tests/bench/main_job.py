"""How long the main job takes: SIGKILL of the primary's mysqld to the client's next acknowledged write, 20 fresh labs.

`python -m tests.bench [RUNS]`. The figures go to standard output, as a table and as one JSON document, and to
build/bench/main_job.json. Ends with 1 when a limit is broken.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from failoverd.lab import Lab, Options
from failoverd.lab.compare import compare, writable
from failoverd.lab.demo import last_move, parse
from failoverd.lab.managers import Managers
from failoverd.lab.writer import TABLE, Account, Writer, writer_for
from failoverd.model.errors import FailoverdError

RUNS = 20
TARGET = Path(__file__).parents[2] / "build/bench/main_job.json"
MANAGERS = ("mgr1", "mgr2")
PATIENCE = 60.0
# Limits in seconds: what a failover may take as the client sees it, and a lab whose template is there.
MEDIAN, WORST, LAB_UP = 0.5, 1.0, 8.0
STAGES = ("detect", "check", "fence and freeze", "recover", "promote", "client")


@dataclass(frozen=True)
class Kill:
    """One primary killed: seconds until the client was answered again, the parts of that time, and what was found."""

    outage: float
    stages: dict[str, float]
    lab_up: float
    load: float
    lost: int
    writable: tuple[str, ...]


def one_kill(number: int) -> Kill:
    """A fresh lab, two managers, a client that writes every 10 ms, a SIGKILL."""
    load = os.getloadavg()[0]
    begun = time.monotonic()
    lab = Lab.up(Options(name=f"bench{os.getpid()}-{number}"))
    lab_up = time.monotonic() - begun
    managers = Managers(lab)
    writer = writer_for(lab)
    try:
        for name in MANAGERS:
            managers.start(name)
        primary = str(managers.wait_ready(timeout=PATIENCE)["primary"])
        lab.sql(primary, TABLE)
        writer.start()
        killed_at = strike(lab, writer, primary)
        managers.wait_for("an end of the operation", lambda s: s["operation"] is None and s["primary"] != primary)
        return measured(lab, writer.stop(), last_move(managers), (killed_at, lab_up, load))
    finally:
        writer.stop()
        managers.stop()
        lab.down()


def strike(lab: Lab, writer: Writer, primary: str) -> float:
    """Kill, and wait until the client is served again; wall seconds of the kill."""
    enough(writer, 100)
    pid = lab.mysqld_pid(primary)
    killed_at = time.time()
    os.kill(pid, signal.SIGKILL)
    enough(writer, 100)
    return killed_at


def enough(writer: Writer, count: int) -> None:
    """The client is answered that often; an error that says what it met when it is not."""
    if not writer.wait_for_acks(count, PATIENCE):
        raise FailoverdError("the client could not write", str(dict(writer.account.errors)))


def measured(lab: Lab, account: Account, operation: Mapping[str, Any], around: tuple[float, float, float]) -> Kill:
    """The figures of one kill."""
    killed_at, lab_up, load = around
    elect = str(operation["new_primary"])
    answered = next(ack.at for ack in account.acks if ack.server == elect)
    return Kill(
        outage=answered - killed_at,
        stages=shares(operation, killed_at, answered),
        lab_up=lab_up,
        load=load,
        lost=len(compare(lab, elect, account).lost),
        writable=writable(lab),
    )


def shares(operation: Mapping[str, Any], killed_at: float, answered: float) -> dict[str, float]:
    """The seconds of each stage, one after the other, so that they add up to the whole time without writes."""
    marks = [
        parse(operation["detected"]),
        last_end(operation, {"CHECK"}),
        last_end(operation, {"FENCE", "FREEZE"}),
        min(parse(step["started"]) for step in operation["steps"] if step["stage"] == "PROMOTE"),
        parse(operation["writable"]),
        answered,
    ]
    ends = [killed_at, *marks]
    return {name: ends[i + 1] - ends[i] for i, name in enumerate(STAGES)}


def last_end(operation: Mapping[str, Any], stages: set[str]) -> float:
    """When the last step of these stages had ended (wall seconds)."""
    return max(parse(s["started"]) + float(s["seconds"]) for s in operation["steps"] if s["stage"] in stages)


def summary(kills: Sequence[Kill]) -> dict[str, Any]:
    """The document: distribution, shares, limits, and what the machine was doing beside it."""
    outages = sorted(kill.outage for kill in kills)
    ups = [kill.lab_up for kill in kills][1:] or [kills[0].lab_up]  # the first one may have made the template
    return {
        "benchmark": "main job",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load": {"least": min(k.load for k in kills), "most": max(k.load for k in kills)},
        "runs": len(kills),
        "outage_seconds": {**distribution(outages), "all": rounded(outages)},
        "stages_seconds": {name: distribution([k.stages[name] for k in kills]) for name in STAGES},
        "lab_up_seconds": distribution(ups),
        "rows_lost": sum(kill.lost for kill in kills),
        "limits_seconds": {"median": MEDIAN, "worst": WORST, "lab_up": LAB_UP},
        "broken": broken(kills, outages, ups),
        "kills": [asdict(kill) for kill in kills],
    }


def distribution(values: Sequence[float]) -> dict[str, float]:
    """Least, median, mean and most, to the millisecond."""
    found = (min(values), statistics.median(values), statistics.mean(values), max(values))
    return dict(zip(("least", "median", "mean", "worst"), rounded(found), strict=True))


def rounded(values: Sequence[float]) -> list[float]:
    """To the millisecond."""
    return [round(value, 3) for value in values]


def broken(kills: Sequence[Kill], outages: Sequence[float], ups: Sequence[float]) -> list[str]:
    """The limits that do not hold, as sentences."""
    checks = (
        (statistics.median(outages) > MEDIAN, f"the median outage is above {MEDIAN} s"),
        (max(outages) > WORST, f"the worst outage is above {WORST} s"),
        (statistics.median(ups) > LAB_UP, f"a lab took more than {LAB_UP} s to come up"),
        (any(kill.lost for kill in kills), "rows were lost"),
        (any(len(kill.writable) != 1 for kill in kills), "not exactly one server took writes in the end"),
    )
    return [sentence for holds, sentence in checks if holds]


def show(console: Console, document: Mapping[str, Any]) -> None:
    """The small table for people."""
    runs, load = document["runs"], document["load"]
    title = f"kill -9 to the next acknowledged write, {runs} runs, {document['cores']} cores"
    table = Table("seconds", "least", "median", "mean", "worst", "share", title=title, title_justify="left")
    whole = document["outage_seconds"]["mean"]
    for name, found in document["stages_seconds"].items():
        table.add_row(name, *cells(found), f"{found['mean'] / whole:.0%}")
    table.add_row("together", *cells(document["outage_seconds"]), "", style="bold")
    table.add_row("lab up", *cells(document["lab_up_seconds"]), "")
    console.print(table)
    console.print(f"rows lost: {document['rows_lost']}; load beside it: {load['least']:.1f} to {load['most']:.1f}")
    for sentence in document["broken"]:
        console.print(f"BROKEN: {sentence}", style="bold red")


def cells(found: Mapping[str, float]) -> list[str]:
    """One row's figures."""
    return [f"{found[key]:.3f}" for key in ("least", "median", "mean", "worst")]


def main(words: Sequence[str]) -> int:
    """Run, print, keep; 1 when a limit is broken."""
    runs = int(words[0]) if words else RUNS
    kills = []
    for number in range(runs):
        kills.append(one_kill(number))
        sys.stderr.write(f"{number + 1} of {runs}: {kills[-1].outage:.3f} s\n")
    document = summary(kills)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    found = Console()
    show(found if found.is_terminal else Console(width=100), document)
    print(json.dumps({key: value for key, value in document.items() if key != "kills"}))
    return 1 if document["broken"] else 0
