"""No change of a source while relay logs are still needed, unless the agent has linked them in this operation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from failoverd.execute.hands import Hands
from failoverd.model.counted import counted
from failoverd.model.errors import AgentError, StepFailed

# Where no agent answers, what was received is executed within this, or the replica is left as it is (seconds).
EXECUTED_WITHIN = 5.0


def keeping(server: str, hands: Hands) -> Callable[[], None]:
    """What a change of the source calls where that server has received what it has not executed."""
    return partial(keep, server, hands)


def keep(server: str, hands: Hands) -> None:
    """Return when its relay logs are linked, or are not needed any more; StepFailed otherwise.

    An applier that runs keeps them through a change, and may die between the look and the change.
    """
    try:
        hands.agents.keep(hands.cluster, server, hands.lease, hands.operation.id)
    except AgentError as error:
        claim = hands.claimed(server)
        rest = claim.read().unapplied
        if not claim.wait_executed(rest, EXECUTED_WITHIN):
            lost = counted(rest.count(), "transaction")
            what = f"{server} has received and not executed {lost}, and nobody kept its relay logs"
            raise StepFailed(what, str(error), "it is left as it is until its agent answers") from error
