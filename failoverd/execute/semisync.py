"""PROMOTE in lossless mode: who acknowledges, who waits for it, and the giving up of it, which is journalled first."""

from __future__ import annotations

from failoverd.execute.hands import Hands
from failoverd.model.counted import counted
from failoverd.model.errors import StepFailed
from failoverd.model.plans import EntryKind
from failoverd.model.semisync import SemiSync
from failoverd.model.steps import Acknowledge, AwaitAcks, GiveUpAcks, StopWaiting

# A replica that is on its way registers within its connect retry of a second; later ones are not waited for.
REGISTERED_WITHIN = 10.0
POLL = 0.01


def acknowledge(step: Acknowledge, hands: Hands) -> str:
    """Switch the replica's side on, before it connects: it says so only then."""
    hands.claimed(step.server).acknowledge()
    return "acknowledges from its next connection on"


def await_acks(step: AwaitAcks, hands: Hands) -> str:
    """Switch the source's side on and see that enough replicas are registered: no commit waits for nobody."""
    claim = hands.claimed(step.server)
    claim.await_acks(step.wait_count)
    end = hands.clock.now() + REGISTERED_WITHIN
    while True:
        found = claim.read().semi_sync
        if found.ready(step.wait_count):
            return acknowledging(found)
        if hands.clock.now() > end:
            break
        hands.clock.sleep(POLL)
    if step.degrade:
        return give_up(GiveUpAcks(step.server), hands)
    claim.stop_waiting()
    raise StepFailed(
        f"{acknowledging(found)} to {step.server}, wanted are {step.wait_count}",
        f"within {REGISTERED_WITHIN:g} s",
        "mend a replica, or say semi_sync.on_no_ackers: degrade",
    )


def acknowledging(found: SemiSync) -> str:
    """How many acknowledge."""
    return counted(found.clients, "replica acknowledges", "replicas acknowledge")


def give_up(step: GiveUpAcks, hands: Hands) -> str:
    """Write down that commits may be lost from here on, then let the server commit without acknowledgements."""
    hands.write(EntryKind.DEGRADED, {"server": step.server}, wait=True)
    hands.lease.check()
    hands.claimed(step.server).give_up_acks()
    return "journalled, and commits wait for nobody"


def stop_waiting(step: StopWaiting, hands: Hands) -> str:
    """The undo of waiting, on a server that stays closed."""
    hands.claimed(step.server).stop_waiting()
    return "waits for nobody"
