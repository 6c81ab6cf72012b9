"""RECOVER: bring the elect every transaction it misses, through its own applier; progress bounds the wait, expiry is a
failure.
"""

from __future__ import annotations

from collections.abc import Callable

from failoverd.execute.hands import Hands
from failoverd.gtid import GtidSet
from failoverd.model.errors import AgentError, StepFailed
from failoverd.model.host import Holding
from failoverd.model.plans import Saved
from failoverd.model.sight import ServerState, Thread
from failoverd.model.steps import SPLICE_CHANNEL, Drain, DropSplice, Splice
from failoverd.ports import ClaimedServer, Clock

# One wait on the server; between two of them progress is judged and told.
SLICE = 0.5


def drain(step: Drain, hands: Hands) -> str:
    """Wait until the received transactions are executed; a half-received one is rolled back first so that nothing waits
    for it.
    """
    claim = hands.claimed(step.server)
    restart_applier(claim.read(), claim)
    wait_until_executed(claim, step.gtids, hands, hands.policy.failover.drain_timeout)
    return f"executed, and {clear_partial(claim)}"


def restart_applier(state: ServerState, claim: ClaimedServer) -> None:
    """A stopped applier with something left to apply is started once: a transient read error heals by that."""
    channel = state.main
    if channel is not None and channel.applier is Thread.NO and not channel.received <= state.executed:
        claim.start_applier("")


def clear_partial(claim: ClaimedServer) -> str:
    """End workers that hold the locks of a transaction whose rest will never come on this channel."""
    ended = claim.kill_partial()
    return f"{ended} workers of a half-received transaction ended" if ended else "no half-received transaction"


def splice(step: Splice, hands: Hands) -> str:
    """Copy the missing slice beside the relay logs, let the server adopt it as a channel, wait, remove the channel."""
    claim = hands.claimed(step.server)
    clear_partial(claim)
    claim.drop_spliced()
    watch = Stopwatch(hands.clock)
    wanted = Holding(step.origin, step.kind, step.gtids, step.size)
    try:
        laid = hands.agents.transfer(hands.cluster, step.origin, step.server, wanted, progress_of(step, hands))
    except AgentError as error:
        raise StepFailed(f"the logs of {step.origin} could not be brought to {step.server}", str(error)) from error
    watch.lap("copied")
    hands.lease.check()
    held = claim.adopt_spliced(laid.relay_log_file)
    watch.lap("adopted")
    if not step.gtids <= held:
        lost = step.gtids - held
        raise StepFailed(f"the copied logs of {step.origin} lack {lost.shorten()}", "the server reads fewer than asked")
    wait_until_executed(claim, step.gtids, hands, hands.policy.failover.salvage_timeout)
    watch.lap("executed")
    claim.drop_spliced()
    watch.lap("removed")
    hands.saved.append(Saved(step.gtids, step.origin, f"{step.kind} logs over SSH, spliced"))
    return f"{len(step.gtids)} transactions, {laid.size} bytes on channel {SPLICE_CHANNEL}: {watch}"


def drop_splice(step: DropSplice, hands: Hands) -> str:
    """Remove a splice channel that stands in the way of a change of source."""
    hands.claimed(step.server).drop_spliced()
    return f"channel {SPLICE_CHANNEL} removed"


class Stopwatch:
    """Seconds of the parts of a step, in words."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = clock.now()
        self._laps: list[str] = []

    def lap(self, what: str) -> None:
        """The part that ends now."""
        now = self._clock.now()
        self._laps.append(f"{what} in {now - self._last:.3f} s")
        self._last = now

    def __str__(self) -> str:
        return ", ".join(self._laps)


def progress_of(step: Splice, hands: Hands) -> Callable[[int, int], None]:
    """A teller of copied bytes, in words."""

    def tell(done: int, total: int) -> None:
        hands.tell(f"copying from {step.origin}: {done} of {total} bytes")

    return tell


def wait_until_executed(claim: ClaimedServer, gtids: GtidSet, hands: Hands, stall: float) -> None:
    """Wait for a set; `stall` bounds the seconds without progress and ends in StepFailed naming what is left."""
    left = len(gtids) + 1
    moved_at = hands.clock.now()
    while not claim.wait_executed(gtids, SLICE):
        outstanding = gtids - claim.read().executed
        if len(outstanding) < left:
            left, moved_at = len(outstanding), hands.clock.now()
            hands.tell(f"{claim.name}: {left} transactions to execute")
        if hands.clock.now() - moved_at > stall:
            raise StepFailed(
                f"{claim.name} has executed nothing for {stall:g} s",
                f"{left} transactions are left: {outstanding.shorten()}",
                "recovery-incomplete: look at its applier's error, or accept the loss by number",
            )
