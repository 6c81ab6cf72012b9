"""The end of a line is rung once: while it rests at once, while it is in use when it rests again."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from failoverd.drivers.mysql.watcher import Watcher
from failoverd.drivers.wakeups import Bell

LONG, SHORT = 10.0, 0.1
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def watcher(bell: Bell) -> Watcher:
    return Watcher(bell)


@pytest.fixture
def line() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_the_end_of_a_resting_line_is_rung_once(bell: Bell, watcher: Watcher, line: Pair) -> None:
    ours, theirs = line
    watcher.watch(ours, "lost")
    theirs.close()
    assert bell.wait(LONG) == {"lost"}
    assert bell.wait(SHORT) == frozenset()


def test_data_is_no_end(bell: Bell, watcher: Watcher, line: Pair) -> None:
    ours, theirs = line
    watcher.watch(ours, "lost")
    theirs.sendall(b"an answer")
    assert bell.wait(SHORT) == frozenset()


def test_an_end_in_use_is_rung_when_the_line_rests_again(bell: Bell, watcher: Watcher, line: Pair) -> None:
    ours, theirs = line
    watcher.watch(ours, "lost")
    watcher.use(ours)
    theirs.close()
    assert bell.wait(SHORT) == frozenset()
    watcher.rest(ours, "lost")
    assert bell.wait(LONG) == {"lost"}


def test_a_line_that_was_used_and_rests_is_watched(bell: Bell, watcher: Watcher, line: Pair) -> None:
    ours, theirs = line
    watcher.watch(ours, "lost")
    for _ in range(3):
        watcher.use(ours)
        watcher.rest(ours, "lost")
    theirs.close()
    assert bell.wait(LONG) == {"lost"}


def test_a_line_that_was_left_is_not_watched(bell: Bell, watcher: Watcher, line: Pair) -> None:
    ours, theirs = line
    watcher.watch(ours, "lost")
    watcher.leave(ours)
    theirs.close()
    assert bell.wait(SHORT) == frozenset()


def test_another_line_of_the_same_number_is_watched_anew(bell: Bell, watcher: Watcher) -> None:
    first, far = socket.socketpair()
    number = first.fileno()
    watcher.watch(first, "first")
    watcher.use(first)  # and then it is lost in use: nobody says a word of it
    far.close()
    bell.wait(SHORT)
    first.close()
    second, other = socket.socketpair()
    with second, other:
        assert number in {second.fileno(), other.fileno()}
        mine, theirs = (second, other) if second.fileno() == number else (other, second)
        watcher.watch(mine, "second")
        assert bell.wait(SHORT) == frozenset()
        theirs.close()
        assert bell.wait(LONG) == {"second"}
