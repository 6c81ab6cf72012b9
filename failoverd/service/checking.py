"""What `check` looks at before anything happens: everything that a failover will need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from failoverd.decide.features import clones_work, probe_works, used
from failoverd.decide.readiness import findings
from failoverd.decide.strangers import strangers
from failoverd.model.errors import CoordinationError
from failoverd.model.features import Features
from failoverd.model.finding import Finding
from failoverd.model.sight import Follower
from failoverd.observe.relay import verify_received, with_verified
from failoverd.service.desk import own_look, patient
from failoverd.service.links import left_links
from failoverd.service.traffic import traffic_check
from failoverd.service.world import World


@dataclass(frozen=True, slots=True)
class Answers:
    """What was asked of each server for a check: our account's privileges, who replicates from it, what it uses."""

    held: Mapping[str, frozenset[str]]
    followers: Mapping[str, tuple[Follower, ...]]
    features: Mapping[str, Features] = field(default_factory=dict)


def check(world: World, answers: Answers) -> tuple[Finding, ...]:
    """Everything that a failover will need."""
    world = patient(world)
    memory, snapshot = own_look(world)
    snapshot = with_verified(snapshot, verify_received(world.eyes, world.policy, snapshot))
    managers = managers_of(world)
    state = world.coordination.state()
    found = findings(snapshot, memory.history, world.policy, answers.held, state, managers)
    others = strangers(snapshot, world.policy, answers.followers)
    recorded, writable = memory.history.recorded, snapshot.writable()
    primary = recorded.name if recorded is not None else "".join(state.name for state in writable[:1])
    features = (
        *used(world.policy, answers.features),
        *probe_works(world.policy, primary, answers.features, answers.held),
        *clones_work(world.policy, answers.features),
    )
    return (*found, *others, *features, *left_links(world, memory), *traffic_check(world, memory))


def managers_of(world: World) -> tuple[str, ...] | None:
    """The active manager and those in line; empty where there is none, None where coordination cannot be asked."""
    try:
        active = world.coordination.holder(world.cluster)
        return () if active is None else (active, *world.coordination.contenders(world.cluster))
    except CoordinationError:
        return None
