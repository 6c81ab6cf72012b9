"""Progress, idleness and a guess at the rest."""

from __future__ import annotations

from failoverd.execute.pace import Pace
from tests.fakes.whole import StillClock


def test_only_what_goes_further_is_progress() -> None:
    clock = StillClock()
    pace = Pace(clock)
    assert pace.moved(-100)
    clock.sleep(2.0)
    assert not pace.moved(-100)
    assert not pace.moved(-120), "a set that seems to grow again is none"
    assert pace.idle() == 2.0
    assert pace.moved(-50)
    assert pace.idle() == 0.0


def test_rows_of_one_long_transaction_are_progress_too() -> None:
    clock = StillClock()
    pace = Pace(clock)
    pace.moved(-1)
    clock.sleep(5.0)
    assert not pace.worked(1000), "the first count says nothing"
    assert not pace.worked(1000)
    assert pace.idle() == 5.0
    assert pace.worked(2000)
    assert pace.idle() == 0.0
    clock.sleep(1.0)
    assert not pace.worked(0), "it has ended"
    assert not pace.worked(500), "another one has begun"


def test_the_rest_is_guessed_from_what_was_seen() -> None:
    clock = StillClock()
    pace = Pace(clock)
    pace.moved(-100)
    assert pace.eta(100) == ""
    clock.sleep(2.0)
    pace.moved(-60)
    assert pace.eta(60) == ", 20/s, about 3 s more"
