"""CHECK and FREEZE: claim the servers, stop their receivers; and the undo of the freeze."""

from __future__ import annotations

from failoverd.execute.hands import Hands
from failoverd.model.counted import counted
from failoverd.model.errors import HeldElsewhere, StepFailed
from failoverd.model.sight import Thread
from failoverd.model.steps import ClaimServer, StartApplier, StartReceiver, StopReceiver

RECEIVER_STOP_SECONDS = 5.0


def claim_server(step: ClaimServer, hands: Hands) -> str:
    """Take the session lock; from here on this server is changed on that session only."""
    if step.server in hands.claims:
        return f"session lock held already under epoch {hands.lease.epoch}"
    try:
        hands.claim(step.server, hands.policy.detection.timeout * 2)
    except HeldElsewhere:
        hands.barred = True  # that manager may be at work on any server: this operation stays away from all
        raise
    return f"session lock held under epoch {hands.lease.epoch}"


def stop_receiver(step: StopReceiver, hands: Hands) -> str:
    """Stop the receiver, never the applier, and read back that it is off."""
    claim = hands.claimed(step.server)
    claim.stop_receiver(RECEIVER_STOP_SECONDS)
    state = claim.read()
    if state.main is not None and state.main.receiver is not Thread.NO:
        raise StepFailed(f"the receiver of {step.server} is still {state.main.receiver}")
    return f"{counted(len(state.holds), 'transaction')} held"


def start_receiver(step: StartReceiver, hands: Hands) -> str:
    """Start the receiver again after an operation that was undone."""
    hands.claimed(step.server).start_receiver()
    return "receiver started"


def start_applier(step: StartApplier, hands: Hands) -> str:
    """Start the applier again after an operation that was undone."""
    hands.claimed(step.server).start_applier("")
    return "applier started"
