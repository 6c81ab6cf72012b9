"""The words that are said to a running operation: what each changes, what is answered, and what comes too late."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failoverd.decide.controlling import WORDS, document, lines_of, misspelt, obey, progress, state_of, wished
from failoverd.model.control import Standing, Wishes
from failoverd.model.plans import Kind
from failoverd.model.policy import SwitchoverPolicy

LOADS = (("Threads_running", 80), ("Threads_connected", 9))
VALUES = {"candidate": "db3", "max-load": "Threads_running=80", "critical-load": "Threads_running=80"}
STANDING = Standing(
    "shop-1", "shop", Kind.SWITCHOVER, ("CHECK: claim db1",), "db2", ("db1", "db2", "db3"), SwitchoverPolicy()
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hold", Wishes(held=True)),
        ("go", Wishes(released=True)),
        ("throttle", Wishes(throttled=True)),
        ("abort", Wishes(given_up_by="anna")),
        ("candidate=db3", Wishes(candidate="db3")),
        ("  freeze-budget-ms = 500 ", Wishes(freeze_budget=0.5)),
        ("max-lag-ms=1500", Wishes(max_lag=1.5)),
        ("max-load=Threads_running=80,threads_connected=9", Wishes(max_load=LOADS)),
        ("max-load=", Wishes(max_load=())),
        ("critical-load=Threads_running=80", Wishes(critical_load=LOADS[:1])),
        ("status", Wishes()),
        ("plan", Wishes()),
        ("?", Wishes()),
        ("max-lag-ms=?", Wishes()),
    ],
)
def test_each_word_changes_its_own(line: str, expected: Wishes) -> None:
    answer = obey(line, Wishes(), STANDING, 0.0, "anna")
    assert (answer.ok, answer.wishes) == (True, expected)
    assert answer.lines


def test_what_was_said_is_taken_back_by_its_opposite() -> None:
    wishes = Wishes()
    for line in ("hold", "throttle", "go", "no-throttle"):
        wishes = obey(line, wishes, STANDING, 0.0).wishes
    assert wishes.waited_for() == ""


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "is not known"),
        ("panic", "is not known"),
        ("hold=1", "takes no value"),
        ("candidate", "takes a value"),
        ("candidate=db9", "there is no server 'db9': db1, db2, db3"),
        ("freeze-budget-ms=2s", "no whole number of milliseconds from 100 to 60000"),
        ("freeze-budget-ms=99", "from 100"),
        ("max-lag-ms=-1", "no whole number"),
        ("max-load=80", "'80' is no status variable with its limit, as in Threads_running=80"),
        ("critical-load=Threads_running=many", "is no status variable"),
        ("critical-load=Threads_running=1;2", "is no status variable"),
        ("max-lag-ms=", "no whole number"),
        ("max-lag-ms=٣٠٠", "no whole number"),
    ],
)
def test_a_bad_word_is_named_and_changes_nothing(line: str, says: str) -> None:
    before = Wishes(throttled=True, max_lag=2.0)
    answer = obey(line, before, STANDING, 0.0)
    assert (answer.ok, answer.wishes) == (False, before)
    assert says in answer.lines[0]
    assert says in misspelt(line, STANDING.servers)


def test_past_the_point_of_no_return_nothing_is_changed_any_more() -> None:
    chosen = replace(STANDING, chosen=True)
    for row in WORDS:
        line = f"{row.word}={VALUES.get(row.word, '500')}" if row.value else row.word
        answer = obey(line, Wishes(), chosen, 0.0)
        assert answer.wishes == Wishes()
        assert answer.ok is (row.change is None)
        assert row.change is None or "db2 is chosen, that is the point of no return" in answer.lines[0]


def test_a_failover_waits_for_nobody() -> None:
    answer = obey("abort", Wishes(), replace(STANDING, kind=Kind.FAILOVER), 0.0)
    assert not answer.ok
    assert "a failover waits for nobody" in answer.lines[0]


def test_a_hold_comes_too_late_once_writes_are_held_up() -> None:
    frozen = replace(STANDING, frozen_at=1.0)
    assert not obey("hold", Wishes(), frozen, 1.5).ok
    assert obey("abort", Wishes(), frozen, 1.5).ok


def test_the_progress_names_state_rest_rate_and_eta() -> None:
    catching = replace(STANDING, stage="FREEZE", doing="wait", frozen_at=10.0, outstanding=1200, rate=3000.0)
    assert progress(Wishes(freeze_budget=1.0), catching, 10.42) == (
        "frozen: FREEZE wait; no writes for 0.42 s of 1 s; 1200 transactions outstanding; 3000/s; about 0.4 s more"
    )
    waiting = replace(STANDING, stage="CHECK", doing="wait", waiting="7 sessions are busy")
    assert progress(Wishes(), waiting, 0.0) == "waiting: CHECK wait; 7 sessions are busy"
    assert progress(Wishes(held=True), waiting, 0.0) == "held: CHECK wait; waiting for go (held)"


@pytest.mark.parametrize(
    ("wishes", "changes", "state"),
    [
        (Wishes(), {}, "running"),
        (Wishes(), {"waiting": "x"}, "waiting"),
        (Wishes(held=True), {}, "held"),
        (Wishes(throttled=True), {}, "throttled"),
        (Wishes(held=True), {"frozen_at": 1.0}, "frozen"),
        (Wishes(given_up_by="anna"), {"frozen_at": 1.0}, "given-up"),
        (Wishes(), {"chosen": True, "frozen_at": 1.0}, "chosen"),
    ],
)
def test_the_state_in_one_word(wishes: Wishes, changes: dict[str, object], state: str) -> None:
    assert state_of(wishes, replace(STANDING, **changes)) == state  # type: ignore[arg-type]


def test_limits_go_with_the_request_and_what_a_later_version_says_is_passed_over() -> None:
    limits = Wishes(freeze_budget=0.25, max_lag=3.0, max_load=LOADS, critical_load=())
    lines = lines_of(replace(limits, held=True, candidate="db3"))
    assert lines == (
        "freeze-budget-ms=250",
        "max-lag-ms=3000",
        "max-load=Threads_running=80,Threads_connected=9",
        "critical-load=",
    )
    assert wished((*lines, "mood=good"), STANDING) == limits


def test_the_document_says_what_is_in_force() -> None:
    answer = obey("status", Wishes(freeze_budget=0.5, critical_load=LOADS[:1]), STANDING, 0.0)
    told = document(answer, STANDING, 0.0)
    assert (told["operation"], told["state"], told["freeze_budget"], told["max_lag"]) == ("shop-1", "running", 0.5, 5.0)
    assert told["answer"] == list(answer.lines)
    assert (told["max_load"], told["critical_load"]) == ("", "Threads_running=80")
    assert answer.lines[-4:] == (
        "freeze-budget-ms=500",
        "max-lag-ms=5000",
        "max-load=",
        "critical-load=Threads_running=80",
    )
