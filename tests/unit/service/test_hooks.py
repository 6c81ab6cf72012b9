"""People's own programs at the turning points of a failover in memory: their order, their no, who repeats them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Literal

import pytest

from failoverd.execute.hands import Outside
from failoverd.model.hooks import HookCall, HookPolicy, Point, repeats
from failoverd.model.policy import ClusterPolicy
from failoverd.service import desk
from tests.fakes.hooks import FakeHooks
from tests.fakes.moments import Died
from tests.fakes.whole import CLUSTER, Manager, Whole

ALL = (
    Point.ON_VALIDATED,
    Point.BEFORE_FREEZE,
    Point.ON_FROZEN,
    Point.ON_PROMOTED,
    Point.ON_TRAFFIC_MOVED,
    Point.ON_SUCCESS,
    Point.ON_FAILURE,
    Point.ON_UNDONE,
)


class Play:
    """A cluster in memory whose primary dies under a manager with hooks."""

    def __init__(self, *points: Point, fencing: Literal["required", "best-effort"] = "best-effort") -> None:
        self.whole = Whole(fencing=fencing)
        self.hooks = FakeHooks(dict.fromkeys(points or ALL, ("10-a",)))
        self.whole.policy = replace(self.whole.policy, hooks=self.hooks.policy())

    def manager(self, name: str = "m1") -> Manager:
        manager = self.whole.manager(name)
        manager.world = replace(manager.world, outside=Outside(hooks=self.hooks))
        return manager

    def failed_over(self) -> tuple[Manager, dict[str, Any]]:
        manager = self.manager().turns(4)
        self.whole.mysqlds["db1"].kill()
        manager.turns(3)
        return manager, shown(manager)


def shown(manager: Manager) -> dict[str, Any]:
    """The newest operation with its steps and journal."""
    newest = manager.coordination.operations(CLUSTER)[0]
    found = manager.coordination.operation(str(newest["operation"]))
    assert found is not None
    return dict(found)


def entries(operation: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["body"] for entry in operation["entries"] if entry["kind"] == kind]


def test_they_run_in_the_order_of_a_failover_and_are_told_what_happens() -> None:
    play = Play()
    _, operation = play.failed_over()
    assert operation["outcome"] == "done"
    names = [call.point for call in play.hooks.calls]
    assert names == [*ALL[:6]]
    last = play.hooks.calls[4]
    assert dict(last.told) == {
        "CLUSTER": "shop",
        "OPERATION": operation["operation"],
        "KIND": "failover",
        "EPOCH": "1",
        "STAGE": "TRAFFIC",
        "HOOK": "on-traffic-moved",
        "OLD": "db1",
        "NEW": "db2",
        "OLD_ADDRESS": "db1:3306",
        "NEW_ADDRESS": "db2:3306",
        "IDEMPOTENCY_KEY": f"{operation['operation']}:on-traffic-moved:10-a",
    }
    assert json.loads(last.document)["operation"] == operation["operation"]
    assert json.loads(play.hooks.calls[5].document)["outcome"] == "done"
    assert len(entries(operation, "hook")) == len(entries(operation, "hook-ended")) == 6
    stages = [step["title"] for step in operation["steps"]]
    asked = stages.index("run the hooks before-freeze")
    assert asked < stages.index("fence db1 through its agent"), "nothing is changed before the veto"


def test_a_no_before_the_freeze_undoes_and_the_hooks_behind_it_are_not_asked() -> None:
    play = Play()
    play.hooks.standing[Point.BEFORE_FREEZE] = ("10-a", "20-b")
    play.hooks.fails("before-freeze/10-a", output="month end")
    _, operation = play.failed_over()
    assert operation["outcome"] == "undone"
    assert play.hooks.told() == ["on-validated/10-a", "before-freeze/10-a", "on-undone/10-a"]
    (asked,) = [step for step in operation["steps"] if step["outcome"] == "failed"]
    assert "month end" in asked["detail"]
    assert entries(operation, "hook-ended")[1]["output"] == "month end"
    assert play.whole.hosts["db1"].fenced is None
    assert all(mysqld.read_only for name, mysqld in play.whole.mysqlds.items() if name != "db1")


@pytest.mark.parametrize("point", [Point.ON_VALIDATED, *ALL[2:6]])
def test_no_other_hook_stops_anything(point: Point) -> None:
    play = Play()
    play.hooks.fails(f"{point}/10-a", "killed after 10 s")
    _, operation = play.failed_over()
    assert (operation["outcome"], operation["new_primary"]) == ("done", "db2")
    assert all(replica["attached"] for replica in operation["replicas"] if replica["name"] != "db1")
    assert any("killed after 10 s" in body["how"] for body in entries(operation, "hook-ended"))


@pytest.mark.parametrize(
    ("point", "name", "again"),
    [
        (Point.ON_PROMOTED, "10-a", True),
        (Point.ON_PROMOTED, "10-a.once", False),
        (Point.ON_FROZEN, "10-a", False),
        (Point.ON_FROZEN, "10-a.repeatable", True),
        (Point.BEFORE_FREEZE, "10-a", True),
        (Point.ON_SUCCESS, "10-mail", False),
    ],
)
def test_whoever_goes_on_repeats_only_what_may_be(point: Point, name: str, again: bool) -> None:
    play = Play(point)
    play.hooks.standing[point] = (name,)
    first, second = play.manager().turns(4), play.manager("m2").turns(2)

    def die(_: HookCall) -> None:
        play.hooks.before = lambda _: None
        raise Died

    play.hooks.before = die
    play.whole.mysqlds["db1"].kill()
    with pytest.raises(Died):
        first.turns(3)
    play.whole.store.depose(CLUSTER)
    second.turns(6)
    assert shown(second)["outcome"] == "done"
    keys = [call.told["IDEMPOTENCY_KEY"] for call in play.hooks.calls]
    assert len(keys) == 1 + again
    assert len(set(keys)) == 1, "the same act has the same key"


def test_the_status_names_the_hook_that_is_under_way() -> None:
    play = Play(Point.ON_PROMOTED, Point.ON_TRAFFIC_MOVED)
    manager = play.manager().turns(4)
    seen: list[object] = []

    def look(_: HookCall) -> None:
        operation = desk.status(manager.world)["operation"]
        assert isinstance(operation, dict)
        seen.append(operation["hook_pending"])

    play.hooks.before = look
    play.whole.mysqlds["db1"].kill()
    manager.turns(3)
    assert seen == [["on-promoted/10-a"], ["on-traffic-moved/10-a"]]


def test_an_operation_that_did_not_succeed_is_told_so() -> None:
    play = Play(Point.FENCE, Point.ON_FAILURE, fencing="required")
    play.hooks.fails("fence/10-a", "exit 1")
    manager = play.manager().turns(4)
    play.whole.mysqlds["db1"].kill()
    play.whole.hosts["db1"].silent = "unreachable"
    manager.turns(4)
    play.whole.clock.sleep(8.0)  # a refused port alone is waited for
    manager.turns(4)
    told = [call for call in play.hooks.calls if call.point is Point.ON_FAILURE]
    assert json.loads(told[0].document)["outcome"] == "needs-person"


def test_the_file_says_whether_it_may_be_repeated() -> None:
    assert repeats(Point.FENCE, "10-power")
    assert not repeats(Point.FENCE, "10-power.once")
    assert not repeats(Point.ON_SUCCESS, "10-mail")
    assert repeats(Point.ON_SUCCESS, "10-mail.repeatable")


@pytest.mark.parametrize(
    ("fencing", "ends_well", "outcome", "how"),
    [
        ("required", True, "done", "hook 10-a: its word is taken for it"),
        ("required", False, "needs-person", None),
        ("best-effort", True, "done", "hook 10-a: its word is taken for it"),
        ("best-effort", False, "done", "UNFENCED"),
    ],
)
def test_a_fence_by_hook_stands_in_where_no_other_was_proven(
    fencing: Literal["required", "best-effort"], ends_well: bool, outcome: str, how: str | None
) -> None:
    play = Play(Point.FENCE, fencing=fencing)
    if not ends_well:
        play.hooks.fails("fence/10-a", "exit 1", "no power switch")
    manager = play.manager().turns(4)
    play.whole.mysqlds["db1"].kill()
    play.whole.hosts["db1"].silent = "unreachable"
    manager.turns(4)
    play.whole.clock.sleep(8.0)  # a refused port alone is waited for
    manager.turns(4)
    operation = shown(manager)
    assert operation["outcome"] == outcome, operation
    assert (operation["fenced"] or {}).get("how") == how


def test_a_fence_by_hook_is_not_run_where_the_agent_has_proven_one() -> None:
    play = Play(Point.FENCE)
    _, operation = play.failed_over()
    assert operation["outcome"] == "done"
    assert play.hooks.calls == []


def test_verdicts_and_progress_are_told_aside() -> None:
    play = Play(Point.ON_VERDICT, Point.ON_STATUS)
    play.failed_over()
    assert play.hooks.calls == []
    verdicts = [c.told["KIND"] for c in play.hooks.posted if c.point is Point.ON_VERDICT]
    assert verdicts[0] == "healthy"
    assert "primary-dead" in verdicts
    stages = [c.told["STAGE"] for c in play.hooks.posted if c.point is Point.ON_STATUS]
    assert stages.index("FENCE") < stages.index("PROMOTE") < stages.index("REPOINT")


def test_without_hooks_a_plan_has_none_of_their_steps() -> None:
    assert ClusterPolicy("shop", ()).hooks == HookPolicy()
    play = Play(Point.ON_SUCCESS)
    _, operation = play.failed_over()
    assert not [step for step in operation["steps"] if "hook" in step["title"]]
