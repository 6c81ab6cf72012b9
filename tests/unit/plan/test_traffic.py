"""Clients are led to the elect first; then the others give the address away, as far as they can be asked."""

from __future__ import annotations

from dataclasses import replace

from failoverd.model.steps import LeaveAddress, SteerBalancers, TakeAddress
from failoverd.model.traffic import Haproxy, TrafficPolicy, Vip
from failoverd.plan.traffic import leaving, traffic_group
from tests.scenarios.world import build

WORLD = build(
    [
        "db1 down why=reset",
        "db2 replica",
        "db3 replica",
        "agent db2 alive",
        "agent db3 alive",
        "history misses=1 down=0",
    ]
)
VIP, HAPROXY = Vip("10.0.0.100", 24, "eth0"), Haproxy(("a:1",), "shop")
LED = replace(WORLD.policy, traffic=TrafficPolicy(VIP, HAPROXY))


def test_the_elect_is_told_and_nothing_where_nothing_is_configured() -> None:
    steps = [task.step for task in traffic_group(LED, "db2").tasks]
    assert steps == [TakeAddress("db2", VIP), SteerBalancers("db2", ("db1", "db3"), HAPROXY)]
    assert traffic_group(WORLD.policy, "db2").tasks == ()
    assert leaving(WORLD.snapshot, WORLD.policy, "db2") == ()


def test_only_hosts_that_answer_are_asked_and_a_primary_that_lives() -> None:
    def asked(alive: str = "") -> list[object]:
        return [task.step for task in leaving(WORLD.snapshot, LED, "db2", alive)]

    assert asked() == [LeaveAddress("db3", VIP)]
    assert asked(alive="db1") == [LeaveAddress("db1", VIP), LeaveAddress("db3", VIP)]
