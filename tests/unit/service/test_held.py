"""An old primary that a fence holds, its mysqld dead: let go where it is closed for certain, its tail kept before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from failoverd.decide.rejoining import returning
from failoverd.model.errors import AgentError
from failoverd.model.history import Pause
from failoverd.service import desk
from failoverd.service.operation import situation_of
from failoverd.service.pausing import pause
from failoverd.service.rejoin import foretell
from tests.fakes.archive import FakeArchive
from tests.fakes.moments import Died, at, dies
from tests.fakes.whole import CLUSTER, Manager, Whole
from tests.unit.service.test_divergence import with_archive
from tests.unit.service.test_rejoin import failed_over, follows, kinds, start, watching, wish


@pytest.fixture
def whole() -> Whole:
    return Whole()


def mark(whole: Whole) -> int | None:
    """The epoch of the fence's mark, None where nothing holds it."""
    return whole.hosts["db1"].fenced


def asked(manager: Manager, server: str = "db1") -> Mapping[str, object]:
    name = manager.coordination.ask(wish(manager, server))
    manager.turns(2)
    answer = manager.coordination.answered(CLUSTER, name)
    assert answer is not None
    return answer


def refused(answer: Mapping[str, object]) -> list[str]:
    found = answer["refusals"]
    assert isinstance(found, list)
    return [refusal["id"] for refusal in found]


def left_to_people(whole: Whole) -> Manager:
    """A failover after which nobody is attached unasked."""
    whole.policy = replace(whole.policy, rejoin="off")
    return failed_over(whole)


def test_it_is_let_go_by_itself_and_attached_when_it_is_up(whole: Whole) -> None:
    manager = failed_over(whole)
    whole.mysqlds["db1"].starts_closed = True
    manager.turns(6)
    assert mark(whole) is None
    assert kinds(manager) == [("rejoin", "done"), ("failover", "done")]
    start(whole, "db1")
    manager.turns(4)
    assert follows(whole, "db1", "db2")
    assert kinds(manager)[:2] == [("rejoin", "done"), ("rejoin", "done")]


def test_people_are_told_of_the_new_primary_before_the_old_one_is_let_go(whole: Whole) -> None:
    manager = watching(whole)
    told: list[object] = []

    def reached(moment: str) -> None:
        if moment == "after:begin":
            told.append((manager.coordination.status(CLUSTER) or {})["primary"])

    manager.world = replace(manager.world, moment=reached)
    whole.mysqlds["db1"].starts_closed = True
    whole.mysqlds["db1"].kill()
    manager.turns(6)
    assert kinds(manager) == [("rejoin", "done"), ("failover", "done")]
    assert told == ["db1", "db2"]


def test_it_waits_for_a_person_where_nobody_is_attached_by_itself(whole: Whole) -> None:
    manager = left_to_people(whole)
    whole.mysqlds["db1"].starts_closed = True
    manager.turns(6)
    assert mark(whole) is not None
    answer = asked(manager)
    assert (answer["kind"], answer["outcome"]) == ("rejoin", "done")
    assert answer["findings"] == []
    assert mark(whole) is None


@pytest.mark.parametrize("server", ["", "db1"], ids=["cluster", "server"])
def test_nobody_lets_it_go_during_a_pause(whole: Whole, server: str) -> None:
    manager = failed_over(whole)
    pause(manager.world, Pause("anna@desk", "moving racks", server=server), dry_run=False)
    whole.clock.sleep(6.0)  # what is on record is read again by then
    manager.turns(2)
    whole.mysqlds["db1"].starts_closed = True
    manager.turns(6)
    assert mark(whole) is not None


@pytest.mark.parametrize("dying", [True, False])
def test_one_that_still_dies_in_the_kernel_is_not_let_go_by_itself(whole: Whole, dying: bool) -> None:
    manager = failed_over(whole)
    memory, snapshot = desk.own_look(manager.world)
    facts = snapshot.facts("db1")
    assert facts is not None
    told = replace(snapshot, hosts={**snapshot.hosts, "db1": replace(facts, alive=dying)})
    occasion = desk.occasion_of(manager.world, memory, told, desk.NoLease())
    found = returning(situation_of(manager.world, occasion, None), memory.comings)
    assert [one.server for one in found] == ([] if dying else ["db1"])


def test_a_host_that_was_not_heard_in_the_first_look_is_asked_again(whole: Whole) -> None:
    manager = failed_over(whole)
    whole.mysqlds["db1"].starts_closed = True
    memory, snapshot = desk.own_look(manager.world)
    occasion = desk.occasion_of(manager.world, memory, replace(snapshot, hosts={}), desk.NoLease())
    plan = foretell(manager.world, occasion, wish(manager, "db1"))
    assert (plan.refusals, len(plan.groups)) == ((), 1)


@pytest.mark.parametrize("closed", [None, False], ids=["unknown", "open"])
def test_one_that_may_start_writable_stays_held(whole: Whole, closed: bool | None) -> None:
    manager = failed_over(whole)
    whole.mysqlds["db1"].starts_closed = closed
    answer = asked(manager)
    assert (answer["outcome"], refused(answer)) == ("refused", ["start-open"])
    assert mark(whole) is not None


def test_what_only_its_log_has_is_kept_before_it_is_let_go(whole: Whole) -> None:
    archive = FakeArchive()
    manager = with_archive(left_to_people(whole), archive)
    old = whole.mysqlds["db1"]
    before, old.starts_closed = old.executed, True
    old.write(3)
    archive.error = AgentError("the agent went away")
    assert asked(manager)["outcome"] == "failed"
    assert mark(whole) is not None
    archive.error = None
    assert asked(manager)["outcome"] == "done"
    assert [order.gtids for order in archive.orders] == [old.executed - before]
    assert mark(whole) is None
    start(whole, "db1")
    manager.turns(4)
    assert not follows(whole, "db1", "db2"), "it diverged"


@pytest.mark.parametrize("moment", ["before:ExportDivergence", "after:ExportDivergence", "before:ReleaseFence"])
def test_a_manager_that_dies_in_the_middle_leaves_it_held_and_the_next_one_does_it(whole: Whole, moment: str) -> None:
    archive = FakeArchive()
    first, second = with_archive(left_to_people(whole), archive), with_archive(whole.manager("m2"), archive)
    second.turns(1)
    whole.mysqlds["db1"].starts_closed = True
    whole.mysqlds["db1"].write(3)
    at(first, moment, dies)
    with pytest.raises(Died):
        asked(first)
    assert mark(whole) is not None
    whole.store.depose(CLUSTER)
    second.turns(4)
    assert second.coordination.open_operation(CLUSTER) == ""
    assert kinds(second)[:2] == [("rejoin", "done"), ("rejoin", "undone")], "the wish is still there"
    assert mark(whole) is None
    assert archive.orders
