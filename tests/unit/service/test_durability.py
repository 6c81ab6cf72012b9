"""`failover.relax_durability`: let off for the catch-up only, given back before opening and by whoever takes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failoverd.model.durability import RELAXED, Durability
from failoverd.model.errors import AgentError
from failoverd.model.host import Spliced
from failoverd.model.plans import EntryKind
from failoverd.model.policy import Promote
from failoverd.model.sight import Thread
from failoverd.service import resume
from tests.fakes.moments import Died, at, dies
from tests.fakes.whole import CLUSTER, Manager, Whole
from tests.unit.service.test_resume import behind

HAD = Durability(1000, 1)


def letting_off(whole: Whole) -> None:
    """Every server forces its commits, one in a way of its own."""
    for name in ("db2", "db3"):
        whole.mysqlds[name].durability = HAD


def relaxed_at(whole: Whole, manager: Manager, *moments: str) -> list[Durability]:
    """What the elect has at these moments of the failover."""
    seen: list[Durability] = []

    def reached(one: str) -> None:
        if one in moments:
            seen.append(whole.mysqlds["db2"].durability)

    manager.world = replace(manager.world, moment=reached)
    return seen


def test_it_is_let_off_for_the_catch_up_and_given_back_before_it_is_opened() -> None:
    whole = Whole(relax_durability=True)
    letting_off(whole)
    manager = whole.manager().turns(4)
    behind(whole)
    seen = relaxed_at(whole, manager, "before:RelaxDurability", "before:Drain", "after:Drain", "before:OpenWrites")
    manager.turns(3)
    assert seen == [HAD, RELAXED, RELAXED, HAD]
    assert whole.mysqlds["db2"].durability == HAD
    (listed,) = manager.coordination.operations(CLUSTER)
    assert listed["outcome"] == "done"


def test_without_the_setting_nothing_of_it_is_touched() -> None:
    whole = Whole()
    letting_off(whole)
    manager = whole.manager().turns(4)
    behind(whole)
    seen = relaxed_at(whole, manager, "before:Drain", "after:Drain")
    manager.turns(3)
    assert seen == [HAD, HAD]


def test_an_undo_gives_it_back() -> None:
    whole = Whole(relax_durability=True)
    letting_off(whole)
    manager = whole.manager().turns(4)
    for name in ("db2", "db3"):
        whole.mysqlds[name].change("", receiver=Thread.NO)
    whole.mysqlds["db1"].write(5)
    manager.turns(1)
    whole.mysqlds["db1"].kill()

    def broken(*_: object) -> Spliced:
        raise AgentError("the line broke")

    manager.agents.transfer = broken  # type: ignore[assignment, method-assign]
    seen = relaxed_at(whole, manager, "before:Splice")
    manager.turns(2)
    assert seen == [RELAXED]
    (listed,) = manager.coordination.operations(CLUSTER)
    assert listed["outcome"] == "refused"
    assert whole.mysqlds["db2"].durability == HAD


@pytest.mark.parametrize("moment", ["after:RelaxDurability", "after:Splice", "before:RestoreDurability"])
@pytest.mark.parametrize("same", [True, False], ids=["the same elect", "another one"])
def test_the_next_manager_gives_it_back_first(moment: str, *, same: bool) -> None:
    whole = Whole(relax_durability=True)
    letting_off(whole)
    first, second = whole.manager("m1").turns(4), whole.manager("m2").turns(2)
    behind(whole)
    at(first, moment, dies)
    with pytest.raises(Died):
        first.turns(3)
    assert whole.mysqlds["db2"].durability == RELAXED
    if not same:
        specs = [replace(s, promote=Promote.NEVER) if s.name == "db2" else s for s in whole.policy.servers]
        second.world = replace(second.world, policy=replace(second.world.policy, servers=tuple(specs)))
    whole.store.depose(CLUSTER)
    second.turns(4)
    (listed,) = second.coordination.operations(CLUSTER)
    assert (listed["outcome"], listed["new_primary"]) == ("done", "db2" if same else "db3")
    assert [whole.mysqlds[name].durability for name in ("db2", "db3")] == [HAD, HAD]


def test_nobody_is_opened_who_could_not_be_given_it_back_before(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Whole(relax_durability=True)
    letting_off(whole)
    first, second = whole.manager("m1").turns(4), whole.manager("m2").turns(2)
    behind(whole)
    at(first, "before:RestoreDurability", dies)
    with pytest.raises(Died):
        first.turns(3)
    monkeypatch.setattr(resume, "give_back", lambda _, relaxed: tuple(relaxed))  # it did not answer just then
    whole.store.depose(CLUSTER)
    seen = relaxed_at(whole, second, "after:promote-intent")
    second.turns(4)
    assert seen == [HAD]
    (listed,) = second.coordination.operations(CLUSTER)
    assert (listed["outcome"], listed["new_primary"]) == ("done", "db2")


def out_of_reach(whole: Whole) -> Manager:
    """A manager that takes up a failover whose elect was let off, and stands still since."""
    letting_off(whole)
    first, second = whole.manager("m1").turns(4), whole.manager("m2").turns(2)
    behind(whole)
    at(first, "after:RelaxDurability", dies)
    with pytest.raises(Died):
        first.turns(3)
    whole.mysqlds["db2"].frozen = True
    whole.store.depose(CLUSTER)
    return second


def test_who_cannot_be_reached_gets_it_back_at_the_end() -> None:
    whole = Whole(relax_durability=True)
    second = out_of_reach(whole)

    def thaw() -> None:
        whole.mysqlds["db2"].frozen = False

    at(second, "after:PublishPrimary", thaw)
    second.turns(4)
    listed = second.coordination.operations(CLUSTER)[-1]
    assert (listed["outcome"], listed["new_primary"]) == ("done", "db3")
    assert whole.mysqlds["db2"].durability == HAD


def test_who_cannot_be_given_it_back_is_named() -> None:
    whole = Whole(relax_durability=True)
    second = out_of_reach(whole)
    second.turns(4)
    listed = second.coordination.operations(CLUSTER)[-1]
    assert (listed["outcome"], listed["new_primary"]) == ("done", "db3")
    assert "db2 does not force its commits to its disk as it did before" in str(listed["findings"])


def test_it_is_in_the_journal_before_it_is_so() -> None:
    whole = Whole(relax_durability=True)
    letting_off(whole)
    manager = whole.manager().turns(4)
    behind(whole)
    manager.turns(3)
    (listed,) = manager.coordination.operations(CLUSTER)
    shown = manager.coordination.operation(str(listed["operation"]))
    assert shown is not None
    (entry,) = (e for e in shown["entries"] if e["kind"] == EntryKind.RELAXED)  # type: ignore[attr-defined]
    assert {key: entry["body"][key] for key in ("server", "sync_binlog", "flush_log")} == {
        "server": "db2",
        "sync_binlog": 1000,
        "flush_log": 1,
    }
