"""REPAIR: keep the files, apply what can be read, begin new relay logs where nothing is lost by that."""

from __future__ import annotations

import contextlib

from failoverd.execute.hands import Hands
from failoverd.model.counted import counted
from failoverd.model.errors import AgentError, ServerError, StepFailed
from failoverd.model.sight import ServerState
from failoverd.model.steps import ApplyReadable, KeepLogs, Refetch
from failoverd.ports import ClaimedServer

# One wait on the server; between two of them it is judged whether to go on.
SLICE = 0.5


def keep_logs(step: KeepLogs, hands: Hands) -> str:
    """Link the files under the name of the operation: whatever happens next, they are still there."""
    try:
        files = hands.agents.keep(hands.cluster, step.server, hands.lease, hands.operation.id)
    except AgentError as error:
        raise StepFailed(f"the log files of {step.server} could not be kept", str(error)) from error
    return f"{counted(files, 'file')} linked under {hands.operation.id}"


def apply_readable(step: ApplyReadable, hands: Hands) -> str:
    """Start the applier once: a wrong reading heals by that, a damaged file stops it where it begins."""
    claim = hands.claimed(step.server)
    before = claim.read()
    if not before.applies or before.main is None:
        start(claim)
    state = until_stopped(claim, hands)
    done = len(state.executed - before.executed)
    if state.main is None or state.applies:
        return f"{counted(done, 'transaction')} executed, and its applier goes on"
    trouble = state.main.applier_trouble
    return f"{counted(done, 'transaction')} executed, then error {trouble.code}: {trouble.text}"


def start(claim: ClaimedServer) -> None:
    """Start the applier; one that cannot even begin says why in its status."""
    with contextlib.suppress(ServerError):
        claim.start_applier("")


def until_stopped(claim: ClaimedServer, hands: Hands) -> ServerState:
    """Wait until all is executed that was received, or the applier stops, or nothing moves any more.

    A primary that answered and does not any more ends it: who watches it is us, and it may need a failover.
    """
    watched = answers(hands)
    left, moved_at = None, hands.clock.now()
    while True:
        state = claim.read()
        if state.main is None or not state.unapplied or not state.applies:
            return state
        claim.wait_executed(state.unapplied, SLICE)
        if left is None or len(state.unapplied) < left:
            left, moved_at = len(state.unapplied), hands.clock.now()
        elif hands.clock.now() - moved_at > hands.policy.failover.drain_timeout:
            raise StepFailed(f"{claim.name} has executed nothing for {hands.policy.failover.drain_timeout:g} s")
        if watched and not answers(hands):
            raise StepFailed("the primary does not answer", "", "the repair gives way; ask for it again")


def answers(hands: Hands) -> bool:
    """Whether the primary answers, as the watch would see it."""
    primary, timeout = hands.operation.plan.old_primary, hands.policy.detection.timeout
    return isinstance(hands.servers.look(hands.cluster, primary, timeout), ServerState) if primary else False


def refetch(step: Refetch, hands: Hands) -> str:
    """Throw the relay logs away and let the source send anew; the server's own guard asks first whether it has it."""
    claim = hands.claimed(step.server)
    before = claim.read()
    claim.refetch(step.endpoint, step.elsewhere)
    again = len(before.unapplied)
    return f"new relay logs from {step.source}, {counted(again, 'transaction comes again', 'transactions come again')}"
