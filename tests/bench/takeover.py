"""How long a cluster is without an active manager, by the way the active one goes; and what the journal costs.

`python -m tests.bench takeover [ROUNDS]`. The figures go to standard output and to build/bench/takeover.json. Ends with
1 when a limit is broken.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from failoverd.drivers.clock import SystemClock
from failoverd.drivers.identity import Identity
from failoverd.drivers.tasks import ThreadTasks
from failoverd.drivers.wakeups import Bell
from failoverd.drivers.zookeeper.coordination import ZooKeeperCoordination
from failoverd.drivers.zookeeper.settings import ZooKeeperSettings
from failoverd.lab import Lab, Options
from failoverd.lab.demo import last_move
from failoverd.lab.managers import Managers
from failoverd.lab.writer import TABLE, writer_for
from failoverd.lab.zookeeper import TICK_MS
from failoverd.model.errors import FailoverdError
from failoverd.model.plans import Entry, EntryKind
from tests.contract.coordination_worlds import active
from tests.contract.operations import operation

ROUNDS = 5
RECORDS = 100
FREEZING = {"FENCE", "FREEZE"}  # done side by side, in one group
TARGET = Path(__file__).parents[2] / "build/bench/takeover.json"
PATIENCE = 60.0
# Seconds: the session time-out of the lab's managers, the most that a take-over may need, a hand-over, the journal.
SESSION = 1.0
LIMIT, CLEAN, JOURNAL = SESSION + TICK_MS / 1000 + 1.0, 1.0, 0.02


@dataclass
class Stage:
    """A lab whose managers come and go."""

    lab: Lab
    managers: Managers

    def roles(self) -> tuple[str, str]:
        """The active manager and the one that stands by, when all is well."""
        status = self.managers.wait_ready(timeout=PATIENCE)
        (standby,) = status["standby_managers"]
        return str(status["active_manager"]), str(standby)

    def told(self, name: str, event: str) -> list[float]:
        """When a manager logged an event (wall seconds)."""
        lines = self.managers.log(name).read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [datetime.fromisoformat(e["timestamp"]).timestamp() for e in found if e["event"] == event]

    def next_word(self, name: str, event: str, before: int) -> float:
        """When the manager said it once more."""
        end = time.monotonic() + PATIENCE
        while len(told := self.told(name, event)) <= before:
            if time.monotonic() > end:
                raise FailoverdError(f"{name} never said {event!r}")
            time.sleep(0.02)
        return told[before]

    def kill(self, name: str) -> None:
        self.managers.kill(name)

    def freeze(self, name: str) -> None:
        self.managers.kill(name, signal.SIGSTOP)

    def cut(self, name: str) -> None:
        self.lab.fault.cut(name, "zk1")

    def stop(self, name: str) -> None:
        self.managers.kill(name, signal.SIGTERM)

    def restart(self, name: str) -> None:
        self.managers.end(name)
        self.managers.start(name)

    def mend(self, name: str, way: str) -> None:
        """Bring the manager back as a standby."""
        if way == "freeze":
            self.managers.kill(name, signal.SIGCONT)
        elif way == "cut":
            self.lab.fault.heal()
        elif way in {"kill", "stop"}:
            (self.lab.folder / name / "run/shop/status.json").unlink(missing_ok=True)
            self.managers.start(name)


WAYS: Mapping[str, tuple[Callable[[Stage, str], None], float, str]] = {
    "kill": (Stage.kill, LIMIT, "SIGKILL"),
    "freeze": (Stage.freeze, LIMIT, "SIGSTOP"),
    "cut": (Stage.cut, LIMIT, "its link to ZooKeeper cut"),
    "stop": (Stage.stop, CLEAN, "SIGTERM"),
    "restart": (Stage.restart, CLEAN, "restarted"),
}


def take_over(stage: Stage, way: str) -> float:
    """Seconds from the fault until the standby has the lock."""
    act, _, _ = WAYS[way]
    name, standby = stage.roles()
    before = len(stage.told(standby, "lock won"))
    at = time.time()
    act(stage, name)
    won = stage.next_word(standby, "lock won", before)
    stage.mend(name, way)
    return won - at


def act_at_once(stage: Stage) -> tuple[float, float]:
    """Seconds from the death of the active manager and of the primary until the standby opens the failover, and until
    the client is served again.
    """
    writer = writer_for(stage.lab)
    name, standby = stage.roles()
    stage.lab.sql("db1", TABLE)
    writer.start()
    try:
        if not writer.wait_for_acks(50, PATIENCE):
            raise FailoverdError("the client could not write")
        at = time.time()
        stage.managers.kill(name)
        os.kill(stage.lab.mysqld_pid("db1"), signal.SIGKILL)
        opened = stage.next_word(standby, "operation opened", 0)
        if not writer.wait_for_acks(50, PATIENCE):
            raise FailoverdError("the client could not write")
    finally:
        account = writer.stop()
    served = next(ack.at for ack in account.acks if ack.server != "db1")
    stage.next_word(standby, "operation ended", 0)
    return opened - at, served - at


def journal_cost(stage: Stage) -> dict[str, list[float]]:
    """Seconds that each of the two awaited records between freeze and writable takes, as a failover has written them,
    by a process of its own against the lab's ZooKeeper.
    """
    name = str(last_move(stage.managers)["operation"])
    entries = json.loads(stage.managers.command("ops", "show", name, "--json").stdout)["entries"]
    bodies = {
        "fence and freeze": next(e for e in entries if e["kind"] == "intent" and e["body"]["stage"] in FREEZING),
        "promote": next(e for e in entries if e["kind"] == "promote-intent"),
    }
    address = f"{stage.lab.hosts['zk1'].address}:2181"
    settings = ZooKeeperSettings((address,), root="/bench", session_timeout=4.0)
    made = ZooKeeperCoordination(settings, Identity.mine("bench"), SystemClock(), ThreadTasks(), Bell())
    found: dict[str, list[float]] = {what: [] for what in bodies}
    with closing(made):
        lease, op = active(made), operation("bench-1")
        made.begin(lease, op)
        for _ in range(RECORDS):
            for what, entry in bodies.items():
                begun = time.monotonic()
                made.write(lease, op, Entry(EntryKind(entry["kind"]), time.time(), entry["body"]), True)
                found[what].append(time.monotonic() - begun)
    return found


def measure(rounds: int) -> dict[str, Any]:
    """All of it, on one lab, and on a fresh one for each failover."""
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    first = os.getloadavg()[0]
    acted: list[tuple[float, float]] = []
    journal: dict[str, list[float]] = {}

    def locks(stage: Stage) -> None:
        for _ in range(rounds):
            for way in WAYS:
                seconds[way].append(take_over(stage, way))

    def acts(stage: Stage) -> None:
        acted.append(act_at_once(stage))
        if not journal:
            journal.update(journal_cost(stage))

    with_stage(locks)
    for _ in range(rounds):
        with_stage(acts)
    return {
        "benchmark": "takeover",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load": [round(first, 1), round(os.getloadavg()[0], 1)],
        "lock_seconds": seconds,
        "acts_seconds": [opened for opened, _ in acted],
        "served_seconds": [served for _, served in acted],
        "journal_seconds": journal,
    }


def with_stage(work: Callable[[Stage], object]) -> None:
    """A fresh lab with two managers, and its end."""
    lab = Lab.up(Options(name=f"bench{os.getpid()}"))
    managers = Managers(lab)
    try:
        for name in ("mgr1", "mgr2"):
            managers.start(name)
        work(Stage(lab, managers))
    finally:
        managers.stop()
        lab.down()


def rows_of(found: Mapping[str, Any]) -> list[tuple[str, list[float], float]]:
    """What is shown: what it is, its figures, its limit."""
    rows = [(f"lock: active manager {WAYS[way][2]}", found["lock_seconds"][way], WAYS[way][1]) for way in WAYS]
    rows.append(("failover opened: manager and primary SIGKILL", found["acts_seconds"], LIMIT))
    rows.append(("client served again: the same", found["served_seconds"], LIMIT + 1.0))
    costs = list(found["journal_seconds"].values())
    both = [first + second for first, second in zip(*costs, strict=True)]
    rows.append(("journal between freeze and writable, both records", both, JOURNAL))
    return rows


def main(words: Sequence[str]) -> int:
    """Run, print, keep; 1 when a limit is broken: each worst case, of the journal the median."""
    found = measure(int(words[0]) if words else ROUNDS)
    heads = ("seconds", "runs", "least", "median", "worst", "limit")
    table = Table(*heads, title="an active manager goes", title_justify="left")
    broken = []
    for what, values, limit in rows_of(found):
        judged = statistics.median(values) if limit == JOURNAL else max(values)
        broken += [f"{what}: {judged:.3f} s"] if judged > limit else []
        figures = (min(values), statistics.median(values), max(values), limit)
        table.add_row(what, str(len(values)), *(f"{figure:.3f}" for figure in figures))
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps({**found, "broken": broken}, indent=1) + "\n", encoding="utf-8")
    console = Console()
    (console if console.is_terminal else Console(width=110)).print(table)
    told = {key: found[key] for key in ("benchmark", "at", "cores", "load")}
    sys.stdout.write(json.dumps({**told, "broken": broken}) + "\n")
    return 1 if broken else 0
