"""Reading logs as they grow, a little at a time, so that the question after a crash finds them read.

The first question after the primary's death must not wait until the last file, which may have a gigabyte, was walked.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from failoverd.agent.deadline import Deadline
from failoverd.agent.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from failoverd.agent.home import Home
    from failoverd.agent.logs import Logs

_SLICE = 0.01
_REST = 0.04
"""A fifth of one core at most, and nobody who asks waits longer than a slice."""

_IDLE = 1.0
_PATIENCE = 60.0


class _Enough(Exception):
    """The slice is over."""


def follow(home: Home, logs: Logs, sleep: Callable[[float], None] = time.sleep) -> None:
    """Follow the logs of all remembered servers for ever."""
    while True:
        sleep(_IDLE if step(home, logs) else _REST)


def step(home: Home, logs: Logs) -> bool:
    """Read one slice of each server's logs; whether all were read to their ends.

    Whatever goes wrong is left to those who ask: they are told.
    """
    all_read = True
    for cluster, name in home.remembered():
        with contextlib.suppress(Fault, OSError):
            server = home.server(cluster, name, None)
            try:
                logs.follow(server, Deadline(_PATIENCE), _until(time.monotonic() + _SLICE))
            except _Enough:
                all_read = False
    return all_read


def _until(moment: float) -> Callable[[], None]:
    def check() -> None:
        if time.monotonic() >= moment:
            raise _Enough

    return check
