"""REPOINT: let the other replicas follow the new primary, their relay logs kept."""

from __future__ import annotations

from failoverd.execute.hands import Hands
from failoverd.model.steps import Repoint


def repoint(step: Repoint, hands: Hands) -> str:
    """Receiver only, applier running; a half-received transaction rolls back when the new source speaks."""
    claim = hands.claimed(step.server)
    claim.drop_spliced()  # what a recovery left that ended there: copies, and no CHANGE is possible beside them
    claim.follow(step.endpoint)
    return f"follows {step.endpoint}"
