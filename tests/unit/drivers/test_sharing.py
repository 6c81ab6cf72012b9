"""What many ask for is made once; an answer that does not come is not waited for, and not asked for again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from failoverd.drivers.sharing import Shared
from tests.fakes.whole import Whole

_PATIENCE = 60.0


def within(work: Callable[[], Awaitable[None]]) -> None:
    """Run it on an event loop."""

    async def bounded() -> None:
        await asyncio.wait_for(work(), _PATIENCE)

    asyncio.run(bounded())


class Count:
    """Counts what is made, and holds each making up until `go` is set."""

    def __init__(self) -> None:
        self.made = 0
        self.go = threading.Event()

    def make(self) -> int:
        self.go.wait(_PATIENCE)
        self.made += 1
        return self.made


def test_two_hundred_at_once_are_served_by_one_making() -> None:
    clock, count = Whole().clock, Count()

    async def work() -> None:
        shared = Shared(clock, 0.5, _PATIENCE)
        asked = [asyncio.ensure_future(shared.of("/", count.make)) for _ in range(200)]
        await asyncio.sleep(0)
        count.go.set()
        assert set(await asyncio.gather(*asked)) == {1}
        assert await shared.of("/", count.make) == 1, "still good"
        assert await shared.of("/other", count.make) == 2
        clock.sleep(0.6)
        assert await shared.of("/", count.make) == 3
        shared.forget()
        assert await shared.of("/", count.make) == 4
        shared.close()

    within(work)


def test_what_takes_long_rests_long() -> None:
    clock, made = Whole().clock, 0

    def slowly() -> int:
        nonlocal made
        clock.sleep(1.0)
        made += 1
        return made

    async def work() -> None:
        shared = Shared(clock, 0.5, _PATIENCE)
        assert await shared.of("/", slowly) == 1
        clock.sleep(3.5)
        assert await shared.of("/", slowly) == 1
        clock.sleep(1.0)
        assert await shared.of("/", slowly) == 2

    within(work)


def test_an_error_is_everybodys_and_is_not_provoked_again_at_once() -> None:
    clock, tried = Whole().clock, 0

    def fails() -> int:
        nonlocal tried
        tried += 1
        raise LookupError

    async def work() -> None:
        shared = Shared(clock, 0.5, _PATIENCE)
        for _ in range(3):
            with pytest.raises(LookupError):
                await shared.of("/", fails)
        assert tried == 1

    within(work)


def test_an_answer_that_does_not_come_is_not_waited_for_nor_asked_for_again() -> None:
    clock, count = Whole().clock, Count()

    async def work() -> None:
        shared = Shared(clock, 0.5, 0.05)
        assert shared.stuck() == 0.0
        for _ in range(3):
            with pytest.raises(TimeoutError, match=r"no answer within 0\.05 s"):
                await shared.of("/", count.make)
        clock.sleep(30.0)
        assert shared.stuck() >= 30.0
        count.go.set()
        shared._deadline = _PATIENCE
        assert await shared.of("/", count.make) == 1
        assert shared.stuck() == 0.0

    within(work)
