"""What many ask for at the same time is made once, on a few threads, and waited for no longer than people wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from failoverd.ports import Clock

T = TypeVar("T")
_THREADS: Final = 8
# Of the time it takes to make something anew, that many times passes in between: whoever is read from is not worn out.
_REST: Final = 4.0


class _Made:
    """One making: under way, or done and good until a moment on the clock."""

    __slots__ = ("began", "future", "until")

    def __init__(self, began: float) -> None:
        self.began = began
        self.until = began
        self.future: asyncio.Future[Any]


class Shared:
    """Values by name, each at most `keep` seconds old, or four times what making it took. Used from one event loop."""

    def __init__(self, clock: Clock, keep: float, deadline: float) -> None:
        self._clock = clock
        self._keep = keep
        self._deadline = deadline
        self._threads = ThreadPoolExecutor(_THREADS, "shared")
        self._made: dict[str, _Made] = {}

    async def of(self, name: str, make: Callable[[], T]) -> T:
        """The value of that name; whoever comes while it is made waits for the same one, and gets the same error.

        Raises TimeoutError where it is not made before the deadline: the making goes on, and is not begun once more.
        """
        made = self._made.get(name)
        if made is None or (made.future.done() and self._clock.now() >= made.until):
            made = self._begin(name, make)
        if not made.future.done():
            await asyncio.wait({made.future}, timeout=self._deadline)
        if not made.future.done():
            raise TimeoutError(f"no answer within {self._deadline:g} s")
        found: T = made.future.result()
        return found

    def forget(self) -> None:
        """Whatever is asked for next is made anew, also what is under way."""
        self._made = {}

    def stuck(self) -> float:
        """How long the slowest making has been under way (seconds); zero where there is none."""
        begun = [made.began for made in self._made.values() if not made.future.done()]
        return self._clock.now() - min(begun) if begun else 0.0

    def close(self) -> None:
        """Begin nothing more; what is under way is not waited for here."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self, name: str, make: Callable[[], T]) -> _Made:
        now = self._clock.now()
        self._made = {key: one for key, one in self._made.items() if not one.future.done() or now < one.until}
        made = self._made[name] = _Made(now)

        def work() -> T:
            try:
                return make()
            finally:
                ended = self._clock.now()
                made.until = ended + max(self._keep, _REST * (ended - made.began))

        made.future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        made.future.add_done_callback(lambda done: done.cancelled() or done.exception())  # heard, also by nobody
        return made
