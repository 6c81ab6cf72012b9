"""REPOINT: let the other replicas follow the new primary, their relay logs kept."""

from __future__ import annotations

from failoverd.execute.hands import Hands
from failoverd.model.steps import Repoint


def repoint(step: Repoint, hands: Hands) -> str:
    """Receiver only, applier running; a half-received transaction rolls back when the new source speaks."""
    hands.claimed(step.server).follow(step.endpoint)
    return f"follows {step.endpoint}"
