"""Ask many targets side by side under one deadline; every target gets an answer, whatever happened to its call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from failoverd.model.errors import ConnectFailed
from failoverd.model.sight import Sight, Unreachable, Why
from failoverd.ports import Tasks

T = TypeVar("T")

# What a call may take beyond the deadline it was given: scheduling on a busy machine, no waiting of its own.
GRACE = 0.25
# A primary that was missed a moment ago gets this share of the time-out at first: it has had a whole one already, and
# every second route is heard besides. Later a slow way needs all of it to be found open again.
HASTE = 0.5
# So many times the misses that count: until then the others may have their silence proven.
HASTY_LOOKS = 2


def ask_all(
    tasks: Tasks, names: Iterable[str], ask: Callable[[str], T], deadline: float
) -> Mapping[str, T | Exception]:
    """The answer of `ask(name)` for every name, or its error; all run side by side, none outlives deadline + grace."""

    def bind(name: str) -> Callable[[], T]:
        return lambda: ask(name)

    return tasks.gather({name: bind(name) for name in names}, deadline + GRACE)


def beside(tasks: Tasks, calls: Mapping[str, Callable[[], None]]) -> None:
    """Begin calls that nobody waits for: each runs on beside the cycle, and notes its end itself."""
    if calls:
        tasks.gather(calls, 0.0)


def as_sight(name: str, answer: Sight | Exception, now: float) -> Sight:
    """A sight in every case: an error that escaped a driver is our own side's and says nothing about the server."""
    if isinstance(answer, ConnectFailed):
        return Unreachable(name, answer.why, str(answer), now, answer.code)
    if isinstance(answer, Exception):
        return Unreachable(name, Why.OWN_SIDE, f"{type(answer).__name__}: {answer}", now)
    return answer
