"""How long a primary that is frozen, or whose host is gone, keeps its client waiting; and what watching costs.

`python -m tests.bench detection [RUNS]`. The figures go to standard output, as a table and as one JSON document, and to
build/bench/detection.json. Ends with 1 when a limit is broken.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from failoverd.lab import Lab, Options
from failoverd.lab.compare import writable
from failoverd.lab.demo import last_move, parse
from failoverd.lab.managers import Managers
from failoverd.lab.writer import TABLE, writer_for
from tests.bench.main_job import MANAGERS, PATIENCE, cells, distribution, enough

RUNS = 10
TARGET = Path(__file__).parents[2] / "build/bench/detection.json"
# Limits: seconds without writes as the client sees them, and the share of one core that watching may take.
WORST, COST = 2.5, 0.02
WATCHED = 20.0
# The host's last transactions may be nowhere else: here it is the time that counts.
SETTINGS: dict[str, object] = {"clusters": {"shop": {"failover": {"max_loss": "any"}}}}
FAULTS: Mapping[str, Callable[[Lab, str], None]] = {
    "frozen": lambda lab, primary: lab.fault.stop(primary),
    "host gone": lambda lab, primary: lab.fault.poweroff(primary),
}


@dataclass(frozen=True)
class Run:
    """One primary lost: seconds until the client was answered again, until the failover was decided, and the rest."""

    fault: str
    outage: float
    decided: float
    load: float
    writable: tuple[str, ...]
    cost: float


def one(fault: str, number: int, *, watched: float = 0.0) -> Run:
    """A fresh lab, two managers, a client that writes every 10 ms, the fault."""
    load = os.getloadavg()[0]
    lab = Lab.up(Options(name=f"bench{os.getpid()}-{number}", settings=SETTINGS))
    managers, writer = Managers(lab), writer_for(lab)
    try:
        pids = [managers.start(name).pid for name in MANAGERS]
        primary = str(managers.wait_ready(timeout=PATIENCE)["primary"])
        lab.sql(primary, TABLE)
        writer.start()
        enough(writer, 100)
        cost = max(share_of_core(pids, watched)) if watched else 0.0
        struck_at = time.time()
        FAULTS[fault](lab, primary)
        enough(writer, 100)
        managers.wait_for("an end of the operation", lambda s: s["operation"] is None and s["primary"] != primary)
        operation = last_move(managers)
        account = writer.stop()
        elect = str(operation["new_primary"])
        answered = next(ack.at for ack in account.acks if ack.server == elect)
        decided = parse(operation["decided"]) - struck_at
        alive = tuple(name for name in writable(lab) if name != primary)
        return Run(fault, answered - struck_at, decided, load, alive, cost)
    finally:
        writer.stop()
        managers.stop()
        lab.fault.heal()
        lab.down()


def share_of_core(pids: Sequence[int], seconds: float) -> list[float]:
    """What these processes use of one core while nothing happens."""
    before = [cpu_seconds(pid) for pid in pids]
    time.sleep(seconds)
    return [(cpu_seconds(pid) - was) / seconds for pid, was in zip(pids, before, strict=True)]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    """The document: distributions by fault, limits, and what the machine was doing beside it."""
    by_fault = {fault: [run for run in runs if run.fault == fault] for fault in FAULTS}
    return {
        "benchmark": "detection",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load": {"least": min(run.load for run in runs), "most": max(run.load for run in runs)},
        "outage_seconds": {fault: distribution([run.outage for run in found]) for fault, found in by_fault.items()},
        "decided_seconds": {fault: distribution([run.decided for run in found]) for fault, found in by_fault.items()},
        "share_of_core": round(max(run.cost for run in runs), 4),
        "limits": {"worst": WORST, "share_of_core": COST},
        "broken": broken(runs),
        "runs": [asdict(run) for run in runs],
    }


def broken(runs: Sequence[Run]) -> list[str]:
    """The limits that do not hold, as sentences."""
    found = [
        f"{fault}: the worst outage is above {WORST} s"
        for fault in FAULTS
        if max(run.outage for run in runs if run.fault == fault) > WORST
    ]
    if max(run.cost for run in runs) > COST:
        found.append(f"watching three servers takes more than {COST:.0%} of a core")
    if any(len(run.writable) != 1 for run in runs):
        found.append("not exactly one server took writes in the end")
    return found


def main(words: Sequence[str]) -> int:
    """Run, print, keep; 1 when a limit is broken."""
    count = int(words[0]) if words else RUNS
    runs: list[Run] = []
    for number in range(count):
        for fault in FAULTS:
            watched = WATCHED if not runs else 0.0
            runs.append(one(fault, len(runs), watched=watched))
            sys.stderr.write(f"{number + 1} of {count}, {fault}: {runs[-1].outage:.3f} s\n")
    document = summary(runs)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    title = f"a fault to the next acknowledged write, {count} runs each, {document['cores']} cores"
    table = Table("seconds", "least", "median", "mean", "worst", title=title, title_justify="left")
    for fault in FAULTS:
        table.add_row(fault, *cells(document["outage_seconds"][fault]))
        table.add_row("  decided after", *cells(document["decided_seconds"][fault]))
    console = Console()
    (console if console.is_terminal else Console(width=100)).print(table)
    print(json.dumps({key: value for key, value in document.items() if key != "runs"}))
    for sentence in document["broken"]:
        print(f"BROKEN: {sentence}")
    return 1 if document["broken"] else 0
