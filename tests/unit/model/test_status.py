"""What `status` shows of one cluster."""

from __future__ import annotations

import json
from typing import Any

from failoverd.decide.judge import judge
from failoverd.model.history import Pause
from failoverd.model.status import Management, status_json
from tests.scenarios.world import NOW, WALL, build


def status(*lines: str, management: Management | None = None) -> dict[str, Any]:
    world = build(lines)
    verdict = judge(world.snapshot, world.history, world.policy, NOW, WALL)
    shown = status_json(world.snapshot, verdict, world.policy, management or Management(), WALL)
    plain: dict[str, Any] = json.loads(json.dumps(shown))
    return plain


def roles(shown: dict[str, Any]) -> dict[str, str]:
    return {server["name"]: server["role"] for server in shown["servers"]}


def test_a_healthy_chain() -> None:
    shown = status("db1 up", "db2 replica", "db3 replica from=db2", "db4 down")
    assert shown["verdict"] == "healthy"
    assert roles(shown) == {"db1": "primary", "db2": "intermediate", "db3": "replica", "db4": "unknown"}
    db3 = shown["servers"][2]
    assert (db3["source"], db3["receiver"], db3["applier"], db3["lag_seconds"]) == ("db2", "yes", "yes", None)
    assert db3["gtid_executed"].endswith(":1-100")


def test_what_a_look_cannot_know_is_null() -> None:
    down = status("db1 up", "db2 down why=timed-out", "agent db2 old")["servers"][1]
    unknown = ("read_only", "super_read_only", "source", "receiver", "applier", "gtid_executed", "gtid_received")
    assert {key: down[key] for key in unknown} == dict.fromkeys(unknown)
    assert (down["reachable"], down["agent"]) == (False, "old")
    assert [problem["id"] for problem in down["problems"]] == ["unreachable", "agent"]


def test_a_returning_and_a_diverged_server() -> None:
    shown = status("db1 up", "db2 alone", "db3 alone executed=db1:1-100,db3:1", "db4 replica from=elsewhere")
    assert roles(shown) == {"db1": "primary", "db2": "returning", "db3": "diverged", "db4": "replica"}
    assert shown["servers"][3]["source"] == "elsewhere:3306"


def test_who_manages() -> None:
    management = Management(7, "mgr1", ("mgr2",), "ok", Pause("anna", "moving", WALL), {"id": "shop-1"})
    shown = status("db1 up", management=management)
    assert (shown["epoch"], shown["active_manager"], shown["standby_managers"]) == (7, "mgr1", ["mgr2"])
    assert shown["paused"] == {"by": "anna", "reason": "moving", "until": "2027-01-15T08:00:00.000Z"}
    assert shown["operation"] == {"id": "shop-1"}
    assert shown["servers"] == [{**server, "paused": None} for server in shown["servers"]]
    spared = Management(paused_servers=(Pause("bert", "disk", None, "db1"),))
    (server, *_) = status("db1 up", management=spared)["servers"]
    assert server["paused"] == {"by": "bert", "reason": "disk", "until": None}
    assert status("db1 up")["paused"] is None
