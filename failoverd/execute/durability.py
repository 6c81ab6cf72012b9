"""RECOVER under `failover.relax_durability`: let off for the time of a catch-up, given back and read back before the
server is opened.
"""

from __future__ import annotations

from failoverd.execute.hands import Hands
from failoverd.model.durability import RELAXED, RelaxDurability, RestoreDurability
from failoverd.model.errors import StepFailed
from failoverd.model.plans import EntryKind


def relax(step: RelaxDurability, hands: Hands) -> str:
    """What the server has is durable in the journal before it is changed: whoever goes on can give it back."""
    claim = hands.claimed(step.server)
    if hands.intended:
        return "not any more: it may be open"
    if step.server not in hands.relaxed:
        was = claim.durability()
        if was == RELAXED:
            return "it forces nothing as it is"
        body: dict[str, object] = {"server": step.server, "sync_binlog": was.sync_binlog, "flush_log": was.flush_log}
        hands.write(EntryKind.RELAXED, body, wait=True)
        hands.relaxed[step.server] = was
    hands.lease.check()
    claim.set_durability(RELAXED)
    return "for the time of the catch-up"


def restore(step: RestoreDurability, hands: Hands) -> str:
    """StepFailed where the server does not say that it is as before."""
    was = hands.relaxed.get(step.server)
    if was is None:
        return "nothing is left to give back"
    claim = hands.claimed(step.server)
    claim.set_durability(was)
    found = claim.durability()
    if found != was:
        raise StepFailed(f"{step.server} does not keep {was}", f"it has {found}", "set it by hand")
    del hands.relaxed[step.server]
    return f"sync_binlog = {was.sync_binlog}, innodb_flush_log_at_trx_commit = {was.flush_log}, read back"
