"""The moment when positions can no longer move: what everybody holds then, kept in the journal as evidence."""

from __future__ import annotations

from dataclasses import asdict, replace

from failoverd.execute.hands import Hands
from failoverd.model.ackers import possible
from failoverd.model.history import History
from failoverd.model.host import Holding
from failoverd.model.plans import EntryKind, Operation
from failoverd.model.snapshot import TopologySnapshot
from failoverd.observe.look import read_claimed
from failoverd.observe.relay import scan_and_verify
from failoverd.service.world import Occasion, World


def look_at_frozen(world: World, occasion: Occasion, hands: Hands) -> TopologySnapshot:
    """The sets as they stand with all receivers off, and what surviving logs hold; kept in the journal as evidence."""
    old = hands.operation.plan.old_primary
    frozen = read_claimed(world.eyes, occasion.snapshot, hands.claims, world.policy.detection.timeout)
    met = frozenset({old} if hands.fence is not None and hands.fence.hold else ())  # only an agent holds a restart
    scanned = scan_and_verify(world.eyes, world.policy, frozen, old, met, links_of(hands.operation))
    scanned = replace(scanned, holdings=tuple(may_grow(h, old, hands) for h in scanned.holdings))
    evidence: dict[str, object] = {
        s.name: {"executed": str(s.executed), "received": str(s.received)} for s in scanned.reached()
    }
    hands.write(EntryKind.FREEZE, evidence, wait=False)
    if world.policy.lossless:
        hands.write(EntryKind.ACKNOWLEDGERS, acknowledgers(world, occasion.history, scanned), wait=False)
    return scanned


def links_of(operation: Operation) -> tuple[str, ...]:
    """Under which names log files were linked that count: by this operation's own fence, and since the trouble with
    this primary began. Links of other times are no source: their numbers may have been given anew since.
    """
    return (operation.id, operation.old.trouble) if operation.old is not None else (operation.id,)


def may_grow(holding: Holding, old: str, hands: Hands) -> Holding:
    """Logs of an old primary that is not proven fenced were not read to their end: it may be writing."""
    fenced = hands.fence is not None and hands.fence.proven
    return holding if holding.server != old or fenced else replace(holding, complete=False)


def acknowledgers(world: World, history: History, frozen: TopologySnapshot) -> dict[str, object]:
    """By what a later rejoin tells which transactions of a diverged tail were acknowledged: who may have, who is here.

    What fewer than `wait_count` of the possible acknowledgers received was certainly never acknowledged, unless an
    isolated primary was stopped by order; what is in nobody's sets while some are not here is not known.
    """
    recorded = history.recorded
    return {
        "possible": sorted(possible(world.policy, recorded)) if recorded else [],
        "seen": list(recorded.ackers) if recorded else [],
        "degraded": recorded.degraded if recorded else False,
        "wait_count": world.policy.semi_sync.wait_count,
        "servers": {s.name: asdict(s.semi_sync) for s in frozen.reached()},
    }
