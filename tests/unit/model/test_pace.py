"""What marks of a replica say about its speed and about the size of transactions."""

from __future__ import annotations

from failoverd.gtid import GtidSet
from failoverd.model.pace import EVERY, KEPT, UNKNOWN, USUAL_RATE, Pace, Track
from failoverd.model.sight import Channel, Endpoint, ServerState, Thread

SOURCE = "0799bfac-e4d3-11f1-a4bb-02fc00000001"
HERE = Endpoint("db2", 3306)


def state(
    at: float, executed: int, received: int, position: int = 0, file: str = "b.1", uuid: str = "u"
) -> ServerState:
    """A replica at one moment, by how much it has."""
    done, got = (GtidSet.parse(f"{SOURCE}:1-{count}") for count in (executed, received))
    channel = Channel(
        "", HERE, SOURCE, Thread.YES, Thread.YES, received=got, source_file=file, source_position=position
    )
    return ServerState("db2", HERE, "9.7.4", uuid, 2, True, True, done, GtidSet(), (channel,), 0.0, at)


def track(*states: ServerState) -> Track:
    """What is left of these looks."""
    found = Track()
    for one in states:
        found = found.after(one)
    return found


def test_a_backlog_shows_what_a_server_can_do() -> None:
    slow = track(state(0, 100, 5000), state(5, 1100, 6000), state(10, 1600, 6000), state(15, 6000, 6000))
    assert slow.pace.rate == 150.0, "1500 in the ten seconds in which work was waiting; what came after says less"


def test_without_a_backlog_only_a_speed_above_the_usual_says_anything() -> None:
    idle = track(state(0, 100, 100), state(5, 600, 600))
    assert idle.pace.rate is None
    fast = track(state(0, 100, 100), state(5, 10_100, 10_100))
    assert fast.pace.rate == 2000.0 > USUAL_RATE


def test_an_applier_that_stands_still_is_no_measure() -> None:
    assert track(state(0, 100, 5000), state(5, 100, 6000)).pace.rate is None


def test_transactions_are_as_large_as_what_came_in_of_one_file() -> None:
    found = track(state(0, 10, 10, 1000), state(5, 20, 20, 5000), state(10, 30, 30, 200, "b.2"))
    assert found.pace == Pace(None, 400.0)


def test_marks_are_few_and_old_ones_go() -> None:
    often = track(*(state(at / 10, 100 + at, 100 + at) for at in range(101)))
    assert [mark.at for mark in often.marks] == [0.0, EVERY, 2 * EVERY]
    long = track(*(state(at * EVERY, 100 + at, 100 + at) for at in range(3 * KEPT)))
    assert len(long.marks) == KEPT


def test_another_server_at_the_address_begins_anew() -> None:
    before = track(state(0, 100, 5000), state(5, 1100, 6000))
    assert before.after(state(10, 1200, 6000, uuid="other")).pace == UNKNOWN
