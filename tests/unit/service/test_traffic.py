"""Clients are led to the primary by an operation, and kept there by the active manager in passing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from failoverd.execute.hands import Outside
from failoverd.model.history import Pause
from failoverd.model.traffic import Haproxy, TrafficPolicy, Vip
from tests.fakes.balancers import FakeBalancers
from tests.fakes.whole import CLUSTER, Manager, Whole

HERE = "10.0.0.100"
PROXIES = ("10.0.0.5:9999", "10.0.0.6:9999")


class Led:
    """A cluster in memory with an address and two HAProxies."""

    def __init__(self) -> None:
        self.whole = Whole()
        traffic = TrafficPolicy(Vip(HERE, 24, "eth0"), Haproxy(PROXIES, "shop"))
        self.whole.policy = replace(self.whole.policy, traffic=traffic)
        self.proxies = FakeBalancers(tuple(self.whole.mysqlds))

    def manager(self, name: str = "m1") -> Manager:
        manager = self.whole.manager(name)
        manager.world = replace(manager.world, outside=Outside(self.proxies))
        return manager

    def held(self) -> list[str]:
        return [name for name, host in self.whole.hosts.items() if HERE in host.addresses]

    def led(self) -> list[set[str]]:
        return [self.proxies.ready.get(place, set()) for place in PROXIES]

    def to(self, server: str) -> bool:
        return self.held() == [server] and self.led() == [{server}] * 2


@pytest.fixture
def led() -> Led:
    return Led()


def test_they_are_led_to_the_recorded_primary_from_the_beginning(led: Led) -> None:
    led.whole.hosts["db3"].addresses.add(HERE)
    led.manager().turns(20)
    assert led.to("db1")


def test_a_failover_moves_them_right_after_the_opening(led: Led) -> None:
    manager = led.manager().turns(20)
    led.whole.mysqlds["db1"].kill()
    manager.turns(3)
    (shown,) = manager.coordination.operations(CLUSTER)
    elect = str(shown["new_primary"])
    assert (shown["outcome"], led.to(elect)) == ("done", True)
    whole = manager.coordination.operation(str(shown["operation"]))
    assert whole is not None
    stages = [str(step["stage"]) for step in whole["steps"]]  # type: ignore[attr-defined]
    assert stages.index("PROMOTE") < stages.index("TRAFFIC") < stages.index("REPOINT")


@pytest.mark.parametrize("silent", [PROXIES[0], "agent"])
def test_what_cannot_be_told_holds_nobody_up_and_is_mended_later(led: Led, silent: str) -> None:
    manager = led.manager().turns(20)
    led.whole.mysqlds["db1"].kill()
    if silent == "agent":
        for name in ("db2", "db3"):
            led.whole.hosts[name].silent = "unreachable"
    else:
        led.proxies.silent.add(silent)
    manager.turns(3)
    (shown,) = manager.coordination.operations(CLUSTER)
    assert shown["outcome"] == "done"
    assert not led.to(str(shown["new_primary"]))
    led.proxies.silent.clear()
    for host in led.whole.hosts.values():
        host.silent = ""
    manager.turns(40)
    assert led.to(str(shown["new_primary"]))


def test_what_others_changed_is_mended(led: Led) -> None:
    manager = led.manager().turns(20)
    led.whole.hosts["db1"].addresses.clear()
    led.whole.hosts["db2"].addresses.add(HERE)
    led.proxies.ready[PROXIES[1]] = {"db2", "db3"}
    manager.turns(30)
    assert led.to("db1")
    told = len(led.proxies.told)
    epochs = [host.epoch for host in led.whole.hosts.values()]
    manager.turns(30)
    assert (len(led.proxies.told), [host.epoch for host in led.whole.hosts.values()]) == (told, epochs)


def test_nothing_is_touched_by_a_standby_nor_in_a_pause(led: Led) -> None:
    active, standby = led.manager().turns(20), led.manager("m2")
    led.whole.store.of(CLUSTER).pauses[""] = Pause("anna", "moving racks")
    led.proxies.ready[PROXIES[0]] = {"db3"}
    standby.turns(20)
    active.turns(20)
    assert led.led()[0] == {"db3"}


def test_a_primary_that_serves_nobody_gets_no_new_clients(led: Led) -> None:
    manager = led.manager().turns(20)
    led.whole.mysqlds["db1"].read_only = True
    led.whole.hosts["db1"].addresses.clear()
    manager.turns(30)
    assert led.held() == []


def test_who_is_deposed_in_the_middle_stops(led: Led) -> None:
    manager = led.manager().turns(20)
    led.whole.hosts["db1"].addresses.clear()
    led.whole.hosts["db1"].epoch = 99
    manager.turns(30)
    assert led.held() == []


def test_the_status_shows_the_ways_and_what_is_wrong(led: Led) -> None:
    manager = led.manager().turns(20)
    led.proxies.silent.add(PROXIES[1])
    led.whole.hosts["db2"].addresses.add(HERE)
    led.whole.store.of(CLUSTER).pauses[""] = Pause("anna", "moving racks")
    manager.turns(30)
    shown = json.loads(manager.kept[CLUSTER])["traffic"]
    problem = f"HAProxy at {PROXIES[1]} cannot be asked"
    assert shown == {
        "address": f"{HERE}/24 on eth0",
        "holders": ["db1", "db2"],
        "balancers": [
            {"socket": PROXIES[0], "ready": ["db1"], "problem": None},
            {"socket": PROXIES[1], "ready": [], "problem": problem},
        ],
        "problems": [problem, f"{HERE} is on the hosts of db1 and db2"],
    }


def test_a_cluster_without_ways_shows_none() -> None:
    assert json.loads(Whole().manager().turns(3).kept[CLUSTER])["traffic"] is None
