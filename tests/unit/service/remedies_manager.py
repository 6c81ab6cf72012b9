"""`make remedies`, second half: cases whose remedy lives in the manager, each with its remedy left out. The symptom
that the remedy is there for must show; a case that passes without it would prove nothing.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from failoverd.decide.judge import judge
from failoverd.execute import durability, run
from failoverd.execute.drain import Drainage
from failoverd.execute.hands import Hands
from failoverd.gtid import GtidSet
from failoverd.model import sources, steps
from failoverd.model.durability import RELAXED
from failoverd.model.errors import AgentError
from failoverd.model.host import Spliced
from failoverd.model.plans import EntryKind
from failoverd.model.policy import Promote
from failoverd.model.sight import Thread, Trouble
from failoverd.model.sources import Source
from failoverd.plan import recovery
from failoverd.service import links
from tests.fakes.moments import Died, at, dies
from tests.fakes.whole import CLUSTER, Manager, Whole
from tests.scenarios.world import NOW, WALL, build
from tests.unit.service.test_links import by_hand, forget, host_gone, unapplied
from tests.unit.service.test_resume import behind

FORGOTTEN = (
    "db1 down",
    "db2 replica receiver=connecting heartbeat=4 received= recovers",
    "db3 replica receiver=connecting heartbeat=4 received= recovers",
    "agent db1 unreachable",
    "agent db2 alive",
    "history misses=3 down=3 executed=db1:1-105",
)


def outcome(manager: Manager) -> object:
    (listed,) = manager.coordination.operations(CLUSTER)
    return listed["outcome"]


def lagging(whole: Whole) -> Manager:
    """Nobody but the dead primary's log has the last five transactions."""
    manager = whole.manager().turns(4)
    for name in ("db2", "db3"):
        whole.mysqlds[name].change("", receiver=Thread.NO)
    whole.mysqlds["db1"].write(5)
    manager.turns(1)
    whole.mysqlds["db1"].kill()
    return manager


def test_without_counting_on_forgotten_relay_logs_nobody_even_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    made = build(FORGOTTEN)

    def refusals() -> list[str]:
        verdict = judge(made.snapshot, made.history, made.policy, NOW, WALL)
        return [refusal.id for refusal in verdict.refusals]

    assert refusals() == []
    monkeypatch.setattr(sources, "forgot", lambda _: False)
    assert refusals() == ["missing-transactions"]


def test_without_links_from_the_first_sign_of_trouble_what_a_restart_purges_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(links, "TROUBLE", frozenset())
    whole = Whole(automatic=False)
    manager = unapplied(whole)
    host_gone(whole)
    manager.turns(3)
    forget(whole, "db2", "db3")
    by_hand(whole, manager)
    manager.turns(2)
    assert outcome(manager) != "done"
    assert all(whole.mysqlds[name].read_only for name in ("db2", "db3"))


def test_without_starting_it_again_an_applier_that_gave_up_waiting_loses_the_election_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Drainage, "_restart", lambda *_: None)
    whole = Whole()
    manager = whole.manager().turns(4)
    for name in ("db2", "db3"):
        whole.mysqlds[name].change("", applier=Thread.NO, applier_trouble=Trouble(1205, "lock wait"))
    whole.mysqlds["db1"].write(5)
    manager.turns(1)
    whole.mysqlds["db1"].kill()
    manager.turns(2)
    assert outcome(manager) == "refused"


def test_without_replication_first_an_elect_without_an_agent_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = recovery.choose_sources

    def by_trust_alone(need: GtidSet, found: tuple[Source, ...], *, deaf: bool) -> tuple[Source, ...]:
        del deaf
        return chosen(need, found)

    monkeypatch.setattr(recovery, "choose_sources", by_trust_alone)
    whole = Whole()
    specs = tuple(replace(s, promote=Promote.NEVER) if s.name == "db3" else s for s in whole.policy.servers)
    whole.policy = replace(whole.policy, servers=specs)
    manager = whole.manager().turns(4)
    whole.hosts["db2"].silent = "unreachable"
    whole.mysqlds["db2"].change("", receiver=Thread.NO)
    whole.mysqlds["db1"].write(5)
    manager.turns(1)
    whole.mysqlds["db1"].kill()
    manager.turns(3)
    assert outcome(manager) == "refused"


def test_without_a_record_of_it_what_was_given_up_is_reported_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Whole(max_loss=5)
    first, second = lagging(whole), whole.manager("m2").turns(2)
    write = Hands.write

    def forgetting(hands: Hands, kind: EntryKind, body: dict[str, object], *, wait: bool) -> None:
        if kind is not EntryKind.GIVEN_UP:
            write(hands, kind, body, wait=wait)

    def broken(*_: object) -> Spliced:
        raise AgentError("the line broke")

    monkeypatch.setattr(Hands, "write", forgetting)
    first.agents.transfer = broken  # type: ignore[assignment, method-assign]
    at(first, "after:OpenWrites", dies)
    with pytest.raises(Died):
        first.turns(3)
    whole.store.depose(CLUSTER)
    second.turns(4)
    (listed,) = second.coordination.operations(CLUSTER)
    assert (listed["outcome"], listed["lost"]["transactions"]) == ("done", 0)  # type: ignore[index]


def test_without_giving_it_back_the_new_primary_forces_nothing_to_its_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(run.HANDLERS, steps.RestoreDurability, lambda *_: "left out")
    whole = Whole(relax_durability=True)
    manager = whole.manager().turns(4)
    behind(whole)
    manager.turns(3)
    assert outcome(manager) == "done"
    assert whole.mysqlds["db2"].durability == RELAXED


def test_without_a_record_of_it_the_next_manager_does_not_know_what_to_give_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unrecorded(step: steps.RelaxDurability, hands: Hands) -> str:
        hands.claimed(step.server).set_durability(RELAXED)
        return "without a word"

    monkeypatch.setitem(run.HANDLERS, steps.RelaxDurability, unrecorded)
    whole = Whole(relax_durability=True)
    first, second = whole.manager("m1").turns(4), whole.manager("m2").turns(2)
    behind(whole)
    at(first, "after:RelaxDurability", dies)
    with pytest.raises(Died):
        first.turns(3)
    monkeypatch.setitem(run.HANDLERS, steps.RelaxDurability, durability.relax)
    whole.store.depose(CLUSTER)
    second.turns(4)
    assert outcome(second) == "done"
    assert whole.mysqlds["db2"].durability == RELAXED
