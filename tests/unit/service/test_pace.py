"""Measured rates, from the looks through the published status to a plan."""

from __future__ import annotations

from typing import Any

from failoverd.gtid import GtidSet
from failoverd.model.plans import Plan
from failoverd.model.published import plan_json
from failoverd.model.sight import Thread
from failoverd.plan.render import render_plan
from failoverd.service import desk
from tests.fakes.whole import CLUSTER, Manager, Whole


def published(manager: Manager, name: str) -> dict[str, Any]:
    """A server of the published status."""
    told = manager.coordination.status(CLUSTER)
    assert told is not None
    servers: Any = told["servers"]
    return next(server for server in servers if server["name"] == name)


def busy(whole: Whole, rate: int) -> Manager:
    """A manager that saw db2 and db3 execute so many transactions a second while more was waiting."""
    manager = whole.manager().turns(2)
    first = whole.mysqlds["db1"]
    first.write(100_000)
    for second in range(16):
        whole.clock.sleep(1.0)
        for name in ("db2", "db3"):
            replica = whole.mysqlds[name]
            replica.change(
                "",
                applier=Thread.NO,
                received=first.executed,
                source_file="b.1",
                source_position=1000 * (second + 1),
            )
            replica.executed |= GtidSet.parse(f"{first.server_uuid}:1-{(second + 1) * rate}")
        manager.turns(1)
    return manager


def losing(whole: Whole, manager: Manager, count: int) -> Plan:
    """What would happen now, where db1 has written so many that nobody got, and its host tells nothing."""
    for name in ("db2", "db3"):
        whole.mysqlds[name].change("", receiver=Thread.NO)
    whole.mysqlds["db1"].write(count)
    whole.hosts["db1"].silent = "unreachable"
    plan = desk.plan(manager.world, (), "")
    assert len(plan.missing) == count
    return plan


def test_what_was_watched_is_published_and_plans_reckon_with_it() -> None:
    etas = []
    for rate in (100, 400):
        manager = busy(Whole(), rate)
        told = published(manager, "db2")
        assert abs(told["apply_rate"] / rate - 1) < 0.5
        plan = desk.plan(manager.world, (), "")
        assert plan.eta is not None
        etas.append(plan.eta)
        seen: Any = plan_json(plan)["apply_rate"]
        assert seen == published(manager, plan.elect)["apply_rate"]
        assert f"{plan.elect} was seen to apply {round(plan.apply_rate or 0)} transactions a second" in render_plan(
            plan
        )
    assert etas[0] > 3 * etas[1] > 100, etas


def test_what_nobody_can_give_back_is_told_in_bytes() -> None:
    whole = Whole()
    manager = whole.manager().turns(2)
    for second in range(12):
        whole.mysqlds["db1"].write(10)
        for name in ("db2", "db3"):
            whole.mysqlds[name].change("", source_file="b.1", source_position=3000 * second)
        whole.clock.sleep(0.5)
        manager.turns(1)
    size = published(manager, "db2")["transaction_bytes"]
    assert size is not None
    plan = losing(whole, manager, 7)
    loss: Any = plan_json(plan)["predicted_loss"]
    assert loss["bytes"] == round(7 * size)
    text = render_plan(plan)
    assert f"7 transactions, about {round(7 * size)} bytes" in text
    assert "is not known" not in text


def test_what_was_never_measured_is_said_not_to_be_known() -> None:
    whole = Whole()
    manager = whole.manager().turns(2)
    assert published(manager, "db2")["transaction_bytes"] is None
    plan = losing(whole, manager, 7)
    told = plan_json(plan)
    loss: Any = told["predicted_loss"]
    assert (loss["transactions"], loss["bytes"], told["apply_rate"]) == (7, None, None)
    assert "how many bytes is not known: no manager saw a replica receive any" in render_plan(plan)


def test_a_rate_that_nobody_measured_is_said_to_be_assumed() -> None:
    whole = Whole()
    manager = whole.manager().turns(2)
    for name in ("db2", "db3"):
        whole.mysqlds[name].change("", applier=Thread.NO)
    whole.mysqlds["db1"].write(9)
    manager.turns(1)
    plan = desk.plan(manager.world, (), "")
    assert plan.eta is not None
    assert f"900 transactions a second are assumed: no manager saw {plan.elect}" in render_plan(plan)


def test_a_killed_server_refuses_its_replicas_so_that_nobody_waits_for_a_receiver() -> None:
    """Its host is up: only one that swallows packets makes a receiver's end take two seconds."""
    eta = desk.plan(Whole().manager().turns(2).world, (), "").eta
    assert eta is not None
    assert eta < 1.0
