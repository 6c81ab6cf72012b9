"""A server that diverged: closed, what only it has is kept once, and it is left alone; over a cluster in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.divergence import Told
from failoverd.model.errors import AgentError
from failoverd.service import desk
from failoverd.service.errant import Wanted
from tests.fakes.archive import FakeArchive
from tests.fakes.whole import CLUSTER, Manager, Whole
from tests.unit.service.test_rejoin import failed_over, kinds, start


@pytest.fixture
def whole() -> Whole:
    return Whole()


def with_archive(manager: Manager, archive: FakeArchive) -> Manager:
    manager.world = replace(manager.world, outside=replace(manager.world.outside, archive=archive))
    return manager


def only(told: Mapping[str, object]) -> Mapping[str, Any]:
    """The one server of a document."""
    servers = told["servers"]
    assert isinstance(servers, list)
    (one,) = servers
    return dict(one)


def diverged(whole: Whole, archive: FakeArchive, *, closed: bool = True) -> tuple[Manager, GtidSet]:
    """db1 comes back with four transactions that nobody else has."""
    manager = with_archive(failed_over(whole), archive)
    before = whole.mysqlds["db1"].executed
    whole.mysqlds["db1"].write(4)
    start(whole, "db1", closed=closed)
    return manager, whole.mysqlds["db1"].executed - before


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
def test_what_only_it_has_is_kept_once_and_it_is_left_alone(whole: Whole, closed: bool) -> None:
    archive = FakeArchive()
    manager, tail = diverged(whole, archive, closed=closed)
    manager.turns(3)
    assert [order.gtids for order in archive.orders] == [tail]
    (order,) = archive.orders
    assert (order.server, order.primary) == ("db1", "db2")
    assert {one.told for one in order.judged} == {Told.UNKNOWN}, "in async mode nobody knows who was answered"
    assert kinds(manager)[0] == ("rejoin", "refused")
    assert whole.mysqlds["db1"].super_read_only
    assert not whole.mysqlds["db1"].channels
    count = len(kinds(manager))
    manager.turns(8)
    assert len(archive.orders) == 1
    assert len(kinds(manager)) == count, "nothing is begun again for what is kept"


def test_where_it_cannot_be_kept_that_is_said(whole: Whole) -> None:
    archive = FakeArchive()
    archive.error = AgentError("the agent went away")
    manager, _ = diverged(whole, archive)
    manager.turns(3)
    shown = manager.coordination.operation(str(manager.coordination.operations(CLUSTER)[0]["operation"]))
    assert shown is not None
    assert shown["outcome"] == "refused"
    steps = shown["steps"]
    assert isinstance(steps, list)
    assert [s["outcome"] for s in steps if s["title"].startswith("keep")] == ["failed"]
    assert "not kept" in str(shown["findings"])


def test_a_part_that_the_log_does_not_give_is_a_failure_that_names_it(whole: Whole) -> None:
    archive = FakeArchive()
    manager, tail = diverged(whole, archive)
    archive.lacks = tail
    manager.turns(3)
    shown = manager.coordination.operation(str(manager.coordination.operations(CLUSTER)[0]["operation"]))
    assert shown is not None
    assert "does not give 4 of them" in str(shown["steps"])


def test_with_rejoin_off_nothing_is_begun(whole: Whole) -> None:
    archive = FakeArchive()
    manager, tail = diverged(whole, archive)
    manager.world = replace(manager.world, policy=replace(manager.world.policy, rejoin="off"))
    manager.turns(3)
    assert kinds(manager)[0][0] == "failover"
    assert [order.gtids for order in archive.orders] == [tail], "kept all the same: that changes nothing there"


def test_people_see_what_is_errant_also_on_a_dead_server(whole: Whole) -> None:
    archive = FakeArchive()
    manager = with_archive(failed_over(whole), archive)
    before = whole.mysqlds["db1"].executed
    whole.mysqlds["db1"].write(4)
    tail = whole.mysqlds["db1"].executed - before
    assert not whole.mysqlds["db1"].alive
    told = desk.errant_told(manager.world, Wanted())
    servers = told["servers"]
    assert isinstance(servers, list)
    shown = {one["name"]: (one["reachable"], one["gtids"], one["export"]) for one in servers}
    assert shown == {"db1": (False, str(tail), None), "db3": (True, "", None)}
    assert archive.orders == []
    told = desk.errant_told(manager.world, Wanted("db1", export=True))
    one = only(told)
    assert one["export"].startswith("/kept/")
    assert one["shown"] == [{"gtid": str(tail)}]
    assert [order.gtids for order in archive.orders] == [tail]


def test_a_host_that_is_silent_is_a_problem_and_no_proof(whole: Whole) -> None:
    manager = with_archive(failed_over(whole), FakeArchive())
    whole.hosts["db1"].silent = "unreachable"
    told = desk.errant_told(manager.world, Wanted("db1"))
    one = only(told)
    assert one["transactions"] == 0
    assert "unreachable" in one["problem"]
