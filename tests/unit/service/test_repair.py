"""Mending a relay log through the production service, over a cluster in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.errors import FailoverdError
from failoverd.model.plans import Kind, Request, Requester, Result
from failoverd.model.published import report_json
from failoverd.model.sight import Thread
from failoverd.service import act, desk
from tests.fakes.moments import Died, at, dies
from tests.fakes.whole import CLUSTER, Manager, Whole, uuid_of

UNREADABLE = GtidSet.parse(f"{uuid_of('db1')}:13-14")
BEHIND = GtidSet.parse(f"{uuid_of('db1')}:15-20")


def damaged(replicas: int = 2) -> tuple[Whole, Manager]:
    """A watched cluster in which db2 has received ten transactions and cannot read the third and fourth of them."""
    whole = Whole(replicas=replicas)
    manager = whole.manager().turns(3)
    db2 = whole.mysqlds["db2"]
    db2.unreadable, db2.behind = UNREADABLE, BEHIND
    whole.mysqlds["db1"].write(10)
    manager.turns(2)
    assert db2.channels[""].applier_trouble.code == 13121
    return whole, manager


def asked(manager: Manager, server: str = "db2") -> str:
    """A person asks the active manager for a repair; the request's id."""
    by = Requester("person", "anna", "desk", "rehearsal")
    wall = manager.world.eyes.clock.wall().timestamp()
    return manager.coordination.ask(Request(CLUSTER, Kind.REPAIR, by, to=server, asked_at=wall))


def answered(manager: Manager, request: str) -> dict[str, object]:
    """The report that came back."""
    manager.turns(2)
    answer = manager.coordination.answered(CLUSTER, request)
    assert answer is not None
    return dict(answer)


def test_a_living_source_sends_again_and_the_files_are_kept_until_all_is_well() -> None:
    whole, manager = damaged()
    request = asked(manager)
    manager.turns(1)
    (operation,) = manager.coordination.operations(CLUSTER)
    assert whole.hosts["db2"].kept.keys() == {operation["operation"]}
    report = answered(manager, request)
    assert (report["kind"], report["outcome"]) == ("repair", "done"), report
    manager.turns(2)
    assert whole.mysqlds["db2"].executed == whole.mysqlds["db1"].executed
    assert whole.hosts["db2"].kept == {}
    assert whole.mysqlds["db2"].channels[""].applier is Thread.YES


def test_what_nobody_has_is_named_and_the_relay_log_stays() -> None:
    whole, manager = damaged(replicas=1)
    whole.mysqlds["db1"].kill()
    whole.hosts["db1"].silent = "unreachable"
    before = whole.mysqlds["db2"].channels[""].received
    report = desk_answer(manager)
    assert report["outcome"] == "failed", report
    refusals: Any = report["refusals"]
    (refusal,) = refusals
    assert refusal["id"] == "recovery-incomplete"
    assert str(UNREADABLE) in refusal["sentence"]
    assert whole.mysqlds["db2"].channels[""].received == before
    assert manager.memory.history.last_attempt_at is None, "a repair does not hold a failover up"


def desk_answer(manager: Manager) -> dict[str, object]:
    """The repair as a command runs it that found no manager."""
    memory, snapshot = desk.own_look(manager.world)
    memory.phase = manager.memory.phase
    lease = manager.coordination.lease(CLUSTER)
    assert lease is not None
    occasion = desk.occasion_of(manager.world, memory, snapshot, lease)
    request = Request(CLUSTER, Kind.REPAIR, Requester("person", "anna", "desk", ""), to="db2")
    report = act.operate(manager.world, memory, occasion, Kind.REPAIR, request)
    assert report.result is Result.FAILED
    return dict(report_json(report))


def test_a_prediction_changes_nothing_and_names_the_steps() -> None:
    whole, manager = damaged()
    before = {name: (m.executed, dict(m.channels)) for name, m in whole.mysqlds.items()}
    plan = desk.repair_plan(manager.world, "db2")
    assert plan.titles()[-1] == "REPOINT: let db2 begin new relay logs and fetch from db1"
    assert {name: (m.executed, dict(m.channels)) for name, m in whole.mysqlds.items()} == before
    assert whole.hosts["db2"].kept == {}


def test_a_server_without_a_source_is_refused() -> None:
    _, manager = damaged()
    with pytest.raises(FailoverdError, match="follows nobody"):
        desk.repair_plan(manager.world, "db1")


def test_a_healthy_replica_is_left_alone() -> None:
    whole = Whole()
    manager = whole.manager().turns(3)
    channel = replace(whole.mysqlds["db2"].channels[""])
    report = answered(manager, asked(manager))
    assert report["outcome"] == "done"
    assert whole.mysqlds["db2"].channels[""] == channel


def test_a_repair_that_its_manager_left_is_taken_back_and_begun_anew_for_who_still_waits() -> None:
    whole, first = damaged()
    second = whole.manager("m2")

    at(first, "before:Refetch", dies)
    request = asked(first)
    with pytest.raises(Died):
        first.turns(2)
    first.coordination.resign(CLUSTER)
    assert answered(second, request)["outcome"] == "done"
    assert [shown["outcome"] for shown in second.coordination.operations(CLUSTER)] == ["done", "undone"]
    second.turns(2)
    assert whole.mysqlds["db2"].executed == whole.mysqlds["db1"].executed
