"""One suite for every Coordination: real ZooKeeper, files, the fake for other tests, and ZooKeeper simulated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.errors import CoordinationError, LockLost
from failoverd.model.history import Pause, Recorded
from failoverd.model.host import ProbeOutcome, StandbyWord
from failoverd.model.plans import Kind, Request, Result
from failoverd.model.settings import Settings
from tests.contract.coordination_worlds import FakeWorld, LocalWorld, World, ZooKeeperWorld, active, until
from tests.contract.operations import PERSON, freeze_entry, intent, long_set, operation, report
from tests.contract.zookeeper_server import ZooKeeperServer
from tests.simulation.worlds import SimulatedCoordination


@pytest.fixture(params=["zookeeper", "local", "fake", "simulated"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made: World
    if request.param == "zookeeper":
        server: ZooKeeperServer = request.getfixturevalue("zookeeper")
        made = ZooKeeperWorld(server, f"/contract/{tmp_path.name}")
    else:
        made = LocalWorld(tmp_path / "state") if request.param == "local" else FakeWorld()
    if request.param == "simulated":
        made = SimulatedCoordination()
    yield made
    made.close()


def test_one_manager_is_active_and_the_other_waits(world: World) -> None:
    first, second = world.manager("mgr1"), world.manager("mgr2")
    lease = active(first)
    second.campaign("shop")
    for _ in range(20):
        assert second.lease("shop") is None
    lease.check()
    assert first.holder("shop") == second.holder("shop") == "mgr1"
    assert first.lease("shop") is lease


def test_clusters_have_locks_of_their_own(world: World) -> None:
    first, second = world.manager("mgr1"), world.manager("mgr2")
    active(first, "shop").check()
    active(second, "blog").check()
    assert first.holder("blog") == "mgr2"


def test_what_the_active_manager_runs_with_is_told_by_it_alone(world: World) -> None:
    first, second = world.manager("mgr1"), world.manager("mgr2")
    first.tell_settings({"shop": Settings("a", {"failover": {"cooldown": 60.0}})})
    second.tell_settings({"shop": Settings("b", {"failover": {"cooldown": 5.0}})})
    assert second.in_force() == {}
    active(first)
    second.campaign("shop")
    told = second.in_force()["shop"]
    assert (told.manager, told.settings) == ("mgr1", Settings("a", {"failover": {"cooldown": 60.0}}))
    first.tell_settings({"shop": Settings("c", {"failover": {"cooldown": 7.0}})})
    assert second.in_force()["shop"].settings == Settings("c", {"failover": {"cooldown": 7.0}})
    first.resign("shop")
    until(lambda: second.lease("shop") is not None, "the other one's lease")
    assert (second.in_force()["shop"].manager, second.in_force()["shop"].settings.digest) == ("mgr2", "b")


def test_nobody_is_active_without_a_campaign(world: World) -> None:
    manager = world.manager("mgr1")
    assert manager.lease("shop") is None
    assert manager.holder("shop") is None
    assert manager.contenders("shop") == ()
    assert manager.status("shop") is None
    assert manager.recorded("shop") is None
    assert manager.pauses("shop") == ()
    assert manager.open_operation("shop") == ""
    assert manager.operations("shop") == ()
    assert manager.operation("none") is None
    assert manager.last_failover_at("shop") is None
    assert manager.requests("shop") == ()


def test_a_resigning_manager_hands_over_and_can_change_nothing_more(world: World) -> None:
    first, second = world.manager("mgr1"), world.manager("mgr2")
    old = active(first)
    second.campaign("shop")
    first.resign("shop")
    until(lambda: second.lease("shop") is not None, "the hand-over", deadline=10)
    with pytest.raises(LockLost):
        old.check()
    with pytest.raises(LockLost):
        first.publish_primary(old, "shop", Recorded("db9", "u", 1))
    with pytest.raises(LockLost):
        first.begin(old, operation("op1"))
    assert first.lease("shop") is None
    assert second.recorded("shop") is None
    assert second.open_operation("shop") == ""


def test_the_epoch_grows_with_each_taking(world: World) -> None:
    epochs = []
    for name in ("mgr1", "mgr2", "mgr1"):
        manager = world.manager(name)
        epochs.append(active(manager).epoch)
        manager.resign("shop")
    assert epochs[0] >= 1
    assert epochs == sorted(set(epochs))


def test_the_primary_is_published(world: World) -> None:
    first, second = world.manager("mgr1"), world.manager("mgr2")
    lease = active(first)
    for name in ("db1", "db2"):
        record = Recorded(name, f"uuid-{name}", lease.epoch, inherited=long_set())
        first.publish_primary(lease, "shop", record)
        assert second.recorded("shop") == record


def test_status_is_seen_by_others_while_somebody_is_active(world: World) -> None:
    first, second = world.manager("mgr1"), world.manager("mgr2")
    lease = active(first)
    status = {"name": "shop", "verdict": "healthy", "servers": [{"gtid_executed": str(long_set())}]}
    first.publish_status(lease, "shop", {"name": "shop", "verdict": "suspect"})
    first.publish_status(lease, "shop", status)
    assert second.status("shop") == status
    first.resign("shop")
    assert second.status("shop") is None


def test_a_journal_comes_back_as_it_was_written(world: World) -> None:
    first, second = world.manager("mgr1"), world.manager("mgr2")
    lease, op, gtids = active(first), operation("op-1"), long_set()
    assert len(str(gtids)) > 200_000
    first.begin(lease, op)
    assert second.open_operation("shop") == "op-1"
    first.write(lease, op, freeze_entry(gtids), wait=True)
    for number in range(30):
        first.write(lease, op, intent(number), wait=False)
    first.settle(lease, op, 10.0)
    told = second.operation("op-1")
    assert told is not None
    entries = told["entries"]
    assert isinstance(entries, list)
    assert entries[0]["kind"] == "freeze"
    assert GtidSet.parse(entries[0]["body"]["executed"]["db2"]) == gtids
    assert [entry["body"]["number"] for entry in entries[1:]] == list(range(30))


def test_an_ended_operation_is_listed_with_its_outcome(world: World) -> None:
    manager = world.manager("mgr1")
    lease = active(manager)
    for number, result in enumerate((Result.DONE, Result.UNDONE), 1):
        op = operation(f"op-{number}", started=1000.0 * number)
        manager.begin(lease, op)
        assert manager.operations("shop")[0]["operation"] == op.id
        assert manager.operations("shop")[0]["outcome"] is None
        manager.write(lease, op, intent(1), wait=False)
        manager.end(lease, op, report(op, result, ended=1000.0 * number + 9))
        assert manager.open_operation("shop") == ""
    told = manager.operations("shop")
    assert [(one["operation"], one["outcome"]) for one in told] == [("op-2", "undone"), ("op-1", "done")]
    assert all("steps" not in one for one in told)
    shown = manager.operation("op-1")
    assert shown is not None
    assert shown["outcome"] == "done"
    assert shown["steps"]
    assert manager.last_failover_at("shop") == 1009.0


def test_one_operation_is_open_at_a_time(world: World) -> None:
    manager = world.manager("mgr1")
    lease = active(manager)
    manager.begin(lease, operation("op-1"))
    with pytest.raises(CoordinationError, match="op-1"):
        manager.begin(lease, operation("op-2"))
    assert manager.open_operation("shop") == "op-1"


def test_the_next_manager_goes_on_with_an_open_journal(world: World) -> None:
    first, second = world.manager("mgr1"), world.manager("mgr2")
    lease, op = active(first), operation("op-1")
    first.begin(lease, op)
    first.write(lease, op, intent(1), wait=True)
    first.resign("shop")
    later = active(second)
    assert second.open_operation("shop") == "op-1"
    second.write(later, op, intent(2), wait=False)
    second.end(later, op, report(op))
    told = second.operation("op-1")
    assert told is not None
    entries = told["entries"]
    assert isinstance(entries, list)
    assert [entry["body"]["number"] for entry in entries] == [1, 2]


def test_a_request_is_handed_over_and_answered(world: World) -> None:
    first, person = world.manager("mgr1"), world.manager("cli")
    lease = active(first)
    wish = Request("shop", Kind.FAILOVER, PERSON, "db2", 3, frozenset({"cooldown", "errant-candidate"}))
    other = Request("shop", Kind.REOPEN, PERSON)
    asked, later = person.ask(wish), person.ask(other)
    both = ((asked, wish), (later, other))
    until(lambda: first.requests("shop") == both, "word of the requests")
    assert person.answered("shop", asked) is None
    first.answer(lease, "shop", asked, {"operation": "op-1", "outcome": "done"})
    assert person.answered("shop", asked) == {"operation": "op-1", "outcome": "done"}
    assert first.requests("shop") == ((later, other),)


def test_names_cannot_leave_their_place(world: World) -> None:
    manager = world.manager("mgr1")
    with pytest.raises(CoordinationError):
        manager.campaign("../other")


def test_a_closed_manager_hands_over(world: World) -> None:
    first, second = world.manager("mgr1"), world.manager("mgr2")
    active(first)
    second.campaign("shop")
    first.close()
    until(lambda: second.lease("shop") is not None, "the hand-over", deadline=10)


def test_pauses_are_recorded_replaced_and_ended_without_a_lease(world: World) -> None:
    manager, other = world.manager("mgr1"), world.manager("mgr2")
    manager.pause("shop", Pause("anna", "new disk", server="db2"))
    manager.pause("shop", Pause("anna", "racks", 4_000_000_000.0))
    manager.pause("shop", Pause("anna", "moving racks"))
    manager.pause("shop", Pause("anna", "long ago", 1_000.0, "db3"))
    known = (Pause("anna", "moving racks"), Pause("anna", "new disk", server="db2"))
    until(lambda: other.pauses("shop") == known, "the pauses")
    assert other.pauses("blog") == ()
    other.unpause("shop", "")
    other.unpause("shop", "db9")
    until(lambda: manager.pauses("shop") == known[1:], "the end of one")


def test_when_clusters_failed_is_told_to_everybody(world: World) -> None:
    first, second = world.manager("mgr1"), world.manager("mgr2")
    assert first.failing() == {}
    first.report_failing(active(first, "shop"), "shop", 100.5)
    first.report_failing(active(first, "shop"), "shop", 200.25)
    first.report_failing(active(first, "blog"), "blog", 300.0)
    assert dict(second.failing()) == {"shop": 200.25, "blog": 300.0}


def test_a_standby_hears_a_question_and_its_last_answer_is_heard(world: World) -> None:
    first, second = world.manager("mgr1"), world.manager("mgr2")
    lease = active(first)
    second.campaign("shop")
    assert (second.question("shop"), first.testimonies("shop")) == ("", ())
    for number in (1, 2):
        word = StandbyWord("mgr2", f"1-{number}", "db1", ProbeOutcome.ALIVE, "", number, 1040)
        first.ask_standbys(lease, "shop", word.question)
        if first.kind == "local":  # nobody stands by
            assert (second.question("shop"), first.testimonies("shop")) == ("", ())
            continue
        until(lambda word=word: second.question("shop") == word.question, "the question")  # type: ignore[misc]
        second.testify("shop", word)
        until(lambda word=word: first.testimonies("shop") == (word,), "the answer")  # type: ignore[misc]


def test_only_the_active_manager_asks(world: World) -> None:
    first, second = world.manager("mgr1"), world.manager("mgr2")
    lease = active(first)
    first.resign("shop")
    with pytest.raises(LockLost):
        first.ask_standbys(lease, "shop", "1-1")
    assert second.question("shop") == ""
