"""Measurements as a drill records them, made up for tests: a kill at 100 s, the next write two seconds later."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from failoverd.model.rehearsed import Cast, Measured, Refused, Rows, Sight, StaleRead, Wrote

STRUCK = 100.0
CAST = Cast("db1", ("db2", "db3"), "mgr1", ("mgr2",), ("zk1",))


def written(begin: float, end: float, server: str, first: int) -> tuple[Wrote, ...]:
    """A row every 100 ms in that time."""
    count = round((end - begin) * 10)
    return tuple(Wrote(begin + number / 10, 0.004, first + number, server) for number in range(count + 1))


def operation(**changes: Any) -> dict[str, Any]:
    """A failover that was done."""
    told: dict[str, Any] = {
        "operation": "op1",
        "kind": "failover",
        "outcome": "done",
        "cause": "no mysqld is left",
        "epoch": 3,
        "old_primary": "db1",
        "new_primary": "db2",
        "started": "1970-01-01T00:01:40.300Z",
        "detected": "1970-01-01T00:01:40.200Z",
        "decided": "1970-01-01T00:01:40.300Z",
        "writable": "1970-01-01T00:01:41.500Z",
        "ended": "1970-01-01T00:01:43.000Z",
        "fenced": {"server": "db1", "how": "killed"},
        "lost": {"transactions": 0, "gtids": "", "at_least": False},
        "steps": [
            step("FENCE", "end mysqld on db1", "1970-01-01T00:01:40.300Z", 0.5),
            step("PROMOTE", "open db2", "1970-01-01T00:01:41.000Z", 0.5),
            step("REPOINT", "let db3 follow db2", "1970-01-01T00:01:41.500Z", 1.0),
        ],
    }
    return {**told, **changes}


def step(stage: str, title: str, started: str, seconds: float) -> dict[str, Any]:
    """One step of it."""
    shown = {"stage": stage, "title": title, "started": started, "seconds": seconds}
    return {**shown, "outcome": "done", "detail": "", "server": "db1"}


BEFORE = Sight(99.0, ("db1",), {"db2": "db1", "db3": "db1"}, "healthy", "db1", "mgr1")
DEAD = Sight(100.5, (), {}, "primary-dead", "db1", "mgr1", operation=True)
OPEN = Sight(101.5, ("db2",), {}, "healthy", "db2", "mgr1", operation=True)
WHOLE = Sight(103.0, ("db2",), {"db3": "db2"}, "healthy", "db2", "mgr1")

GOOD = Measured(
    cast=CAST,
    began=95.0,
    now=110.0,
    struck=STRUCK,
    final=True,
    sights=(BEFORE, DEAD, OPEN, WHOLE),
    wrote=written(95.0, 100.0, "db1", 1) + written(102.0, 109.9, "db2", 1001),
    refused=(Refused(100.1, 2013, "db1"), Refused(100.4, 2003, "db1"), Refused(100.6, 1290, "db2")),
    unknown=1,
    reads=50,
    stale=(StaleRead(104.0, "db3", 2, 0.02),),
    rows=Rows("db2", 131),
    operations=(operation(),),
)


def measured(**changes: Any) -> Measured:
    """The good one with changes."""
    return replace(GOOD, **changes)
