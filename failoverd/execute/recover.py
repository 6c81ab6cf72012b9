"""RECOVER: bring the elect every transaction it misses, through its own applier."""

from __future__ import annotations

import contextlib

from failoverd.execute.drain import Drainage
from failoverd.execute.hands import Hands
from failoverd.execute.keeping import keeping
from failoverd.execute.losses import give_up, refuse
from failoverd.execute.pace import Pace
from failoverd.model.counted import counted
from failoverd.model.errors import FailoverdError, RecoveryIncomplete
from failoverd.model.plans import Saved
from failoverd.model.sight import Thread
from failoverd.model.steps import Drain, EndPartial, Fetch
from failoverd.ports import ClaimedServer

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
    claim.follow(step.endpoint, keeping(step.server, hands))
    pace, stall = Pace(hands.clock), hands.policy.failover.salvage_timeout
    while left := step.gtids - (state := claim.read()).holds:
        if state.main is not None and state.main.applier is Thread.NO:
            claim.start_applier("")
        if pace.moved(-len(left)):
            hands.tell(
                f"{step.server}: {counted(len(left), 'transaction')} to receive from {step.source}{pace.eta(len(left))}"
            )
        if pace.idle() > stall:
            trouble = state.main.receiver_trouble.text if state.main else "it has no source"
            what = f"{step.server} has received nothing from {step.source} for {stall:g} s"
            raise RecoveryIncomplete(
                what, trouble or counted(len(left), "transaction is left", "transactions are left"), left
            )
        hands.clock.sleep(GLANCE)
    claim.stop_receiver(RECEIVER_STOP_SECONDS)
    hands.saved.append(Saved(lacking, step.source, "replication from a living peer"))
    return f"{counted(len(lacking), 'transaction')} received"
