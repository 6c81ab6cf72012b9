"""How long it takes to let many replicas follow another source: servers in memory that take their time for each answer.

`python -m tests.bench repointing`. The figures go to standard output and to build/bench/repointing.json. Ends with 1
when the limit is broken.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from failoverd.drivers.clock import SystemClock
from failoverd.drivers.tasks import ThreadTasks
from failoverd.execute.hands import Hands, Means
from failoverd.execute.run import run
from failoverd.model.plans import Group, Kind, Operation, Plan, Requester
from failoverd.model.steps import Repoint, Stage, Task
from failoverd.plan.times import FOLLOW
from failoverd.ports import ClaimedServer
from tests.fakes.whole import CLUSTER, START, Whole

MANY, ELECT = 20, "db2"
DELAY = 0.1  # seconds that a server takes for each answer
LIMIT = 2.0  # so many times as long as one may it take for all
TARGET = Path(__file__).parents[2] / "build/bench/repointing.json"


class Slow:
    """A claim whose every answer takes its time."""

    def __init__(self, claim: ClaimedServer) -> None:
        self._claim = claim

    def __getattr__(self, name: str) -> Callable[..., Any]:
        found = getattr(self._claim, name)

        def answered(*values: Any) -> Any:
            time.sleep(DELAY)
            return found(*values)

        return answered


def repointing(replicas: int) -> float:
    """Seconds until so many replicas follow the elect, by the production loop on threads."""
    whole = Whole(replicas=replicas + 1)
    manager = whole.manager().turns(3)
    lease = manager.coordination.lease(CLUSTER)
    if lease is None:
        raise RuntimeError("the manager has no lease")
    names = [name for name in whole.mysqlds if name not in {"db1", ELECT}]
    plan = Plan(CLUSTER, Kind.SWITCHOVER, "db1", ELECT, ())
    operation = Operation("op", CLUSTER, Kind.SWITCHOVER, 1, "m1", Requester(), "bench", plan, START)
    manager.coordination.begin(lease, operation)
    means = Means(manager.servers, manager.agents, manager.coordination, ThreadTasks(), SystemClock())
    hands = Hands(means, lease, whole.policy, operation, lambda _: None)
    for name in names:
        hands.claims[name] = cast("ClaimedServer", Slow(manager.servers.claim(CLUSTER, name, lease, 5.0)))
    endpoint = whole.mysqlds[ELECT].endpoint
    tasks = tuple(Task(Repoint(name, ELECT, endpoint), FOLLOW) for name in names)
    begun = time.monotonic()
    ended = run(Plan(CLUSTER, Kind.SWITCHOVER, "db1", ELECT, (Group(Stage.REPOINT, tasks),)), hands)
    seconds = time.monotonic() - begun
    if not ended.complete or len(ended.done) != replicas:
        raise RuntimeError(f"not all of {replicas} were repointed: {ended.stopped_by}")
    return seconds


def main(_: Sequence[str]) -> int:
    """Run, print, keep; 1 when the limit is broken."""
    one, many = repointing(1), repointing(MANY)
    document = {
        "benchmark": "repointing",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "answer_seconds": DELAY,
        "seconds": {"1": round(one, 3), str(MANY): round(many, 3)},
        "limit": f"{MANY} within {LIMIT:g} times one",
        "broken": [f"{MANY} replicas took {many / one:.1f} times as long as one"] if many > LIMIT * one else [],
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(document))
    return 1 if document["broken"] else 0
