"""Mending a replica's relay log: what people are shown beforehand, and what is looked at on the way."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from failoverd.decide.errant import errant
from failoverd.execute.hands import Hands
from failoverd.model.counted import counted
from failoverd.model.errors import ConfigError, FailoverdError
from failoverd.model.plans import Plan
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.verdict import Refusal
from failoverd.observe.look import Interest, look
from failoverd.observe.relay import holders, verify_received, with_own_logs, with_verified
from failoverd.plan.repair import needed, plan_mending, plan_reading
from failoverd.service.world import Occasion, World


def left_to_mend(world: World, occasion: Occasion, hands: Hands, server: str) -> Plan:
    """The plan on what the applier has left: a new look, with the server itself read on its claimed session."""
    recorded = occasion.history.recorded
    snapshot = look(world.eyes, world.policy, Interest(recorded.name if recorded else None, hosts=True))
    sights = MappingProxyType({**snapshot.sights, server: hands.claimed(server).read()})
    return mending(world, occasion, replace(snapshot, sights=sights), server)


def mending(world: World, occasion: Occasion, snapshot: TopologySnapshot, server: str) -> Plan:
    """What its own relay logs and others' logs hold, and the plan on that."""
    eyes, policy = world.eyes, world.policy
    found = with_verified(with_own_logs(eyes, policy, snapshot, server), verify_received(eyes, policy, snapshot))
    more = holders(eyes, policy, found, server, needed(found, occasion.history, server))
    found = replace(found, holdings=(*found.holdings, *more))
    parts = {s.name: errant(s, found, occasion.history) for s in found.reached()}
    own = {name: gtids for name, gtids in parts.items() if gtids}
    return plan_mending(found, occasion.history, policy, server, own)


def foretell(world: World, occasion: Occasion, server: str) -> Plan:
    """Both plans in one, as they would be now; for people, never executed."""
    must_be_replica(occasion.snapshot, server)
    recorded = occasion.history.recorded
    first = plan_reading(world.policy, recorded.name if recorded else "", server)
    then = mending(world, occasion, occasion.snapshot, server)
    return replace(then, groups=(*first.groups, *then.groups), refusals=unmended(server, then))


def must_be_replica(snapshot: TopologySnapshot, server: str) -> None:
    """FailoverdError for a server that has no relay log of ours, or that does not answer."""
    state = snapshot.state(server)
    if state is None:
        missed = snapshot.missed(server)
        raise FailoverdError(f"{server} does not answer", missed.text or str(missed.why), "start it first")
    if state.main is None:
        raise ConfigError(f"{server} follows nobody", "it has no relay log", "name a replica")


def unmended(server: str, plan: Plan) -> tuple[Refusal, ...]:
    """The transactions that nobody can give back, named one by one: the damaged relay logs may be their last copy."""
    if not plan.missing:
        return ()
    sentence = (
        f"nobody can give back {counted(len(plan.missing), 'transaction')} that {server} has received: {plan.missing};"
        " its relay logs are kept as they are"
    )
    return (Refusal("recovery-incomplete", sentence, counted(len(plan.missing), "transaction"), "0"),)
