"""Links of log files over a cluster in memory: when they are made, that they give, and when they end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.errors import AgentError
from failoverd.model.finding import Severity
from failoverd.model.history import DiskTrouble, Pause
from failoverd.model.host import LogKind
from failoverd.model.plans import Kind, Request, Requester
from failoverd.model.sight import Settings, Thread
from failoverd.service import checking
from failoverd.service.links import TRIES
from tests.fakes.whole import CLUSTER, START, Manager, Whole, uuid_of

ANNA = Requester("person", "anna", "desk", "the host is gone")
FIVE = GtidSet.parse(f"{uuid_of('db1')}:11-15")
TROUBLE = f"trouble-1-{uuid_of('db1')[:8]}"


def unapplied(whole: Whole) -> Manager:
    """Both replicas have received five transactions that they do not execute."""
    manager = whole.manager().turns(4)
    for name in ("db2", "db3"):
        whole.mysqlds[name].change("", applier=Thread.NO)
    whole.mysqlds["db1"].write(5)
    return manager.turns(1)


def host_gone(whole: Whole) -> None:
    """The primary's host has no power any more."""
    whole.mysqlds["db1"].kill()
    whole.hosts["db1"].silent = "unreachable"


def forget(whole: Whole, *names: str) -> None:
    """Replicas are restarted with relay_log_recovery, and their relay logs go with the next rotation."""
    for name in names:
        mysqld = whole.mysqlds[name]
        mysqld.settings = replace(mysqld.settings, relay_log_recovery=True)
        mysqld.change("", received=GtidSet(), applier=Thread.YES)


def by_hand(whole: Whole, manager: Manager) -> None:
    wall = START + whole.clock.passed
    manager.coordination.ask(Request(CLUSTER, Kind.FAILOVER, ANNA, asked_at=wall))


def how(shown: Mapping[str, Any]) -> list[tuple[int, str]]:
    """What was brought, and in which way."""
    return [(saved["transactions"], saved["how"]) for saved in shown["saved"]]


def linked(whole: Whole) -> dict[str, set[LogKind]]:
    """By server, of which logs there are links of troubles."""
    found: dict[str, set[LogKind]] = {}
    for name, host in whole.hosts.items():
        kinds = {kind for trouble, links in host.kept.items() if trouble.startswith("trouble-") for kind in links}
        found |= {name: kinds} if kinds else {}
    return found


def test_what_is_thrown_away_after_the_trouble_began_is_given_by_links() -> None:
    whole = Whole(automatic=False)
    manager = unapplied(whole)
    everything = whole.mysqlds["db1"].executed
    host_gone(whole)
    manager.turns(3)
    assert linked(whole) == {"db2": {LogKind.RELAY}, "db3": {LogKind.RELAY}}
    forget(whole, "db2", "db3")
    by_hand(whole, manager)
    manager.turns(2)
    (shown,) = manager.coordination.operations(CLUSTER)
    assert (shown["outcome"], whole.mysqlds[str(shown["new_primary"])].executed) == ("done", everything)
    assert how(shown) == [(5, "kept relay logs over SSH, spliced")]
    told = manager.coordination.operation(str(shown["operation"]))
    assert told is not None
    assert any("from the kept relay logs of" in step["title"] for step in told["steps"])  # type: ignore[attr-defined]


def test_another_manager_finds_the_links_of_the_one_before() -> None:
    whole = Whole(automatic=False)
    first = unapplied(whole)
    host_gone(whole)
    first.turns(3)
    forget(whole, "db2", "db3")
    second = whole.manager("m2").turns(1)
    first.coordination.resign(CLUSTER)
    second.turns(3)
    by_hand(whole, second)
    second.turns(2)
    (shown,) = second.coordination.operations(CLUSTER)
    assert (shown["outcome"], how(shown)) == ("done", [(5, "kept relay logs over SSH, spliced")])


def test_links_end_with_the_trouble() -> None:
    whole = Whole()
    manager = unapplied(whole)
    whole.mysqlds["db1"].frozen = True
    manager.turns(1)
    assert linked(whole) == {"db1": {LogKind.BINARY}, "db2": {LogKind.RELAY}, "db3": {LogKind.RELAY}}
    whole.mysqlds["db1"].frozen = False
    manager.turns(3)
    assert manager.coordination.operations(CLUSTER) == ()
    assert all(host.kept == {} for host in whole.hosts.values())


def test_links_end_when_the_new_primary_has_all_that_they_hold() -> None:
    whole = Whole()
    manager = whole.manager().turns(4)
    forget(whole, "db2", "db3")
    whole.mysqlds["db1"].kill()
    manager.turns(1)
    assert set(linked(whole)) == {"db1", "db2", "db3"}
    manager.turns(10)
    (shown,) = manager.coordination.operations(CLUSTER)
    assert shown["outcome"] == "done"
    assert linked(whole) == {}


def test_what_the_primary_lacks_stays_and_is_no_source_any_more() -> None:
    whole = Whole()
    whole.hosts["db2"].kept[TROUBLE] = {LogKind.RELAY: FIVE}
    manager = whole.manager().turns(4)
    assert list(whole.hosts["db2"].kept) == [f"left-{TROUBLE}"]
    (found,) = [one for one in checking.check(manager.world, checking.Answers({}, {})) if one.id == "links-left"]
    assert (found.server, found.severity) == ("db2", Severity.WARNING)
    assert f"left-{TROUBLE}" in found.sentence


def test_what_an_operation_linked_ends_after_it() -> None:
    whole = Whole()
    manager = whole.manager().turns(4)
    for host in ("db2", "db3"):
        whole.hosts[host].kept["shop-1"] = {LogKind.RELAY: GtidSet()}
    manager.turns(2)
    assert list(whole.hosts["db2"].kept) == ["shop-1"], "it was told before that there are none"
    forget(whole, "db2", "db3")
    whole.mysqlds["db1"].kill()
    manager.turns(12)
    (shown,) = manager.coordination.operations(CLUSTER)
    assert shown["outcome"] == "done"
    assert all(host.kept == {} for host in whole.hosts.values())


def test_nothing_is_linked_by_a_standby_or_in_a_pause() -> None:
    whole = Whole()
    manager = unapplied(whole)
    standby = whole.manager("m2").turns(2)
    manager.coordination.pause(CLUSTER, Pause("anna", "a look at it"))
    manager.turns(1)
    whole.clock.sleep(10.0)
    manager.turns(1)
    host_gone(whole)
    standby.turns(3)
    manager.turns(3)
    assert linked(whole) == {}


def test_a_primary_that_lacks_room_keeps_no_links() -> None:
    whole = Whole(automatic=False)
    manager = unapplied(whole)
    manager.memory.history = replace(manager.memory.history, disk=DiskTrouble("full", 0.0, 1e9))
    whole.mysqlds["db1"].frozen = True
    manager.turns(1)
    assert set(linked(whole)) == {"db2", "db3"}


def test_what_cannot_be_linked_is_not_tried_for_ever() -> None:
    whole = Whole(automatic=False)
    manager = unapplied(whole)
    tried = []

    def refuse(_cluster: str, server: str, *_: object) -> int:
        tried.append(server)
        raise AgentError("the folder belongs to another account")

    manager.agents.keep = refuse  # type: ignore[method-assign,assignment]
    host_gone(whole)
    manager.turns(20)
    assert sorted(tried) == sorted(["db2", "db3"] * TRIES)


@pytest.mark.parametrize("known", [Settings(), Settings(relay_log_recovery=True)])
def test_only_those_are_linked_who_may_hold_more(known: Settings) -> None:
    whole = Whole(automatic=False)
    manager = whole.manager().turns(4)
    for name in ("db2", "db3"):
        whole.mysqlds[name].settings = known
        whole.mysqlds[name].change("", received=GtidSet())
    host_gone(whole)
    manager.turns(3)
    assert set(linked(whole)) == ({"db2", "db3"} if known.relay_log_recovery else set())
