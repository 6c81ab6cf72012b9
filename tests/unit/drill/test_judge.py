"""Every kind of expectation, met and failed, on recorded measurements."""

from __future__ import annotations

from typing import Any

import pytest

from failoverd.drill.judge import ABORTS, ROWS, Outcome, judge, reason_to_abort
from failoverd.model.rehearsed import Measured, Rows, Sight, StaleRead
from failoverd.model.runbook import SENTENCES, Abort, Expectation
from tests.unit.drill.measurements import BEFORE, DEAD, GOOD, OPEN, WHOLE, measured, operation

TWO = Sight(101.0, ("db1", "db2"), {}, "inconsistent", "db1", "mgr1")

HELD = Sight(100.02, ("db1",), {"db2": "db1", "db3": "db1"}, "healthy", "db1", "mgr1")  # the fault has not shown yet

# kind, value, within; then measurements in which it is met and in which it fails, and what is said then.
CASES: tuple[tuple[str, Any, float | None, Measured, Measured, str], ...] = (
    ("new_primary", "any", 3.0, GOOD, measured(sights=(BEFORE, DEAD)), "it did not come"),
    ("new_primary", "any", 3.0, GOOD, measured(sights=(BEFORE, DEAD, Sight(104.0, ("db2",)))), "after 4.00 s"),
    ("new_primary", "replica", 3.0, GOOD, measured(sights=(BEFORE, Sight(101.0, ("db3",)))), "it did not come"),
    ("new_primary", "any", None, GOOD, measured(sights=(BEFORE, OPEN, Sight(109.0, ()))), "nobody takes writes"),
    ("no_failover", "true", None, measured(operations=()), GOOD, "there was a failover"),
    ("outage_below", 2.5, None, GOOD, measured(wrote=GOOD.wrote[:51] + GOOD.wrote[61:]), "3.000 s without"),
    ("outage_below", 2.5, None, GOOD, measured(wrote=GOOD.wrote[:51]), "and none came"),
    ("outage_below", 2.5, None, GOOD, measured(wrote=()), "no row was ever acknowledged"),
    ("lost_rows", 0.0, None, GOOD, measured(rows=Rows("db2", 131, (7, 8))), "2 of 131 acknowledged rows are lost"),
    ("lost_rows", 2.0, None, measured(rows=Rows("db2", 9, (7, 8))), measured(rows=None), "were not compared"),
    ("duplicate_rows", 0.0, None, GOOD, measured(rows=Rows("db2", 131, duplicates=1)), "1 row is there twice"),
    ("stale_reads_below", 1.0, None, GOOD, measured(stale=(StaleRead(104.0, "db3", 9, 1.5),)), "db3 lacked 9 rows"),
    ("stale_reads_below", 1.0, None, GOOD, measured(reads=0), "no replica was read"),
    ("verdict", "primary-dead", 3.0, GOOD, measured(sights=(BEFORE, OPEN, WHOLE)), "the last look: the verdict is"),
    ("one_writer", "true", None, GOOD, measured(sights=(BEFORE, TWO, WHOLE)), "db1 and db2 took writes at once"),
    ("one_writer", "true", None, GOOD, measured(sights=(BEFORE, DEAD)), "in the end nobody takes writes"),
    ("attached", "others", 5.0, GOOD, measured(sights=(BEFORE, OPEN)), "nobody follows anybody"),
    ("attached", "all", 5.0, measured(sights=(BEFORE, Sight(104.0, ("db2",), {"db1": "db2", "db3": "db2"}))), GOOD, ""),
    ("attached", "others", 5.0, GOOD, measured(sights=(HELD, DEAD, OPEN)), "nobody follows anybody"),
    ("attached", "others", None, GOOD, measured(sights=(HELD, WHOLE, OPEN)), "nobody follows anybody"),
    ("operation", "failover done", 5.0, GOOD, measured(operations=(operation(outcome="failed"),)), "failover failed"),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "within", "good", "bad", "said"), CASES)
def test_it_is_met_and_it_fails(
    kind: Any, value: Any, within: float | None, good: Measured, bad: Measured, said: str
) -> None:
    wanted = Expectation(kind, value, within)
    assert judge(wanted, good).outcome is Outcome.MET, judge(wanted, good)
    found = judge(wanted, bad)
    assert found.outcome is Outcome.FAILED, found
    assert said in found.measured


def test_every_kind_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(ROWS) == set(SENTENCES)


@pytest.mark.parametrize("kind", sorted(ROWS))
def test_without_a_strike_nothing_is_settled_until_the_end(kind: Any) -> None:
    wanted = Expectation(kind, "any", 3.0)
    assert judge(wanted, measured(struck=None, final=False)).outcome is Outcome.PENDING
    assert judge(wanted, measured(struck=None)).outcome is Outcome.FAILED


def test_what_may_still_come_is_pending() -> None:
    early = measured(final=False, now=100.6, sights=(BEFORE, DEAD), operations=(), rows=None)
    for kind, value in (("new_primary", "any"), ("attached", "others"), ("operation", "failover done")):
        assert judge(Expectation(kind, value, 5.0), early).outcome is Outcome.PENDING  # type: ignore[arg-type]
    late = measured(final=False, now=106.0, sights=(BEFORE, DEAD), operations=(), rows=None)
    assert judge(Expectation("new_primary", "any", 5.0), late).outcome is Outcome.FAILED


def test_an_outage_counts_only_as_long_as_it_is_looked_at() -> None:
    assert judge(Expectation("outage_below", 2.0, 1.5), GOOD).outcome is Outcome.MET
    assert judge(Expectation("outage_below", 2.0), GOOD).outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("condition", "found", "said"),
    [
        (Abort("two_writers"), measured(sights=(BEFORE, TWO)), "db1 and db2 take writes at once"),
        (Abort("two_writers"), GOOD, ""),
        (Abort("outage_over", 1.5), GOOD, "nothing was acknowledged for 2.0 s"),
        (Abort("outage_over", 3.0), GOOD, ""),
        (Abort("verdict", "primary-dead"), measured(sights=(BEFORE, DEAD)), "the verdict is primary-dead"),
        (Abort("verdict", "primary-dead"), GOOD, ""),
    ],
)
def test_reasons_to_end_at_once(condition: Abort, found: Measured, said: str) -> None:
    assert reason_to_abort((condition,), found) == said


def test_every_reason_has_a_case() -> None:
    assert set(ABORTS) == {"two_writers", "outage_over", "verdict"}
