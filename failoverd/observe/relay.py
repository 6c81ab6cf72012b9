"""Whether relay logs can be read: what a server claims to have received says nothing about that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from types import MappingProxyType

from failoverd.gtid import GtidSet
from failoverd.model.host import Holding, LogKind, Verified
from failoverd.model.policy import ClusterPolicy
from failoverd.model.sight import Channel, ServerState, Sight
from failoverd.model.snapshot import TopologySnapshot
from failoverd.observe.eyes import Eyes
from failoverd.observe.fanout import GRACE
from failoverd.observe.logs import scan_logs


def scan_and_verify(
    eyes: Eyes,
    policy: ClusterPolicy,
    snapshot: TopologySnapshot,
    old_primary: str,
    met: frozenset[str] = frozenset(),
    kept: tuple[str, ...] = (),
) -> TopologySnapshot:
    """What surviving logs hold, and links under the names `kept`, and side by side whether what replicas claim to have
    received can be read. The agents of `met` have answered since the look.
    """
    calls: dict[str, Callable[[], TopologySnapshot | tuple[Verified, ...]]] = {
        "logs": lambda: scan_logs(eyes, policy, snapshot, old_primary, met, kept),
        "received": lambda: verify_received(eyes, policy, snapshot),
    }
    answers = eyes.tasks.gather(calls, policy.failover.salvage_timeout + 3 * GRACE)
    scanned, read = answers["logs"], answers["received"]
    if isinstance(scanned, Exception):
        raise scanned
    found = scanned if isinstance(scanned, TopologySnapshot) else snapshot
    return with_verified(found, read) if isinstance(read, tuple) else found


def verify_received(eyes: Eyes, policy: ClusterPolicy, snapshot: TopologySnapshot) -> tuple[Verified, ...]:
    """What the agents find where something is received and not executed; nothing is asked where there is none."""
    asked = [s for s in snapshot.reached() if s.unapplied and snapshot.facts(s.name) is not None]
    limit = policy.failover.salvage_timeout

    def call(state: ServerState, main: Channel) -> Callable[[], Verified]:
        return lambda: eyes.agents.verify(policy.name, state.name, main.relay_file, main.relay_position, limit)

    calls = {s.name: call(s, s.main) for s in asked if s.main is not None}
    if not calls:
        return ()
    answers = eyes.tasks.gather(calls, limit + GRACE)
    return tuple(
        Verified(name, problem=str(answer)) if isinstance(answer, Exception) else answer
        for name, answer in answers.items()
    )


def with_verified(snapshot: TopologySnapshot, found: Iterable[Verified]) -> TopologySnapshot:
    """The snapshot as it is after reading: of a damaged log only what can be read counts, wherever that stands."""
    for one in found:
        state = snapshot.state(one.server)
        if state is not None and not one.problem:
            snapshot = read_through(snapshot, state, one)
    return snapshot


def read_through(snapshot: TopologySnapshot, state: ServerState, one: Verified) -> TopologySnapshot:
    """One server's part of it; where its log is damaged, what stands behind the damage can be copied out only."""
    marked = (replace(c, sound=one.sound, damage=one.damage) if c.name == "" else c for c in state.channels)
    sights: dict[str, Sight] = dict(snapshot.sights)
    sights[state.name] = replace(state, channels=tuple(marked))
    unreadable = state.unapplied - one.sound - one.behind if one.damage else GtidSet()
    holdings = tuple(
        replace(h, missing=h.missing - unreadable) if h.server == one.server and h.kind is LogKind.RELAY else h
        for h in snapshot.holdings
    )
    if one.behind and not any(h.server == one.server and h.kind is LogKind.RELAY for h in holdings):
        holdings += (Holding(one.server, LogKind.RELAY, one.behind, files=1),)
    return replace(snapshot, sights=MappingProxyType(sights), holdings=holdings)


def with_own_logs(eyes: Eyes, policy: ClusterPolicy, snapshot: TopologySnapshot, server: str) -> TopologySnapshot:
    """What lies in the relay logs of a server whose applier does not run: its index may know less than its folder."""
    state = snapshot.state(server)
    if state is None or state.applies or snapshot.facts(server) is None:
        return snapshot
    limit = policy.failover.salvage_timeout
    held = eyes.agents.scan(policy.name, server, LogKind.RELAY, state.executed, limit)
    return replace(snapshot, holdings=(*snapshot.holdings, held)) if held.missing else snapshot


def holders(
    eyes: Eyes, policy: ClusterPolicy, snapshot: TopologySnapshot, apart: str, need: GtidSet
) -> tuple[Holding, ...]:
    """Which logs of other hosts hold something of what one server needs."""
    names = [spec.name for spec in policy.servers if spec.name != apart and snapshot.facts(spec.name) is not None]
    asked = [(name, kind) for name in names for kind in LogKind] if need else []
    limit = policy.failover.salvage_timeout

    def call(name: str, kind: LogKind) -> Callable[[], Holding]:
        return lambda: eyes.agents.scan(policy.name, name, kind, GtidSet(), limit)

    if not asked:
        return ()
    answers = eyes.tasks.gather({f"{name} {kind}": call(name, kind) for name, kind in asked}, limit + GRACE)
    given = (answer for answer in answers.values() if isinstance(answer, Holding))
    return tuple(part for h in given if (part := replace(h, missing=h.missing & need, size=0)).missing)
