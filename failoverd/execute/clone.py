"""CLONE: overwrite a server that came back with the data of another one, and see it up again."""

from __future__ import annotations

from failoverd.execute.hands import Hands
from failoverd.execute.overwriting import Watch, came_back
from failoverd.model.cloning import CloneData, CloneProgress
from failoverd.model.errors import AgentError, StepFailed

# Flushing what was copied moves no bytes; longer than this it hangs (seconds without progress).
STILL = 600.0


def clone_data(step: CloneData, hands: Hands) -> str:
    """Copy; then wait until it is up again, closed, with the donor's data and settings of replication."""
    copy = Copy(step, hands)
    stand_in(step.server, hands)
    try:
        hands.claimed(step.server).clone_from(step.source, copy.heed)
    except BaseException:
        copy.watch.close_again()
        raise
    copied = copy.copied()
    came_back(copy.watch, "the copy is whole", "the clone has lost its session")
    return f"{copied}; it is up again, closed, with the accounts of {step.donor}"


def stand_in(server: str, hands: Hands) -> None:
    """Where nothing starts a mysqld that has ended, its agent does; where that cannot be had, a person has to."""
    uuid = hands.claimed(server).read().server_uuid
    try:
        hands.agents.stand_in(hands.cluster, server, uuid, hands.lease)
    except AgentError as error:
        hands.tell(f"{server}: without a supervisor its mysqld has to be started by hand: {error}")


class Copy:
    """One copy under way."""

    def __init__(self, step: CloneData, hands: Hands) -> None:
        self.watch = Watch(step.server, step.primary, hands)
        self._step = step
        self._clock = hands.clock
        self._moved = hands.clock.now()
        self._done = CloneProgress()

    def heed(self, found: CloneProgress) -> None:
        """Tell how far it is. StepFailed where it stands still, or the primary is missed, which matters more;
        CoordinationError where we are not active any more.
        """
        now = self._clock.now()
        if found.done > self._done.done:
            self._done, self._moved = found, now
        if found.total and now - self._moved > STILL:
            raise StepFailed(f"the copy to {self._step.server} stands still", f"{now - self._moved:.0f} s")
        self.watch.guard()
        self.watch.tell(self.progress)

    def progress(self) -> str:
        """How much, how fast, how long still."""
        done, total = self._done.done, self._done.total
        if not total:
            return "how far the copy is cannot be seen: performance_schema is off there"
        rate = done / max(self.watch.seconds, 0.001)
        left = f", {(total - done) / rate:.0f} s left" if rate else ""
        return f"{mega(done)} of {mega(total)} MB copied, {mega(rate)} MB/s{left}"

    def copied(self) -> str:
        """The same at its end."""
        size = f"{mega(self._done.total)} MB" if self._done.total else "everything"
        return f"{size} copied from {self._step.donor} in {self.watch.seconds:.1f} s"


def mega(size: float) -> str:
    """Bytes in millions, for people."""
    return f"{size / 1e6:.0f}"
