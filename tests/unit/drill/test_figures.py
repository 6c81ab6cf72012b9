"""Numbers out of measurements: outage, the time split by stages, what was lost."""

from __future__ import annotations

import pytest

from failoverd.drill import figures
from failoverd.model.rehearsed import Rows
from tests.unit.drill.measurements import GOOD, measured, operation


def test_the_time_to_the_next_write_is_split_by_stages_without_a_rest() -> None:
    parts = figures.split(GOOD)
    assert [name for name, _ in parts] == ["detect", "decide", "fence", "promote", "repoint"]
    assert sum(seconds for _, seconds in parts) == pytest.approx(2.0)
    assert dict(parts)["detect"] == pytest.approx(0.2)
    assert dict(parts)["promote"] == pytest.approx(0.7)


def test_a_planned_change_is_not_charged_with_what_was_prepared_while_clients_wrote() -> None:
    late = measured(struck=97.0)
    assert figures.first_write(late) == pytest.approx(2.0), "the outage alone"
    assert sum(seconds for _, seconds in figures.split(late)) == pytest.approx(2.0)


def test_what_no_stage_explains_is_the_clients() -> None:
    short = measured(operations=(operation(steps=operation()["steps"][:2]),))
    name, seconds = figures.split(short)[-1]
    assert (name, round(seconds, 6)) == ("client", 0.5)


def test_an_outage_that_lasts_has_no_end() -> None:
    gone = measured(wrote=GOOD.wrote[:51])
    gap = figures.outage(gone)
    assert gap is not None
    assert (gap.ended, gap.seconds) == (False, 10.0)
    assert figures.first_write(gone) is None
    assert figures.split(gone) == ()


def test_pauses_before_the_strike_do_not_count() -> None:
    gap = figures.outage(measured(wrote=GOOD.wrote[:10] + GOOD.wrote[40:]))
    assert gap is not None
    assert gap.seconds == pytest.approx(2.0)


def test_the_operation_that_counts_is_the_move_that_was_done() -> None:
    first = operation(operation="op0", outcome="refused", started="1970-01-01T00:01:40.100Z")
    rejoin = operation(operation="op2", kind="rejoin", started="1970-01-01T00:01:39.000Z")
    found = figures.main_operation(measured(operations=(rejoin, first, operation())))
    assert found is not None
    assert found["operation"] == "op1"
    assert figures.main_operation(measured(operations=())) is None


def test_the_time_that_is_lost_is_the_span_of_the_lost_rows() -> None:
    assert figures.lost_seconds(GOOD) == 0.0
    assert figures.lost_seconds(measured(rows=Rows("db2", 9, (41, 51)))) == pytest.approx(1.0)


def test_errors_and_percentiles() -> None:
    assert figures.errors(GOOD) == {2013: 1, 2003: 1, 1290: 1}
    assert figures.percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert figures.percentile([2.0, 1.0], 0.5) == 1.0, "the median of two is not the worse one"
    assert figures.percentile([float(number) for number in range(1, 11)], 0.9) == 9.0
    assert figures.percentile([], 0.5) == 0.0
