"""REJOIN: what is done to a server that came back, besides letting it follow."""

from __future__ import annotations

from failoverd.execute.hands import Hands
from failoverd.gtid import GtidSet
from failoverd.model.counted import counted
from failoverd.model.divergence import ExportOrder
from failoverd.model.errors import ServerError, StepFailed
from failoverd.model.sight import ServerState, Thread
from failoverd.model.steps import CloseReturned, ExportDivergence, InjectEmpty, ProveAttached, Replay
from failoverd.ports import ClaimedServer

# While it is watched: how often it is looked at, how long one look may take, how often people hear of it (seconds).
PROVE_PAUSE = 0.1
PROVE_LOOK = 2.0
PROVE_TOLD = 2.0


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
        told = f"super_read_only read back ON, {counted(ended, 'client session')} ended"
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
    return f"{counted(kept.transactions, 'transaction')} in {kept.folder}{more}"


def inject_empty(step: InjectEmpty, hands: Hands) -> str:
    """Only what is kept on this host, only on the primary while it takes writes, only these names."""
    claim = on_primary(step.server, step.origin, step.gtids, hands)
    return counted(claim.inject_empty(step.gtids), "empty transaction")


def replay(step: Replay, hands: Hands) -> str:
    """From what is kept on this host, in its order, in one transaction: a row that is not as it was undoes it all."""
    claim = on_primary(step.server, step.origin, step.gtids, hands)
    archive = hands.outside.archive
    made = archive.changes(hands.cluster, step.origin, step.gtids) if archive is not None else ()
    return f"{counted(claim.replay(made), 'row')} changed, in a transaction of its own"


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


def prove_attached(step: ProveAttached, hands: Hands) -> str:
    """Its receiver has its source, it has executed all that the primary had at the first look, and nothing else.
    StepFailed where time is up, or where the primary is missed, which matters more.
    """
    told_at = hands.clock.now()
    end, goal = told_at + step.seconds, GtidSet()
    while True:
        state = looked_at(step.server, hands)  # before the primary, which grows
        primary = looked_at(step.primary, hands)
        if primary is None or not primary.writable:
            raise StepFailed(f"{step.primary} does not take writes any more", "what it had is not asked for now")
        goal = goal or primary.executed
        why = lacking(step, state, goal, hands)
        more = state.executed - primary.executed if state is not None else GtidSet()
        if more:
            raise StepFailed(f"{step.server} has executed what {step.primary} has not", more.shorten())
        if not why:
            return f"it follows {step.source} and has executed all {counted(len(goal), 'transaction')}; the sets nest"
        stands = standing_still(state)
        if stands:
            raise StepFailed(f"{step.server} stands still: {why}", stands, "failoverd status, failoverd errant")
        now = hands.clock.now()
        if now > end:
            raise StepFailed(f"{step.server} is not there yet: {why}", "it goes on without being watched")
        if now - told_at >= PROVE_TOLD:
            told_at = now
            hands.tell(f"{step.server}: {why}")
        hands.clock.sleep(PROVE_PAUSE)


def looked_at(server: str, hands: Hands) -> ServerState | None:
    """What a server says now; None where it does not answer."""
    sight = hands.servers.look(hands.cluster, server, PROVE_LOOK)
    return sight if isinstance(sight, ServerState) else None


def standing_still(state: ServerState | None) -> str:
    """Why no time helps: its applier does not run; empty where it does, or nobody knows."""
    main = state.main if state is not None else None
    if main is None or main.applier is not Thread.NO:
        return ""
    return main.applier_trouble.text or "its applier does not run"


def lacking(step: ProveAttached, state: ServerState | None, goal: GtidSet, hands: Hands) -> str:
    """What is not as it should be yet; empty for nothing."""
    if state is None:
        return "it does not answer"
    main, left = state.main, goal - state.executed
    if main is None or main.receiver is not Thread.YES or main.source != hands.policy.server(step.source).endpoint:
        return f"its receiver has not connected to {step.source}"
    return f"{len(left)} of {counted(len(goal), 'transaction')} still to execute" if left else ""
