"""A site without power whose servers come back in any order, all closed; and a chain that loses both of its sources."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from failoverd.model.policy import SiteGuard
from failoverd.model.sight import Thread
from tests.fakes.whole import CLUSTER, Manager, Whole
from tests.unit.service.test_rejoin import follows, start, watching
from tests.unit.service.test_site import others_fail, writable

SERVERS = ("db1", "db2", "db3")


def power_off(whole: Whole, *names: str) -> None:
    for name in names:
        whole.mysqlds[name].kill()
        whole.hosts[name].silent = "no power"


def power_on(whole: Whole, name: str) -> None:
    """Its mysqld comes up closed and begins to replicate by itself, as MySQL does where nobody forbids it."""
    whole.hosts[name].silent = ""
    mysqld = start(whole, name)
    for channel in mysqld.channels:
        mysqld.change(channel, receiver=Thread.CONNECTING, applier=Thread.YES, heartbeat_age=None)


def whoever_is_active(whole: Whole, manager: Manager, *, remembers: bool) -> Manager:
    """The manager that saw everything alive, or one that has only the records."""
    if remembers:
        return manager
    fresh = whole.manager("m2")
    whole.store.depose(CLUSTER)
    return fresh


@pytest.mark.parametrize("remembers", [True, False], ids=["the same manager", "a manager without memory"])
@pytest.mark.parametrize("order", list(permutations(SERVERS)), ids="-".join)
def test_servers_that_come_back_in_any_order_end_with_one_writer_that_has_everything(
    order: tuple[str, ...], remembers: bool
) -> None:
    whole = Whole()
    manager = watching(whole)
    whole.mysqlds["db1"].write(7)
    manager.turns(3)
    acknowledged = whole.mysqlds["db1"].executed
    power_off(whole, *SERVERS)
    manager.turns(4)
    manager = whoever_is_active(whole, manager, remembers=remembers)
    for back, name in enumerate(order, 1):
        power_on(whole, name)
        for _ in range(6):
            manager.turns(1)
            found = writable(whole)
            assert len(found) <= 1
            assert all(acknowledged <= whole.mysqlds[one].executed for one in found)
        if back == 1 and not (name == "db1" and remembers):
            assert writable(whole) == [], "one server alone does not know what the others hold"
    whole.clock.sleep(10.0)
    manager.turns(12)
    (writer,) = writable(whole)
    assert all(follows(whole, name, writer) for name in SERVERS if name != writer)
    assert all(acknowledged <= one.executed for one in whole.mysqlds.values())


@pytest.mark.parametrize(("others", "moved"), [((), True), (("blog", "mail"), False)], ids=["one cluster", "the site"])
def test_a_site_without_power_is_left_to_a_person_and_one_cluster_goes_where_there_is_power(
    others: tuple[str, ...], moved: bool
) -> None:
    whole = Whole()
    sites = {"db1": "a", "db2": "a", "db3": "b"}
    specs = tuple(replace(spec, site=sites[spec.name]) for spec in whole.policy.servers)
    whole.policy = replace(whole.policy, servers=specs, site_guard=SiteGuard(2, 60.0))
    whole.policy = replace(whole.policy, failover=replace(whole.policy.failover, min_claimed=1))
    manager = watching(whole)
    whole.mysqlds["db3"].change("", heartbeat_age=0.1, heartbeat_period=0.5)
    manager.turns(2)
    others_fail(whole, *others)
    power_off(whole, "db1", "db2")
    whole.mysqlds["db3"].change("", heartbeat_age=9.0)
    manager.turns(5)
    whole.clock.sleep(6.0)
    manager.turns(5)
    assert writable(whole) == (["db3"] if moved else [])
    assert manager.memory.verdict is not None
    assert moved or "site-guard" in [r.id for r in manager.memory.verdict.refusals]


def test_a_replica_of_a_replica_follows_the_elect_when_both_its_sources_die() -> None:
    whole = Whole(replicas=3)
    manager = watching(whole)
    whole.mysqlds["db4"].change("", source=whole.mysqlds["db2"].endpoint, source_uuid="")
    manager.turns(3)
    assert follows(whole, "db4", "db2")
    whole.mysqlds["db1"].kill()
    whole.mysqlds["db2"].kill()
    manager.turns(4)
    whole.clock.sleep(6.0)
    manager.turns(6)
    (elect,) = writable(whole)
    (other,) = {"db3", "db4"} - {elect}
    assert follows(whole, other, elect)
