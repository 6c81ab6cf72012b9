"""REJOIN: what is done to a server that came back, besides letting it follow."""

from __future__ import annotations

from failoverd.execute.hands import Hands
from failoverd.model.errors import StepFailed
from failoverd.model.steps import CloseReturned


def close_returned(step: CloseReturned, hands: Hands) -> str:
    """super_read_only with a short lock wait, client sessions ended, read back."""
    claim = hands.claimed(step.server)
    claim.close_writes(lock_wait=1.0)
    ended = claim.end_clients()
    if claim.read().writable:
        raise StepFailed(f"{step.server} still takes writes", "super_read_only did not stay on")
    return f"super_read_only read back ON, {ended} client sessions ended"
