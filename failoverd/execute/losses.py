"""What an operation gives up: only as much as a person or the policy accepts by number, named and journalled."""

from __future__ import annotations

from failoverd.execute.hands import Hands
from failoverd.model.counted import counted
from failoverd.model.errors import RecoveryIncomplete
from failoverd.model.plans import EntryKind
from failoverd.model.verdict import Refusal

INCOMPLETE = "recovery-incomplete"


def give_up(error: RecoveryIncomplete, hands: Hands) -> str:
    """Go on without what could not be brought, where its count is accepted; else note the refusal and raise again."""
    lost = hands.missing | hands.given_up | error.left
    allowed = accepted(hands)
    if allowed is not None and len(lost) > allowed:
        hands.refusals.append(refusal(error, str(allowed)))
        raise error
    hands.write(EntryKind.GIVEN_UP, {"gtids": str(error.left), "why": error.what}, wait=True)
    hands.given_up |= error.left
    return f"given up as accepted, {counted(len(error.left), 'transaction')}: {error.left.shorten()}; {error.what}"


def refuse(error: RecoveryIncomplete, hands: Hands) -> RecoveryIncomplete:
    """Note the refusal of something that is never given up: whoever would lose it still holds it."""
    hands.refusals.append(refusal(error, "0"))
    return error


def accepted(hands: Hands) -> int | None:
    """How many known transactions may be given up; None for any."""
    asked = hands.operation.accept_loss
    return asked if asked is not None else hands.policy.failover.max_loss


def refusal(error: RecoveryIncomplete, allowed: str) -> Refusal:
    """The row of the refusal table that is found out only while recovering."""
    sentence = f"recovery did not end: {error.what}, {error.detail}"
    return Refusal(INCOMPLETE, sentence, counted(len(error.left), "transaction"), allowed)
