"""Pauses over a cluster in memory: nobody acts by himself while one lasts, on the cluster or on one server."""

from __future__ import annotations

import pytest

from failoverd.model.errors import ConfigError
from failoverd.model.history import Pause
from failoverd.model.plans import Kind, Request, Requester
from failoverd.service import desk
from failoverd.service.pausing import pause, unpause
from tests.fakes.whole import CLUSTER, START, Manager, Whole

ANNA = Pause("anna@desk", "moving racks")


@pytest.fixture
def whole() -> Whole:
    return Whole()


def watching(whole: Whole) -> Manager:
    return whole.manager().turns(4)


def writable(whole: Whole) -> list[str]:
    return [m.name for m in whole.mysqlds.values() if m.alive and not m.read_only]


def test_a_pause_counts_at_once_and_its_end_too(whole: Whole) -> None:
    manager = watching(whole)
    pause(manager.world, ANNA, dry_run=False)  # between two looks: the manager has not read it
    whole.mysqlds["db1"].kill()
    manager.turns(5)
    assert writable(whole) == []
    assert manager.memory.verdict is not None
    assert [r.id for r in manager.memory.verdict.refusals] == ["paused"]
    told = unpause(manager.world, "", dry_run=False)
    assert (told["paused"], told["before"]) == (None, {"by": "anna@desk", "reason": "moving racks", "until": None})
    whole.clock.sleep(6.0)  # what is on record is read again by then
    manager.turns(3)
    assert writable(whole) == ["db2"]


def test_a_pause_ends_by_itself(whole: Whole) -> None:
    manager = watching(whole)
    pause(manager.world, Pause("anna", "racks", START + whole.clock.now() + 60), dry_run=False)
    whole.mysqlds["db1"].kill()
    manager.turns(5)
    assert writable(whole) == []
    whole.clock.sleep(60.0)
    manager.turns(3)
    assert writable(whole) == ["db2"]


def test_a_paused_server_is_not_promoted(whole: Whole) -> None:
    manager = watching(whole)
    pause(manager.world, Pause("anna", "new disk", server="db2"), dry_run=False)
    whole.clock.sleep(6.0)
    manager.turns(2)
    whole.mysqlds["db1"].kill()
    manager.turns(4)
    assert writable(whole) == ["db3"]


def test_a_command_spares_a_paused_server_too(whole: Whole) -> None:
    manager = watching(whole)
    pause(manager.world, Pause("anna", "new disk", server="db2"), dry_run=False)
    whole.mysqlds["db1"].kill()
    found = desk.foresee_request(manager.world, Request(CLUSTER, Kind.FAILOVER, Requester("person", "bert")))
    assert found.elect == "db3"
    assert dict(found.why_not)["db2"].startswith("it is in maintenance")


def test_the_status_shows_pauses_at_once(whole: Whole) -> None:
    manager = watching(whole)
    pause(manager.world, ANNA, dry_run=False)
    pause(manager.world, Pause("bert", "new disk", server="db3"), dry_run=False)
    told = desk.status(manager.world)
    assert told["active_manager"] == "m1"
    assert told["paused"] == {"by": "anna@desk", "reason": "moving racks", "until": None}
    assert [s["paused"] is not None for s in told["servers"]] == [False, False, True]  # type: ignore[attr-defined]


def test_servers_stay_paused_when_the_cluster_is_resumed(whole: Whole) -> None:
    manager = watching(whole)
    pause(manager.world, ANNA, dry_run=False)
    pause(manager.world, Pause("bert", "new disk", server="db3"), dry_run=False)
    told = unpause(manager.world, "", dry_run=False)
    assert told["still_paused"] == ["db3"]
    assert [one.server for one in manager.coordination.pauses(CLUSTER)] == ["db3"]


def test_a_dry_run_records_nothing_and_ends_nothing(whole: Whole) -> None:
    manager = watching(whole)
    assert pause(manager.world, ANNA, dry_run=True)["paused"] is not None
    assert manager.coordination.pauses(CLUSTER) == ()
    pause(manager.world, ANNA, dry_run=False)
    assert unpause(manager.world, "", dry_run=True)["before"] is not None
    assert manager.coordination.pauses(CLUSTER) == (ANNA,)


def test_a_pause_that_has_ended_already_is_an_error(whole: Whole) -> None:
    manager = watching(whole)
    with pytest.raises(ConfigError):
        pause(manager.world, Pause("anna", "racks", START), dry_run=False)


def test_a_closed_primary_is_opened_by_a_persons_word(whole: Whole) -> None:
    manager = watching(whole)
    first = whole.mysqlds["db1"]
    first.read_only = first.super_read_only = True
    manager.turns(3)
    assert writable(whole) == []
    request = Request(CLUSTER, Kind.REOPEN, Requester("person", "anna"), asked_at=whole.clock.wall().timestamp())
    assert [r.id for r in desk.foresee_request(manager.world, request).refusals] == []
    name = manager.coordination.ask(request)
    manager.turns(1)
    answer = manager.coordination.answered(CLUSTER, name)
    assert answer is not None
    assert (answer["kind"], answer["outcome"]) == ("reopen", "done")
    assert writable(whole) == ["db1"]


def test_a_primary_that_lacks_what_a_replica_has_is_not_opened_by_anybody(whole: Whole) -> None:
    manager = watching(whole)
    first = whole.mysqlds["db1"]
    held = first.executed
    first.write(5)
    manager.turns(1)  # the replicas have them
    first.executed = held
    first.read_only = first.super_read_only = True
    by = Requester("person", "anna")
    wish = Request(CLUSTER, Kind.REOPEN, by, overrides=frozenset({"reopen-unsafe", "reopen-unknown"}))
    assert [r.id for r in desk.foresee_request(manager.world, wish).refusals] == ["reopen-unsafe"]
