"""REJOIN: what is done to a server that came back, besides letting it follow."""

from __future__ import annotations

from failoverd.execute.hands import Hands
from failoverd.model.divergence import ExportOrder
from failoverd.model.errors import ServerError, StepFailed
from failoverd.model.steps import CloseReturned, ExportDivergence
from failoverd.ports import ClaimedServer


def close_returned(step: CloseReturned, hands: Hands) -> str:
    """super_read_only with a short lock wait, client sessions ended, read back; then kept for the next restart.

    Who reads on a server that was closed already is left alone.
    """
    claim = hands.claimed(step.server)
    told = "super_read_only was ON already"
    if not claim.read().super_read_only:
        claim.close_writes(lock_wait=1.0)
        ended = claim.end_clients()
        if claim.read().writable:
            raise StepFailed(f"{step.server} still takes writes", "super_read_only did not stay on")
        told = f"super_read_only read back ON, {ended} client sessions ended"
    return f"{told}; {kept(claim)}"


def kept(claim: ClaimedServer) -> str:
    """Let it start closed from now on. Where that cannot be kept it is closed all the same, and a hold on it stays."""
    try:
        claim.stay_closed()
    except (ServerError, StepFailed) as error:
        return f"what it starts with could not be set: {error}"
    return "it starts closed"


def export_divergence(step: ExportDivergence, hands: Hands) -> str:
    """On this host's disk before anything else is done about them; StepFailed where one is not."""
    archive = hands.outside.archive
    if archive is None:
        raise StepFailed(f"what only {step.server} has is not kept", "this process has no archive")
    order = ExportOrder(hands.cluster, step.server, step.gtids, hands.operation.id, step.primary, step.judged)
    kept = archive.keep(order)
    more = "".join(f"; {problem}" for problem in kept.problems)
    if kept.lacking:
        raise StepFailed(f"{step.server} does not give {len(kept.lacking)} of them", f"{kept.lacking.shorten()}{more}")
    return f"{kept.transactions} transactions in {kept.folder}{more}"
