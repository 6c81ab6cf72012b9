"""Measured rates, from the looks through the published status to a plan."""

from __future__ import annotations

from typing import Any

from failoverd.gtid import GtidSet
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


def test_what_was_watched_is_published_and_plans_reckon_with_it() -> None:
    etas = []
    for rate in (100, 400):
        manager = busy(Whole(), rate)
        told = published(manager, "db2")
        assert abs(told["apply_rate"] / rate - 1) < 0.5
        eta = desk.plan(manager.world, (), "").eta
        assert eta is not None
        etas.append(eta)
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
    for name in ("db2", "db3"):
        whole.mysqlds[name].change("", receiver=Thread.NO)
    whole.mysqlds["db1"].write(7)
    whole.hosts["db1"].silent = "unreachable"
    plan = desk.plan(manager.world, (), "")
    assert len(plan.missing) == 7
    loss: Any = plan_json(plan)["predicted_loss"]
    assert loss["bytes"] == round(7 * size)
    assert f"7 transactions, about {round(7 * size)} bytes" in render_plan(plan)
