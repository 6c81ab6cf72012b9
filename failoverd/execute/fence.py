"""FENCE: shut the old primary out, so that there is never a second writer; and the undo of it."""

from __future__ import annotations

from failoverd.execute.hands import Hands
from failoverd.model.counted import counted
from failoverd.model.errors import AgentError, StepFailed
from failoverd.model.host import FenceProof
from failoverd.model.steps import FenceHost, FenceSession, ReleaseFence

UNFENCED = "UNFENCED"


def fence_host(step: FenceHost, hands: Hands) -> str:
    """Through the agent: logs kept, restart held, process killed, proof and mark. A failure leaves it UNFENCED, said
    and reported.
    """
    try:
        proof = hands.agents.fence(hands.cluster, step.server, step.server_uuid, hands.lease, hands.operation.id)
    except AgentError as error:
        earlier = hands.fence
        if earlier is not None and earlier.proven and earlier.server == step.server:
            return f"{earlier.how}; the agent does not answer now, its mark and its hold outlive the manager"
        hands.fence = FenceProof(step.server, UNFENCED, proven=False)
        raise StepFailed(f"{step.server} could not be fenced through its agent", str(error)) from error
    hands.fence = proof
    if not proof.proven:
        raise StepFailed(f"{step.server} is not proven fenced", proof.how, "a fence without proof counts as none")
    return proof.how


def fence_session(step: FenceSession, hands: Hands) -> str:
    """Over MySQL: super_read_only with a short lock wait, client sessions ended, read back."""
    claim = hands.claimed(step.server)
    claim.close_writes(lock_wait=1.0)
    ended = claim.end_clients()
    if claim.read().writable:
        hands.fence = FenceProof(step.server, UNFENCED, proven=False)
        raise StepFailed(f"{step.server} still takes writes", "super_read_only did not stay on")
    how = f"super_read_only read back ON, {counted(ended, 'client session')} ended"
    hands.fence = FenceProof(step.server, how, proven=True)
    return how


def release_fence(step: ReleaseFence, hands: Hands) -> str:
    """End the hold on a server that this operation has fenced."""
    hands.agents.release(hands.cluster, step.server, hands.lease)
    hands.fence = None
    return "hold released"
