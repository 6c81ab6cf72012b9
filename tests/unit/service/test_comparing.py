"""Tables that a person has named are compared at the end of a rejoin: equal, different, or not compared and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from failoverd.model.sight import Thread
from failoverd.plan.times import COMPARE
from tests.fakes.moments import at
from tests.fakes.whole import CLUSTER, Manager, Whole
from tests.unit.service.test_rejoin import failed_over, follows, start, steps_of, wish

TABLE = "app.orders"
TITLE = f"compare {TABLE} of db1 with db2"


@pytest.fixture
def whole() -> Whole:
    found = Whole()
    found.policy = replace(found.policy, rejoin="off")
    return found


def asked(whole: Whole, *tables: str) -> tuple[Manager, Mapping[str, object]]:
    """The answer to a person who wants db1 attached to db2 and these tables compared."""
    manager = failed_over(whole)
    start(whole, "db1")
    name = manager.coordination.ask(replace(wish(manager, "db1"), checksums=tables))
    manager.turns(2)
    answer = manager.coordination.answered(CLUSTER, name)
    assert answer is not None
    assert (answer["outcome"], follows(whole, "db1", "db2")) == ("done", True), "whatever is found, it stays attached"
    return manager, answer


def have(whole: Whole, ours: list[int], theirs: list[int]) -> None:
    whole.mysqlds["db1"].sums[TABLE], whole.mysqlds["db2"].sums[TABLE] = ours, theirs


def test_an_equal_table_is_told_with_the_step(whole: Whole) -> None:
    have(whole, [7], [7])
    manager, answer = asked(whole, TABLE)
    outcome, detail = steps_of(manager)[TITLE]
    assert outcome == "done"
    assert detail == f"equal: checksum 7 on both, each at the same {len(whole.mysqlds['db2'].executed)} transactions"
    assert answer["findings"] == []


@pytest.mark.parametrize(("ours", "told"), [([7], "checksum 7"), ([], "no such table")], ids=["rows", "no table"])
def test_a_different_table_is_a_finding_and_the_next_one_is_compared(whole: Whole, ours: list[int], told: str) -> None:
    have(whole, ours, [8])
    for name in ("db1", "db2"):
        whole.mysqlds[name].sums["app.other"] = [0]
    manager, answer = asked(whole, TABLE, "app.other")
    assert steps_of(manager)[TITLE][0] == "failed"
    assert f"{TABLE} differs: {told} on db1, checksum 8 on db2" in str(answer["findings"])
    assert "db1 stays attached" in str(answer["findings"])
    assert steps_of(manager)["compare app.other of db1 with db2"][1].startswith("equal: ")


def test_a_difference_that_is_gone_at_the_second_look_was_none(whole: Whole) -> None:
    have(whole, [7, 8], [8])
    manager, answer = asked(whole, TABLE)
    assert steps_of(manager)[TITLE][0] == "done"
    assert answer["findings"] == []


def test_what_the_account_may_not_read_is_named_and_nothing_has_failed(whole: Whole) -> None:
    have(whole, [7], [7])
    whole.mysqlds["db2"].unreadable_tables = frozenset({TABLE})
    manager, answer = asked(whole, TABLE)
    assert steps_of(manager)[TITLE] == ("done", f"not compared: db2 lacks SELECT on {TABLE}")
    assert answer["findings"] == [f"{TABLE} of db1 is not compared: db2 lacks SELECT on {TABLE}"]


def test_a_table_that_nobody_has_is_not_equal(whole: Whole) -> None:
    _, answer = asked(whole, TABLE)
    assert answer["findings"] == [f"{TABLE} of db1 is not compared: neither server has it"]


def test_where_writes_go_on_nothing_is_compared_and_that_ends(whole: Whole) -> None:
    have(whole, [7], [8])
    whole.mysqlds["db2"].busy = True
    begun = whole.clock.now()
    _, answer = asked(whole, TABLE)
    told = (
        f"{TABLE} of db1 is not compared: not read at one set within 60 s, db2 is written all the time or it is large"
    )
    assert told in str(answer["findings"])
    assert COMPARE <= whole.clock.now() - begun < 3 * COMPARE


def test_writes_that_end_within_the_time_are_waited_for(whole: Whole) -> None:
    have(whole, [7], [7])
    primary, seen = whole.mysqlds["db2"], []
    sleep = whole.clock.sleep

    def counting(seconds: float) -> None:
        seen.append(seconds)
        primary.busy = len(seen) < 30
        sleep(seconds)

    whole.clock.sleep = counting  # type: ignore[method-assign]
    manager, answer = asked(whole, TABLE)
    assert steps_of(manager)[TITLE][1].startswith("equal: ")
    assert answer["findings"] == []


def test_what_has_not_caught_up_is_not_compared(whole: Whole) -> None:
    manager = failed_over(whole)
    start(whole, "db1")

    def stall() -> None:
        whole.mysqlds["db1"].change("", applier=Thread.NO)
        whole.mysqlds["db2"].write(2)

    at(manager, "before:ProveAttached", stall)
    name = manager.coordination.ask(replace(wish(manager, "db1"), checksums=(TABLE,)))
    manager.turns(2)
    answer = manager.coordination.answered(CLUSTER, name)
    assert answer is not None
    assert f"not compared: {TABLE}" in str(answer["findings"])
    assert TITLE not in steps_of(manager)


def test_a_server_that_is_only_let_go_is_not_compared_and_that_is_said(whole: Whole) -> None:
    manager = failed_over(whole)
    whole.mysqlds["db1"].starts_closed = True
    name = manager.coordination.ask(replace(wish(manager, "db1"), checksums=(TABLE,)))
    manager.turns(2)
    answer = manager.coordination.answered(CLUSTER, name)
    assert answer is not None
    assert answer["outcome"] == "done"
    assert answer["findings"] == [f"not compared: {TABLE}: db1 is not attached yet"]


def test_a_comparison_is_given_up_when_the_primary_dies(whole: Whole) -> None:
    have(whole, [7], [7])
    manager = failed_over(whole)
    start(whole, "db1")
    at(manager, "before:CompareTable", whole.mysqlds["db2"].kill)
    begun = whole.clock.now()
    manager.coordination.ask(replace(wish(manager, "db1"), checksums=(TABLE, "app.other")))
    while "rejoin" not in {str(one["kind"]) for one in manager.coordination.operations(CLUSTER)}:
        manager.turns(1)
    assert whole.clock.now() - begun < 8.0, "no time is spent on it"
    outcome, detail = steps_of(manager)[TITLE]
    assert (outcome, detail) == ("failed", f"db2 is missed: {TABLE} is not compared")
