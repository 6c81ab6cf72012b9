"""The whole manager: one watch for each cluster, ready when every first look is done, gone soon after it is told to
stop.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence

from failoverd.model.errors import FailoverdError
from failoverd.ports import Clock, Rounds, Wakeups
from failoverd.service.logs import Log
from failoverd.service.pulse import Watchdog
from failoverd.service.sdnotify import notify
from failoverd.service.watch import Watch

# A stop takes as long as the turn in hand; an operation past its point of no return is finished by the next manager.
STOP_SECONDS = 8.0
POLL = 0.05
TICK = 1.0


class Manager:
    """Runs all watches until `stop` is called from a signal handler or another thread."""

    def __init__(self, watches: Sequence[Watch], rounds: Rounds, clock: Clock, bell: Wakeups, log: Log) -> None:
        self._watches = tuple(watches)
        self._rounds = rounds
        self._clock = clock
        self._bell = bell
        self._log = log
        self._stopping = False
        self._reload: Callable[[], tuple[str, ...]] | None = None
        self._complaint = ""
        self._watchdog = Watchdog()

    def run(self) -> int:
        """Watch until told to stop; 0 when every lock was given back in time, else 1."""
        for watch in self._watches:
            self._rounds.start(watch.world.cluster, watch.round)
        self._wait_for_first_looks()
        while not self._stopping:
            self._bell.wait(TICK)
            self._apply_reload()
            self._feed()
        return self._leave()

    def stop(self) -> None:
        """End soon; safe from a signal handler."""
        self._stopping = True
        self._bell.ring("stop")

    def reload(self, apply: Callable[[], tuple[str, ...]]) -> None:
        """Apply the configuration anew soon; safe from a signal handler."""
        self._reload = apply
        self._bell.ring("reload")

    def _feed(self) -> None:
        """Tell the service manager what we see; that a loop hangs is told at once, so that we are started anew."""
        hung = self._watchdog.tick(self._watches)
        if hung:
            self._log.error("the loop of a cluster stands still", clusters=list(hung))
            notify("WATCHDOG=trigger")
        else:
            notify(f"WATCHDOG=1\nSTATUS={self.status}")

    @property
    def status(self) -> str:
        """One line for the service manager: each cluster with its verdict, and a configuration that was not applied."""
        verdicts = ((watch.name, watch.memory.verdict) for watch in self._watches)
        line = ", ".join(f"{name} {verdict.name if verdict else 'not seen yet'}" for name, verdict in verdicts)
        return f"{line}{self._complaint}"

    def _apply_reload(self) -> None:
        apply, self._reload = self._reload, None
        if apply is None:
            return
        try:
            needs_restart = apply()
        except FailoverdError as error:
            self._log.warning("configuration not applied, the old one stays", why=str(error))
            self._complaint = "; the configuration was not applied: " + str(error).replace("\n", "; ")
            return
        self._complaint = ""
        self._log.info("configuration applied", needs_restart=list(needs_restart))

    def _wait_for_first_looks(self) -> None:
        while not self._stopping and not all(watch.looked for watch in self._watches):
            self._bell.wait(POLL)
        if not self._stopping:
            gc.freeze()  # what is there now stays: looking through it again and again would hold up every look
            notify(f"READY=1\nSTATUS={self.status}")

    def _leave(self) -> int:
        notify("STOPPING=1")
        for watch in self._watches:
            watch.stop()
        end = self._clock.now() + STOP_SECONDS
        while self._clock.now() < end and not all(watch.stopped for watch in self._watches):
            self._clock.sleep(POLL)
        late = [watch.world.cluster for watch in self._watches if not watch.stopped]
        if late:
            self._log.warning("stopped in the middle of a turn", clusters=late)
        return 1 if late else 0
