"""Managers tell each other of a primary that is missed: nothing is said while it answers, and a word keeps others
still.
"""

from __future__ import annotations

from failoverd.model.host import StandbyWord
from failoverd.model.sight import Unreachable, Why
from failoverd.model.verdict import VerdictName
from failoverd.service.standbys import found
from tests.fakes.whole import CLUSTER, Manager, Whole


def two(whole: Whole) -> tuple[Manager, Manager]:
    """An active manager that sees the primary healthy, and a standby."""
    first, second = whole.manager("m1"), whole.manager("m2")
    for manager in (first, second) * 4:
        manager.turns()
    return first, second


def cut_off(whole: Whole, *managers: Manager) -> None:
    """Neither these managers nor the replicas reach the primary any more, nor is any host's agent of use."""
    for manager in managers:
        manager.servers.cut.add("db1")
    for name, host in whole.hosts.items():
        host.silent = "unreachable"
        if name != "db1":
            whole.mysqlds[name].change("", heartbeat_age=9.0, heartbeat_period=0.5)


def by_turns(first: Manager, second: Manager, count: int) -> None:
    for _ in range(count):
        first.turns()
        second.turns()


def words(manager: Manager) -> tuple[StandbyWord, ...]:
    return manager.coordination.testimonies(CLUSTER)


def test_nobody_asks_while_the_primary_answers() -> None:
    whole = Whole()
    first, _ = two(whole)
    assert (first.coordination.question(CLUSTER), words(first)) == ("", ())


def test_a_standby_that_reaches_the_primary_keeps_the_active_manager_still() -> None:
    whole = Whole()
    first, second = two(whole)
    cut_off(whole, first)
    by_turns(first, second, 12)
    verdict = first.memory.verdict
    assert verdict is not None
    assert (verdict.name, verdict.rule) == (VerdictName.SUSPECT, "vetoed")
    assert "standby m2 looked and found it ok" in [e.sentence for e in verdict.evidence]
    assert first.coordination.operations(CLUSTER) == ()
    (word,) = words(first)
    assert word.question == first.coordination.question(CLUSTER) == second.memory.answered


def test_a_standby_answers_by_a_complete_login_whatever_its_open_session_says() -> None:
    whole = Whole()
    first, second = two(whole)
    cut_off(whole, first)
    session = second.servers.monitoring["db1"]
    by_turns(first, second, 2)
    assert second.servers.monitoring["db1"] != session
    whole.mysqlds["db1"].full = True
    by_turns(first, second, 4)
    (word,) = words(first)
    assert (word.outcome, word.code) == ("alive", 1040), "its session would have answered"
    assert first.memory.verdict is not None
    assert first.memory.verdict.rule == "vetoed"


def test_a_standby_that_nobody_asks_keeps_its_session() -> None:
    whole = Whole()
    first, second = two(whole)
    session = second.servers.monitoring["db1"]
    by_turns(first, second, 4)
    assert second.servers.monitoring["db1"] == session


def test_without_that_word_the_same_cut_is_a_failover() -> None:
    whole = Whole()
    first, second = two(whole)
    cut_off(whole, first, second)
    by_turns(first, second, 12)
    assert [one["kind"] for one in first.coordination.operations(CLUSTER)] == ["failover"]


def test_a_word_to_an_earlier_question_says_nothing() -> None:
    whole = Whole()
    first, second = two(whole)
    cut_off(whole, first)
    by_turns(first, second, 2)
    assert words(first)
    first.turns(12)  # the standby is silent from here on
    assert [one["kind"] for one in first.coordination.operations(CLUSTER)] == ["failover"]


def test_when_it_answers_again_the_words_are_forgotten() -> None:
    whole = Whole()
    first, second = two(whole)
    cut_off(whole, first)
    by_turns(first, second, 6)
    assert first.memory.asked
    first.servers.cut.clear()
    by_turns(first, second, 2)
    assert not first.memory.asked
    told = words(first)
    by_turns(first, second, 4)
    assert words(first) == told, "nobody asks any more, so nobody answers"


def test_a_fault_on_the_standbys_own_side_is_no_finding() -> None:
    own = Unreachable("db1", Why.OWN_SIDE, "its name does not resolve", 0.0)
    assert found("m2", "7-1", own, reached=0) is None
    denied = found("m2", "7-1", Unreachable("db1", Why.ACCESS_DENIED, "1045", 0.0, 1045), reached=0)
    assert denied is not None
    assert (denied.outcome, denied.code) == ("alive", 1045)
