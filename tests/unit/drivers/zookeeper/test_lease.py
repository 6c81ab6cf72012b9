"""The lease on a clock that a test moves."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from failoverd.drivers.zookeeper.lease import ZooKeeperLease
from failoverd.model.errors import LockLost


class MovedClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def wall(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def lease(clock: MovedClock) -> ZooKeeperLease:
    return ZooKeeperLease("/lock/a_1", 7, 3, clock.now() + 4.0, clock)


def test_it_is_alive_until_its_deadline_and_never_again(lease: ZooKeeperLease, clock: MovedClock) -> None:
    clock.time += 3.99
    lease.check()
    clock.time += 0.02
    with pytest.raises(LockLost, match="epoch 3"):
        lease.check()
    lease.renewed(clock.now(), 4.0)
    with pytest.raises(LockLost):
        lease.check()
    assert not lease.alive


def test_an_answer_proves_the_time_from_its_question(lease: ZooKeeperLease, clock: MovedClock) -> None:
    asked = clock.now() + 1.0
    clock.time += 3.0
    lease.renewed(asked, 4.0)
    clock.time = asked + 3.99
    lease.check()
    clock.time = asked + 4.0
    with pytest.raises(LockLost):
        lease.check()


def test_an_answer_that_came_late_revives_nothing(lease: ZooKeeperLease, clock: MovedClock) -> None:
    asked = clock.now() + 3.9
    clock.time += 4.1
    lease.renewed(asked, 4.0)
    assert not lease.alive


def test_an_older_answer_does_not_shorten_it(lease: ZooKeeperLease, clock: MovedClock) -> None:
    lease.renewed(clock.now() - 3.0, 4.0)
    clock.time += 3.5
    lease.check()


def test_what_was_lost_stays_lost(lease: ZooKeeperLease, clock: MovedClock) -> None:
    lease.lose("the session has ended")
    lease.renewed(clock.now(), 4.0)
    with pytest.raises(LockLost, match="the session has ended"):
        lease.check()


def checked(lease: ZooKeeperLease) -> tuple[threading.Thread, list[str]]:
    told: list[str] = []

    def check() -> None:
        try:
            lease.check()
            told.append("alive")
        except LockLost:
            told.append("lost")

    thread = threading.Thread(target=check)
    thread.start()
    return thread, told


def test_while_suspended_acts_wait_and_go_on_when_the_entry_was_read_again(
    lease: ZooKeeperLease, clock: MovedClock
) -> None:
    clock.time += 1.0
    lease.suspend()
    thread, told = checked(lease)
    thread.join(0.2)
    assert told == []
    assert lease.alive
    lease.renewed(clock.now() - 0.5, 4.0)  # asked before the connection broke: proves nothing about afterwards
    thread.join(0.2)
    assert told == []
    clock.time += 1.0
    lease.renewed(clock.now(), 4.0)
    thread.join(10.0)
    assert told == ["alive"]


def test_while_suspended_acts_wait_no_longer_than_the_deadline(lease: ZooKeeperLease, clock: MovedClock) -> None:
    lease.suspend()
    thread, told = checked(lease)
    clock.time += 4.0
    thread.join(10.0)
    assert told == ["lost"]
