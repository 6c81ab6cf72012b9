"""RECOVER: bring the elect every transaction it misses, through its own applier."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from failoverd.execute.drain import Drainage
from failoverd.execute.hands import Hands
from failoverd.execute.losses import give_up, refuse
from failoverd.execute.pace import Pace
from failoverd.gtid import GtidSet
from failoverd.model.errors import AgentError, FailoverdError, RecoveryIncomplete, ServerError
from failoverd.model.host import Holding, Spliced
from failoverd.model.plans import Saved
from failoverd.model.sight import Thread
from failoverd.model.steps import SPLICE_CHANNEL, Drain, DropSplice, EndPartial, Fetch, Splice
from failoverd.ports import ClaimedServer, Clock

# A copy that breaks off is begun again so often, of what is still lacking then.
COPIES = 2
# How often a receiver is asked how far it has come (seconds).
GLANCE = 0.1
RECEIVER_STOP_SECONDS = 5.0


def drain(step: Drain, hands: Hands) -> str:
    """Wait until what the elect holds is executed. Nothing of it is ever given up: its own disk has it."""
    claim, gtids = hands.claimed(step.server), step.gtids - hands.given_up
    wait = Drainage(claim, gtids, hands, hands.policy.failover.drain_timeout)
    try:
        wait.run()
    except RecoveryIncomplete as error:
        raise refuse(error, hands) from error
    return "; ".join(("executed", *wait.deeds))


def end_partial(step: EndPartial, hands: Hands) -> str:
    """End the worker that holds the locks of a transaction whose rest will never come.

    What the elect has received whole is executed first: only then it is sure that no worker is about to begin.
    """
    claim = hands.claimed(step.server)
    main = claim.read().main
    if main is None:
        return "no source, nothing half-received"
    clock, begun = hands.clock, hands.clock.now()
    wait = Drainage(claim, main.received, hands, hands.policy.failover.drain_timeout)
    try:
        wait.run()
    except RecoveryIncomplete as error:
        raise refuse(error, hands) from error
    ended = claim.kill_partial()
    what = f"{ended} workers of {main.queueing or 'it'} ended in {clock.now() - begun:.3f} s"
    return "; ".join((what if ended else "no worker had begun it", *wait.deeds))


def splice(step: Splice, hands: Hands) -> str:
    """Copy what is lacking beside the relay logs, let the server adopt it as a channel, wait, remove the channel.

    Interrupted anywhere it can be done again: only what is not executed yet travels then.
    """
    claim = hands.claimed(step.server)
    try:
        return spliced(step, claim, hands)
    except RecoveryIncomplete as error:
        with contextlib.suppress(ServerError, AgentError):
            leave(step.server, claim, hands)
        return give_up(error, hands)


def spliced(step: Splice, claim: ClaimedServer, hands: Hands) -> str:
    """One splice. RecoveryIncomplete where the source fails or nothing moves."""
    claim.drop_spliced()
    lacking = step.gtids - claim.read().executed
    if not lacking:
        return "executed meanwhile"
    watch = Stopwatch(hands.clock)
    laid = copied(step, lacking, hands)
    watch.lap("copied")
    hands.lease.check()
    held = claim.adopt_spliced(laid.relay_log_file) or laid.gtids
    watch.lap("adopted")
    if not lacking <= held:
        what = f"the copied logs of {step.origin} lack {(lacking - held).shorten()}"
        raise RecoveryIncomplete(what, "the server reads fewer than asked", lacking - held)
    wait = Drainage(claim, lacking, hands, hands.policy.failover.salvage_timeout)
    wait.run()
    watch.lap("executed")
    leave(step.server, claim, hands)
    watch.lap("removed")
    hands.saved.append(Saved(lacking, step.origin, f"{step.kind} logs over SSH, spliced"))
    what = f"{len(lacking)} transactions, {laid.size} bytes on channel {SPLICE_CHANNEL}: {watch}"
    return "; ".join((what, *wait.deeds))


def copied(step: Splice, lacking: GtidSet, hands: Hands) -> Spliced:
    """Lay the lacking transactions out beside the elect's relay logs; begun again where the way broke."""
    part = max(step.size * len(lacking) // max(len(step.gtids), 1), 1)
    wanted = Holding(step.origin, step.kind, lacking, part)
    why = ""
    for _ in range(COPIES):
        try:
            return hands.agents.transfer(hands.cluster, step.origin, step.server, wanted, progress_of(step, hands))
        except AgentError as error:
            why = str(error)
            hands.tell(f"copying from {step.origin} broke: {why}")
    raise RecoveryIncomplete(f"the logs of {step.origin} could not be brought to {step.server}", why, lacking)


def leave(server: str, claim: ClaimedServer, hands: Hands) -> None:
    """Remove the channel; the server deletes its files with it, and what is left of them the agent does."""
    claim.drop_spliced()
    with contextlib.suppress(AgentError):
        hands.agents.clean_spliced(hands.cluster, server, hands.lease)


def fetch(step: Fetch, hands: Hands) -> str:
    """Receive from a living peer, which executes what it has meanwhile; then stand still again."""
    claim = hands.claimed(step.server)
    try:
        return fetched(step, claim, hands)
    except RecoveryIncomplete as error:
        with contextlib.suppress(FailoverdError):
            claim.stop_receiver(RECEIVER_STOP_SECONDS)
        return give_up(error, hands)


def fetched(step: Fetch, claim: ClaimedServer, hands: Hands) -> str:
    """One fetch. RecoveryIncomplete where nothing more comes."""
    claim.drop_spliced()
    lacking = step.gtids - claim.read().holds
    if main := claim.read().main:
        Drainage(claim, main.received, hands, hands.policy.failover.drain_timeout).run()
    claim.follow(step.endpoint)
    pace, stall = Pace(hands.clock), hands.policy.failover.salvage_timeout
    while left := step.gtids - (state := claim.read()).holds:
        if state.main is not None and state.main.applier is Thread.NO:
            claim.start_applier("")
        if pace.moved(-len(left)):
            hands.tell(f"{step.server}: {len(left)} transactions to receive from {step.source}{pace.eta(len(left))}")
        if pace.idle() > stall:
            trouble = state.main.receiver_trouble.text if state.main else "it has no source"
            what = f"{step.server} has received nothing from {step.source} for {stall:g} s"
            raise RecoveryIncomplete(what, trouble or f"{len(left)} transactions are left", left)
        hands.clock.sleep(GLANCE)
    claim.stop_receiver(RECEIVER_STOP_SECONDS)
    hands.saved.append(Saved(lacking, step.source, "replication from a living peer"))
    return f"{len(lacking)} transactions received"


def drop_splice(step: DropSplice, hands: Hands) -> str:
    """Remove a splice channel that stands in the way of a change of source."""
    leave(step.server, hands.claimed(step.server), hands)
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
    pace = Pace(hands.clock)

    def tell(done: int, total: int) -> None:
        pace.moved(done)
        hands.tell(f"copying from {step.origin}: {done} of {total} bytes{pace.eta(max(total - done, 0))}")

    return tell
