"""PROMOTE: disarm the elect, write the intent, open it (the point of no return), read it back, publish it."""

from __future__ import annotations

import contextlib

from failoverd.execute.durability import restore
from failoverd.execute.hands import Hands
from failoverd.model.durability import RestoreDurability
from failoverd.model.errors import ServerError, StepFailed
from failoverd.model.history import Recorded, started_anew
from failoverd.model.plans import EntryKind, Kind
from failoverd.model.sight import ServerState
from failoverd.model.steps import DisarmSource, ForgetSource, OpenWrites, PublishPrimary
from failoverd.ports import ClaimedServer


def disarm_source(step: DisarmSource, hands: Hands) -> str:
    """No restart leads the elect back to the old primary any more."""
    hands.claimed(step.server).disarm_source()
    return "its source is a name that never resolves"


def open_writes(step: OpenWrites, hands: Hands) -> str:
    """The point of no return: the elect is durable in the journal first, the lease is checked last, then the server is
    opened.

    Dying right after the record leaves a server that is read-only still, and a journal that names it: only forward.
    """
    claim = hands.claimed(step.server)
    old = hands.operation.plan.old_primary
    if hands.takes_back(step.server):
        return reopen_old(claim, hands)
    if hands.left(1.0) <= 0:
        raise StepFailed(f"{step.server} is not opened", "the freeze budget is over", "everything is taken back")
    if step.server in hands.relaxed:  # whoever let it off could not give it back
        restore(RestoreDurability(step.server), hands)
    before = hands.looks.pop(step.server, None) or claim.read()
    intent: dict[str, object] = {
        "elect": step.server,
        "server_uuid": before.server_uuid,
        "old_primary": old,
        "own": before.executed.of_uuid(before.server_uuid),
        "inherited": before.inherited,
    }
    hands.intend()
    hands.write(EntryKind.PROMOTE_INTENT, intent, wait=True)
    hands.moment("after:promote-intent")
    hands.lease.check()
    state = claim.open_writes()
    if not state.writable:
        raise StepFailed(f"{step.server} does not take writes", "read back read-only after it was opened")
    hands.note_open(state)
    return "read back writable"


def reopen_old(claim: ClaimedServer, hands: Hands) -> str:
    """An undo opens the old primary that this operation had closed: nothing is promoted, so no intent is written.

    Its commits wait for acknowledgements again first: closing it may have ended that.
    """
    recorded = hands.operation.old
    if hands.operation.kind is Kind.SWITCHOVER and restarted(claim, hands):
        raise StepFailed(f"{claim.name} was started anew meanwhile", "", "whether it may be opened is judged anew")
    if hands.policy.lossless and not (recorded is not None and recorded.degraded):
        claim.await_acks(hands.policy.semi_sync.wait_count)
    hands.lease.check()
    claim.open_writes()
    return "takes writes again"


def restarted(claim: ClaimedServer, hands: Hands) -> bool:
    """Whether a server was started after this operation had begun: it may have lost what it had."""
    started = claim.read().started_at
    told = hands.clock.wall().timestamp() - (hands.clock.now() - started)
    return started_anew(hands.known_start, started, told, hands.operation.started)


def publish_primary(step: PublishPrimary, hands: Hands) -> str:
    """Who the primary is, for clients and for the next manager; after the read-back, never before."""
    state = hands.claimed(step.server).read()
    degraded = hands.policy.lossless and not state.semi_sync.source_on
    ackers = ackers_of(state, hands)
    record = Recorded(step.server, state.server_uuid, hands.lease.epoch, ackers, degraded, state.inherited)
    hands.coordination.publish_primary(hands.lease, hands.cluster, record)
    return f"epoch {record.epoch}"


def ackers_of(state: ServerState, hands: Hands) -> tuple[str, ...]:
    """Who has acknowledged to this primary: nobody yet, where it is a new one; a reopened one keeps its record."""
    before = hands.coordination.recorded(hands.cluster) if hands.policy.lossless else None
    return before.ackers if before is not None and before.server_uuid == state.server_uuid else ()


def forget_source(step: ForgetSource, hands: Hands) -> str:
    """Remove the disarmed channel of the new primary; it keeps the events disabled that it had as a replica."""
    claim = hands.claimed(step.server)
    claim.forget_source()
    if hands.opened_at is not None:
        with contextlib.suppress(ServerError):  # told where they can be seen: nothing depends on it
            hands.asleep = claim.events_asleep()
    return "default channel removed"
