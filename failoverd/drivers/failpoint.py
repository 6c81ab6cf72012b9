"""Stop or kill this process at one moment of an operation, for rehearsals: `kill before:OpenWrites`."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

from failoverd.model.errors import ConfigError

VARIABLE = "FAILOVERD_PAUSE_AT"
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def failpoint(wanted: str) -> Callable[[str], None]:
    """What is told every moment of an operation; empty wishes nothing. Raises ConfigError for what is no moment.

    It strikes once: a process that was stopped goes on when it is told to.
    """
    if not wanted:
        return _nothing
    verb, _, moment = wanted.partition(" ")
    if verb not in _SIGNALS or ":" not in moment:
        raise ConfigError(f"{VARIABLE} is {wanted!r}", "it is kill or stop, and a moment", "kill before:OpenWrites")
    left = threading.Semaphore(1)

    def strike(reached: str) -> None:
        if reached == moment and left.acquire(blocking=False):
            # To this very thread: sent to the process, it is taken by another one, and this one goes on for a while.
            signal.pthread_kill(threading.get_ident(), _SIGNALS[verb])

    return strike


def _nothing(reached: str) -> None:
    del reached
