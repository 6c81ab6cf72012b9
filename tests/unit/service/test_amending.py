"""What a person wants about a diverged tail: kept first, on the primary only, exactly the named ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.divergence import Cure, Resolution
from failoverd.model.errors import AgentError
from failoverd.service import desk
from tests.fakes.archive import FakeArchive
from tests.fakes.moments import Died, at, dies
from tests.fakes.whole import CLUSTER, Manager, Whole
from tests.unit.service.test_divergence import diverged, with_archive
from tests.unit.service.test_rejoin import follows, watching, wish


@pytest.fixture
def whole() -> Whole:
    return Whole()


def asked(manager: Manager, server: str, cure: Cure, gtids: GtidSet) -> Mapping[str, object]:
    name = manager.coordination.ask(replace(wish(manager, server), resolution=Resolution(cure, gtids)))
    manager.turns(2)
    answer = manager.coordination.answered(CLUSTER, name)
    assert answer is not None
    return answer


def test_empty_ones_let_it_be_attached(whole: Whole) -> None:
    archive = FakeArchive()
    manager, tail = diverged(whole, archive)
    answer = asked(manager, "db1", Cure.INJECT, tail)
    assert answer["outcome"] == "done"
    assert tail <= whole.mysqlds["db2"].executed
    assert follows(whole, "db1", "db2")
    assert [order.gtids for order in archive.orders] == [tail]


def test_only_named_ones_are_injected_and_the_rest_stays_in_the_way(whole: Whole) -> None:
    manager, tail = diverged(whole, FakeArchive())
    first = GtidSet.parse(str(tail).rpartition("-")[0])
    answer = asked(manager, "db1", Cure.INJECT, first)
    assert answer["outcome"] == "refused"
    assert not first <= whole.mysqlds["db2"].executed
    assert not follows(whole, "db1", "db2")


def test_what_nobody_has_is_refused(whole: Whole) -> None:
    manager, tail = diverged(whole, FakeArchive())
    strange = GtidSet.parse("00000000-0000-0000-0000-00000000dead:1")
    before = whole.mysqlds["db2"].executed
    answer = asked(manager, "db1", Cure.INJECT, tail | strange)
    refusals = answer["refusals"]
    assert isinstance(refusals, list)
    assert [refusal["id"] for refusal in refusals] == ["not-errant"]
    assert whole.mysqlds["db2"].executed == before


@pytest.mark.parametrize("cure", Cure)
def test_what_cannot_be_kept_is_not_touched(whole: Whole, cure: Cure) -> None:
    archive = FakeArchive()
    archive.error = AgentError("the agent went away")
    manager, tail = diverged(whole, archive)
    before = whole.mysqlds["db2"].executed
    assert asked(manager, "db1", cure, tail)["outcome"] in {"failed", "refused"}
    assert whole.mysqlds["db2"].executed == before


def test_a_replay_makes_new_transactions_and_attaches_nobody(whole: Whole) -> None:
    manager, tail = diverged(whole, FakeArchive())
    before = whole.mysqlds["db2"].executed
    answer = asked(manager, "db1", Cure.REPLAY, tail)
    assert answer["outcome"] == "done"
    assert "build it anew" in str(answer["findings"])
    made = whole.mysqlds["db2"].executed - before
    assert len(made) == 1
    assert not made & tail
    assert not follows(whole, "db1", "db2")


def test_on_a_replica_that_runs_it_is_the_same(whole: Whole) -> None:
    manager = with_archive(watching(whole), FakeArchive())
    own = GtidSet.parse("00000000-0000-0000-0000-000000000003:1-2")
    whole.mysqlds["db3"].executed |= own
    manager.turns(1)
    assert asked(manager, "db3", Cure.INJECT, own)["outcome"] == "done"
    assert own <= whole.mysqlds["db1"].executed
    assert follows(whole, "db3", "db1")


def test_the_plan_shows_what_would_be_done(whole: Whole) -> None:
    manager, tail = diverged(whole, FakeArchive())
    request = replace(wish(manager, "db1"), resolution=Resolution(Cure.INJECT, tail))
    plan = desk.rejoin_plan(manager.world, request)
    assert plan.refusals == ()
    titles = [title for title in plan.titles() if "empty" in title]
    assert titles == ["RECOVER: make 4 empty transactions on db2 for what db1 has"]


@pytest.mark.parametrize("moment", ["before:InjectEmpty", "after:InjectEmpty", "before:Repoint"])
def test_a_manager_that_dies_in_the_middle_leaves_it_to_the_next_one(whole: Whole, moment: str) -> None:
    archive = FakeArchive()
    first, tail = diverged(whole, archive)
    second = with_archive(whole.manager("m2"), archive)
    second.turns(1)
    at(first, moment, dies)
    with pytest.raises(Died):
        asked(first, "db1", Cure.INJECT, tail)
    whole.store.depose(CLUSTER)
    second.turns(6)
    assert second.coordination.open_operation(CLUSTER) == ""
    assert tail <= whole.mysqlds["db2"].executed
    assert follows(whole, "db1", "db2")
