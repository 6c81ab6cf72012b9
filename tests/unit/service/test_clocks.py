"""The time of day is set by people: a clock that jumps holds nothing up for long and makes nobody act."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failoverd.decide.measures import lately
from failoverd.model.plans import Kind, Request, Requester
from tests.fakes.whole import CLUSTER, Whole

HOUR = 3600.0


@pytest.mark.parametrize(
    ("passed", "holds"), [(0.0, True), (3599.0, True), (3601.0, False), (-30.0, True), (-3601.0, False), (-1e8, False)]
)
def test_what_lies_in_the_future_holds_up_no_longer_than_the_limit(passed: float, holds: bool) -> None:
    assert lately(passed, HOUR) is holds


def test_after_a_clock_was_set_back_a_failover_is_held_up_no_longer_than_its_cooldown() -> None:
    whole = Whole()
    whole.store.of(CLUSTER).last_failover = whole.clock.wall().timestamp() + 365 * 24 * HOUR
    manager = whole.manager("m1").turns(4)
    whole.mysqlds["db1"].kill()
    manager.turns(5)
    assert [m.name for m in whole.mysqlds.values() if m.alive and not m.read_only] == ["db2"]


@pytest.mark.parametrize("off", [-HOUR, HOUR])
def test_a_request_from_a_host_with_another_time_is_answered_with_the_reason(off: float) -> None:
    whole = Whole()
    manager = whole.manager("m1").turns(4)
    asked = Request(
        CLUSTER, Kind.FAILOVER, Requester("person", "ann", "here", ""), asked_at=whole.clock.wall().timestamp()
    )
    name = manager.coordination.ask(replace(asked, asked_at=asked.asked_at + off))
    manager.turns(2)
    answer = manager.coordination.answered(CLUSTER, name)
    assert answer is not None
    assert "clock" in str(answer["error"])
    assert manager.coordination.operations(CLUSTER) == ()
