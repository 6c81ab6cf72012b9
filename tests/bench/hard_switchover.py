"""Planned changes that begin at a bad moment: a candidate 2 s behind, and a transaction that was open for long.

`python -m tests.bench hard_switchover`. The figures go to standard output and to build/bench/hard_switchover.json.
Ends with 1 when a limit is broken.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from failoverd.drivers.mysql.application import ApplicationSession
from failoverd.lab import Lab, Options
from failoverd.lab.compare import compare, writable
from failoverd.lab.managers import Managers
from failoverd.lab.writer import TABLE, Writer, writer_for
from failoverd.model.errors import FailoverdError
from failoverd.model.sight import Endpoint
from tests.bench.main_job import MANAGERS, PATIENCE, enough
from tests.bench.switchover import WORST

TARGET = Path(__file__).parents[2] / "build/bench/hard_switchover.json"
BEHIND = 2.0  # seconds for which the candidate applies nothing before the change is asked for
BUDGET = 2.0  # the freeze budget, as it is by default
MARGIN = 0.2  # an attempt that is given up ends so soon after its budget
KILL = {"clusters": {"shop": {"switchover": {"long_transactions": "kill-after 1s"}}}}


@dataclass(frozen=True)
class Stage:
    """A lab with managers and a client."""

    lab: Lab
    managers: Managers
    writer: Writer


@dataclass(frozen=True)
class Seen:
    """One change: its outcome, the longest time without a row, how long closing took in each attempt."""

    situation: str
    outcome: str
    without_a_row: float
    closing: tuple[float, ...]
    broken: tuple[str, ...]
    load: float


@contextmanager
def stage(settings: Mapping[str, object]) -> Iterator[Stage]:
    """A lab of three servers in order, with a client that writes every 10 ms."""
    lab = Lab.up(Options(name=f"bench{os.getpid()}-h", replicas=2, settings=settings))
    managers, writer = Managers(lab), writer_for(lab)
    try:
        for name in MANAGERS:
            managers.start(name)
        lab.sql(str(managers.wait_ready(timeout=PATIENCE)["primary"]), TABLE)
        writer.start()
        yield Stage(lab, managers, writer)
    finally:
        writer.stop()
        managers.stop()
        lab.down()


def client(lab: Lab, server: str, *said: str) -> ApplicationSession:
    """A session of the application that has said these statements and leaves it at that."""
    session = ApplicationSession(Endpoint(lab.hosts[server].address, 3306), "app", lab.password("app"), "app", 30.0)
    for text in said:
        session.execute(text)
    return session


def changed(on: Stage, situation: str, wanted: str, limit: float) -> Seen:
    """Ask for the change, and judge what the client saw of it."""
    load, begun = os.getloadavg()[0], on.writer.account.acks[-1].at
    answer = on.managers.command("switchover", "shop", "--yes", "--json")
    document = json.loads(answer.stdout)
    enough(on.writer, 50)
    gap = on.writer.account.longest_gap(begun)[0]
    closing = tuple(float(step["seconds"]) for step in document["steps"] if step["title"].startswith("close "))
    checks = (
        (document["outcome"] != wanted, f"the outcome is {document['outcome']}, not {wanted}"),
        (gap > limit, f"{gap:.3f} s without a row, more than {limit} s"),
        (max(closing) > BUDGET + MARGIN, f"an attempt took {max(closing):.3f} s, more than {BUDGET + MARGIN} s"),
    )
    broken = tuple(f"{situation}: {sentence}" for holds, sentence in checks if holds)
    return Seen(situation, document["outcome"], round(gap, 3), closing, broken, load)


def behind(on: Stage) -> Seen:
    """Both replicas apply nothing for a while, and are let go when the change is asked for."""
    primary = str(on.managers.wait_ready(timeout=PATIENCE)["primary"])
    locks = "LOCK TABLES app.numbered READ"
    sessions = [client(on.lab, name, locks) for name in on.lab.servers if name != primary]
    time.sleep(BEHIND)

    def let_go() -> None:
        for session in sessions:
            session.close()

    later = threading.Timer(0.2, let_go)
    later.start()
    try:
        return changed(on, "candidate 2 s behind", "done", WORST)
    finally:
        later.join()


def open_transaction(situation: str, wanted: str) -> Callable[[Stage], Seen]:
    """A transaction that changed a row stays open all the time."""

    def happens(on: Stage) -> Seen:
        primary = str(on.managers.wait_ready(timeout=PATIENCE)["primary"])
        row = f"INSERT INTO app.numbered VALUES ({10**9}, 0, 'open')"
        session = client(on.lab, primary, "BEGIN", row)
        try:
            return changed(on, situation, wanted, WORST)
        finally:
            with contextlib.suppress(FailoverdError):
                session.execute("ROLLBACK")
            session.close()

    return happens


def lost(on: Stage) -> int:
    """Rows that are missing where writes are taken, once the client has stopped; all of them if it is not one place."""
    account, takers = on.writer.stop(), writable(on.lab)
    return len(compare(on.lab, takers[0], account).lost) if len(takers) == 1 else len(account.acks)


def main(_: Sequence[str]) -> int:
    """Run, print, keep; 1 when a limit is broken."""
    waits = open_transaction("a transaction open, wait", "undone")
    kills = open_transaction("a transaction open, kill-after 1s", "done")
    labs: tuple[tuple[Mapping[str, object], tuple[Callable[[Stage], Seen], ...]], ...] = (
        ({}, (behind, waits)),
        (KILL, (kills,)),
    )
    seen: list[Seen] = []
    missing = 0
    for settings, situations in labs:
        with stage(settings) as on:
            for happens in situations:
                enough(on.writer, 50)
                seen.append(happens(on))
                sys.stderr.write(f"{seen[-1]}\n")
            missing += lost(on)
    broken = [sentence for one in seen for sentence in one.broken]
    document = {
        "benchmark": "hard_switchover",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "rows_lost": missing,
        "broken": [*broken, *(["rows were lost"] if missing else [])],
        "changes": [asdict(one) for one in seen],
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(document))
    return 1 if document["broken"] else 0
