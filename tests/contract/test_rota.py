"""Rounds on few threads: who begins when, and that one that waits never holds up the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from failoverd.drivers.rota import PLACES, Rota

LONG = 20.0
MANY = 60


def until(true: Callable[[], bool], what: str) -> None:
    """Wait until something is true."""
    end = time.monotonic() + LONG
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.005)


class Count:
    """A watch that counts its rounds."""

    def __init__(self, rest: float | None = 0.01) -> None:
        self.rounds = 0
        self.rest = rest
        self.over = False

    def round(self) -> float | None:
        rest = self.rest
        self.rounds += 1
        self.over = rest is None
        return rest


def test_rounds_follow_each_other_until_one_says_none() -> None:
    rota, watch = Rota(), Count()
    rota.start("a", watch.round)
    until(lambda: watch.rounds >= 3, "three rounds")
    watch.rest = None
    until(lambda: watch.over, "the last round")
    last = watch.rounds
    rota.bell("a").ring("too late")
    time.sleep(0.1)
    assert watch.rounds == last


def test_a_ring_ends_the_rest_of_that_watch_alone() -> None:
    rota, one, other = Rota(), Count(3600.0), Count(3600.0)
    bell = rota.bell("one")
    rota.start("one", one.round)
    rota.start("other", other.round)
    until(lambda: one.rounds == other.rounds == 1, "the first rounds")
    bell.ring("lost:one/db1")
    until(lambda: one.rounds == 2, "the round that was rung for")
    assert other.rounds == 1


def test_a_ring_in_the_middle_of_a_round_is_answered_by_another() -> None:
    rota, begun, go = Rota(), threading.Event(), threading.Event()
    rounds: list[bool] = []

    def turn() -> float:
        begun.set()
        rounds.append(go.wait(LONG))
        return 3600.0

    bell = rota.bell("a")
    rota.start("a", turn)
    assert begun.wait(LONG)
    bell.ring("now")
    go.set()
    until(lambda: len(rounds) == 2, "the second round")


def test_before_it_has_begun_a_bell_rings_for_whoever_waits_on_it() -> None:
    bell = Rota().bell("a")
    bell.ring("lock")
    assert bell.wait(LONG) == {"lock"}


def test_rounds_that_wait_delay_nobody() -> None:
    """More of them than there are places: each gives its own away after a moment."""
    rota, stuck = Rota(), threading.Event()

    def turn() -> float:
        stuck.wait(LONG)
        return 3600.0

    try:
        for number in range(PLACES[-1][1] + 5):
            rota.start(f"stuck {number}", turn)
        watch = Count()
        rota.start("quick", watch.round)
        until(lambda: watch.rounds >= 5, "rounds beside those that wait")
    finally:
        stuck.set()


def test_many_watches_share_few_threads() -> None:
    before, rota = threading.active_count(), Rota()
    watches = [Count(0.05) for _ in range(MANY)]
    most = 0
    for number, watch in enumerate(watches):
        rota.start(str(number), watch.round)
    end = time.monotonic() + LONG
    while min(watch.rounds for watch in watches) < 10 and time.monotonic() < end:
        most = max(most, threading.active_count())
        time.sleep(0.005)
    assert min(watch.rounds for watch in watches) >= 10
    assert most - before <= PLACES[-1][1] + 1
    for watch in watches:
        watch.rest = None


def test_an_error_that_leaves_a_round_is_told() -> None:
    told: list[str] = []
    rota, watch = Rota(lambda name, error: told.append(f"{name}: {error}")), Count()

    def fails() -> float:
        raise ValueError("a bug")

    rota.start("bad", fails)
    rota.start("good", watch.round)
    until(lambda: watch.rounds >= 3, "rounds of the other one")
    assert told == ["bad: a bug"]
