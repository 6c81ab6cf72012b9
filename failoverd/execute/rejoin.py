"""REJOIN: what is done to a server that came back, besides letting it follow."""

from __future__ import annotations

from failoverd.execute.hands import Hands
from failoverd.gtid import GtidSet
from failoverd.model.divergence import ExportOrder
from failoverd.model.errors import ServerError, StepFailed
from failoverd.model.steps import CloseReturned, ExportDivergence, InjectEmpty, Replay
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


def inject_empty(step: InjectEmpty, hands: Hands) -> str:
    """Only what is kept on this host, only on the primary while it takes writes, only these names."""
    claim = on_primary(step.server, step.origin, step.gtids, hands)
    return f"{claim.inject_empty(step.gtids)} empty transactions"


def replay(step: Replay, hands: Hands) -> str:
    """From what is kept on this host, in its order, in one transaction: a row that is not as it was undoes it all."""
    claim = on_primary(step.server, step.origin, step.gtids, hands)
    archive = hands.outside.archive
    made = archive.changes(hands.cluster, step.origin, step.gtids) if archive is not None else ()
    return f"{claim.replay(made)} rows changed, in a transaction of its own"


def on_primary(server: str, origin: str, gtids: GtidSet, hands: Hands) -> ClaimedServer:
    """The claim of the primary; StepFailed where it is not the recorded one, open, or these are not kept here."""
    archive, claim, old = hands.outside.archive, hands.claimed(server), hands.operation.old
    if archive is None or not archive.kept(hands.cluster, origin, gtids):
        raise StepFailed(
            f"not all of these are kept on this host: {gtids.shorten()}", f"failoverd errant {hands.cluster}"
        )
    state = claim.read()
    if not state.writable or old is None or (old.name, old.server_uuid) != (server, state.server_uuid):
        raise StepFailed(f"{server} is not the primary any more", "nothing was written there")
    return claim
