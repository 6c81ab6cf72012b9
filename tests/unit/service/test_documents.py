"""The documents that scripts rely on have every promised key, each with a value of its kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from failoverd.model.history import Pause
from failoverd.model.plans import Kind
from failoverd.model.published import plan_json
from failoverd.model.sight import Thread
from failoverd.service import desk
from tests.fakes.whole import CLUSTER, Manager, Whole

STATUS = """
name=str verdict=str rule=str sentence=str advice=str evidence[]=dict evidence[].what=str evidence[].route=str
evidence[].age_seconds=float evidence[].sentence=str refusals[]=dict refusals[].id=str refusals[].sentence=str
refusals[].measured=str refusals[].limit=str primary=str epoch=int active_manager=str standby_managers[]=str
coordination=str paused=dict paused.by=str paused.reason=str paused.until=str operation=none seen=str servers[]=dict
servers[].name=str servers[].host=str servers[].port=int servers[].role=str servers[].reachable=bool
servers[].read_only=bool servers[].super_read_only=bool servers[].source=str servers[].receiver=str
servers[].applier=str servers[].gtid_executed=str servers[].gtid_received=str servers[].lag_seconds=float
servers[].promote=str servers[].agent=str servers[].problems[]=dict servers[].problems[].id=str
servers[].problems[].sentence=str servers[].problems[].hint=str
"""
OPERATION = """
operation=str kind=str cluster=str outcome=str old_primary=str new_primary=str cause=str requested_by=dict
requested_by.kind=str requested_by.user=str requested_by.host=str requested_by.reason=str epoch=int started=str
detected=str decided=str writable=str ended=str outage_seconds=float lost=dict lost.transactions=int lost.gtids=str
lost.at_least=bool saved[]=dict saved[].gtids=str saved[].transactions=int saved[].from=str saved[].how=str
fenced=dict fenced.server=str fenced.how=str steps[]=dict steps[].stage=str steps[].title=str steps[].server=str
steps[].outcome=str steps[].started=str steps[].seconds=float steps[].detail=str replicas[]=dict replicas[].name=str
replicas[].attached=bool findings=list
"""
PLAN = """
cluster=str kind=str old_primary=str new_primary=str target=str errant=list refusals=list groups[]=dict
groups[].steps[]=dict groups[].steps[].stage=str groups[].steps[].title=str groups[].steps[].server=str
groups[].steps[].timeout_seconds=float groups[].steps[].if_it_fails=str
"""


def places(document: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """Every place of a document with the kind of what stands there: `servers[].port=int`."""
    for key, value in document.items():
        yield from kinds(f"{before}{key}", value)


def kinds(path: str, value: Any) -> Iterator[str]:
    """One value, and all that is inside it."""
    yield f"{path}={'none' if value is None else type(value).__name__}"
    for item in value if isinstance(value, list | tuple) else ():
        yield from kinds(f"{path}[]", item)
    if isinstance(value, Mapping):
        yield from places(value, f"{path}.")


def missing(promised: str, document: Mapping[str, Any]) -> set[str]:
    """What was promised and is not there."""
    return set(promised.split()) - set(places(document))


@pytest.fixture
def whole() -> Whole:
    return Whole()


def failing(whole: Whole) -> Manager:
    """A manager with a standby whose primary has just died, with transactions that no replica has received."""
    manager = whole.manager("m1").turns(4)
    whole.manager("m2")
    for name in ("db2", "db3"):
        whole.mysqlds[name].change("", receiver=Thread.NO, lag_seconds=0.5)
    whole.mysqlds["db1"].write(5)
    return manager


def test_a_status_has_every_promised_key(whole: Whole) -> None:
    manager = failing(whole)
    now = whole.clock.wall().timestamp()
    manager.coordination.pause(CLUSTER, Pause("anna", "moving racks", now + 600.0))
    whole.mysqlds["db1"].kill()
    manager.turns(3)
    shown = manager.coordination.status(CLUSTER)
    assert shown is not None
    assert missing(STATUS, shown) == set()


def test_an_operation_has_every_promised_key(whole: Whole) -> None:
    manager = failing(whole)
    whole.mysqlds["db1"].kill()
    manager.turns(3)
    (listed,) = manager.coordination.operations(CLUSTER)
    shown = manager.coordination.operation(str(listed["operation"]))
    assert shown is not None
    assert missing(OPERATION, shown) == set()


def test_a_plan_has_every_promised_key(whole: Whole) -> None:
    made = desk.plan(failing(whole).world, ("db1",), "")
    assert made.kind is Kind.FAILOVER
    assert missing(PLAN, plan_json(made)) == set()


def test_a_key_that_is_not_there_is_missed() -> None:
    assert missing("a=int b[].c=str", {"a": 1, "b": [{"c": None}]}) == {"b[].c=str"}
