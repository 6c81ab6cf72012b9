"""What must hold after a failover, as a table; each row looks at the last snapshot and names who breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from failoverd.gtid import GtidSet
from failoverd.model.counted import counted
from failoverd.model.finding import Finding, Severity
from failoverd.model.host import FenceProof
from failoverd.model.plans import ReplicaResult
from failoverd.model.policy import ClusterPolicy
from failoverd.model.sight import ServerState, Thread
from failoverd.model.snapshot import TopologySnapshot


@dataclass(frozen=True, slots=True)
class Claimed:
    """What an operation says it has reached: the new primary and its executed set as read after it was opened.

    `old_primary` is the same name where an operation only reopened it; `fence` is None where none was due. `left_alone`
    are the servers that the plan did not touch: what is wrong with them is said, and no waiting heals it. `demoted`:
    the old primary is to be a replica like the others.
    """

    elect: str
    opened_with: GtidSet
    old_primary: str
    old_uuid: str
    fence: FenceProof | None = None
    left_alone: frozenset[str] = frozenset()
    demoted: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """One last look, and what is said about it."""

    snapshot: TopologySnapshot
    policy: ClusterPolicy
    claimed: Claimed

    def replicas(self) -> Iterator[ServerState]:
        """Reached servers that should follow the new primary by now: all but it, the old one, and maintenance."""
        for spec in self.policy.servers:
            state = self.snapshot.state(spec.name)
            if state is not None and not spec.maintenance and spec.name not in self.apart():
                yield state

    def apart(self) -> frozenset[str]:
        """Servers that nothing is asked of as replicas."""
        old = () if self.claimed.demoted else (self.claimed.old_primary,)
        return frozenset({self.claimed.elect, *old})

    def attached_to(self, state: ServerState) -> str:
        """What is wrong with the way this replica follows the new primary; empty when nothing is."""
        channel = state.main
        if channel is None:
            return "follows nobody"
        source = self.policy.named(channel.source) or self._known_as(channel.source_uuid)
        astray = {self.claimed.elect, self.claimed.old_primary}
        if source != self.claimed.elect and (source in astray or self.snapshot.state(source) is None):
            return f"follows {source or channel.source}"
        if channel.receiver is not Thread.YES:
            return f"its receiver is not connected ({channel.receiver}){_named(channel.receiver_trouble.text)}"
        lacking = self.claimed.opened_with - state.holds
        return (
            f"lacks {counted(len(lacking), 'transaction')} of the new primary: {lacking.shorten()}" if lacking else ""
        )

    def _known_as(self, server_uuid: str) -> str:
        return next((s.name for s in self.snapshot.reached() if s.server_uuid == server_uuid), "")


def _named(text: str) -> str:
    return f": {text}" if text else ""


Check = Callable[[Scene], Iterator[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Invariant:
    """One row; its check yields (server, what is wrong) for everybody who breaks it."""

    id: str
    hint: str
    severity: Severity
    broken: Check


def one_writable(scene: Scene) -> Iterator[tuple[str, str]]:
    """Exactly one of all known servers takes writes, and it is the elect."""
    found = [s.name for s in scene.snapshot.writable()]
    if scene.claimed.elect not in found:
        yield scene.claimed.elect, f"{scene.claimed.elect} does not take writes"
    for name in found:
        if name != scene.claimed.elect:
            yield name, f"{name} takes writes beside {scene.claimed.elect}"


def nobody_follows_old(scene: Scene) -> Iterator[tuple[str, str]]:
    """No server has the old primary as a configured source, on any channel."""
    old = scene.claimed.old_primary
    if old == scene.claimed.elect:
        return
    for state in scene.snapshot.reached():
        for channel in state.channels:
            if scene.policy.named(channel.source) == old:
                where = f" on channel {channel.name}" if channel.name else ""
                yield state.name, f"{state.name} still has {old} as its source{where}"


def all_attached(scene: Scene) -> Iterator[tuple[str, str]]:
    """Every reached replica is connected to the elect, directly or through a chain, and holds what it opened with."""
    for state in scene.replicas():
        wrong = scene.attached_to(state)
        if wrong:
            yield state.name, f"{state.name}: {wrong}"


def sets_nest(scene: Scene) -> Iterator[tuple[str, str]]:
    """No replica holds what the elect has not executed: read after the elect, it may only be behind."""
    elect = scene.snapshot.state(scene.claimed.elect)
    if elect is None:
        return
    for state in scene.replicas():
        ahead = (state.executed - elect.executed).without_uuid(elect.server_uuid)
        if ahead:
            yield (
                state.name,
                f"{state.name} holds {counted(len(ahead), 'transaction')} unknown to {elect.name}: {ahead.shorten()}",
            )


def elect_kept(scene: Scene) -> Iterator[tuple[str, str]]:
    """The elect answers and has lost nothing of what it opened with."""
    elect = scene.snapshot.state(scene.claimed.elect)
    if elect is None:
        yield scene.claimed.elect, f"{scene.claimed.elect} could not be read after it was opened"
    elif not scene.claimed.opened_with <= elect.executed:
        yield elect.name, f"{elect.name} lacks {(scene.claimed.opened_with - elect.executed).shorten()}"


def old_fenced(scene: Scene) -> Iterator[tuple[str, str]]:
    """The old primary is proven shut, or says so itself."""
    fence, old = scene.claimed.fence, scene.claimed.old_primary
    state = scene.snapshot.state(old)
    if old == scene.claimed.elect or (fence is not None and fence.proven) or (state is not None and not state.writable):
        return
    yield old, f"{old} could not be proven shut: {fence.how if fence is not None else 'nothing could reach it'}"


_ERROR, _WARNING = Severity.ERROR, Severity.WARNING
INVARIANTS: tuple[Invariant, ...] = (
    Invariant("one-writable", "close all but the new primary at once", _ERROR, one_writable),
    Invariant("elect-kept", "look at the new primary", _ERROR, elect_kept),
    Invariant("old-fenced", "make sure that it is off before anything else", _ERROR, old_fenced),
    Invariant("follows-old", "repoint it before the old primary returns", _ERROR, nobody_follows_old),
    Invariant("attached", "attach it to the new primary", _WARNING, all_attached),
    Invariant("sets-nest", "judge these transactions before the server is used", _WARNING, sets_nest),
)


def verify(
    snapshot: TopologySnapshot,
    policy: ClusterPolicy,
    claimed: Claimed,
    rows: tuple[Invariant, ...] = INVARIANTS,
) -> tuple[Finding, ...]:
    """Everything that does not hold; empty is success."""
    scene = Scene(snapshot, policy, claimed)
    return tuple(
        Finding(row.id, policy.name, server, sentence, row.hint, row.severity)
        for row in rows
        for server, sentence in row.broken(scene)
    )


def may_heal(findings: tuple[Finding, ...], claimed: Claimed) -> bool:
    """Whether another look can be better: replicas still catch up, but a missing fence does not come by itself."""
    return any(f.id != "old-fenced" and f.server not in claimed.left_alone for f in findings)


def replica_results(
    snapshot: TopologySnapshot, policy: ClusterPolicy, claimed: Claimed, left_alone: tuple[tuple[str, str], ...] = ()
) -> tuple[ReplicaResult, ...]:
    """How every listed server but the elect ended; `left_alone` are the plan's reasons for those it did not touch."""
    scene, reasons = Scene(snapshot, policy, claimed), dict(left_alone)
    results = []
    for spec in policy.servers:
        if spec.name == claimed.elect:
            continue
        state = snapshot.state(spec.name)
        wrong = scene.attached_to(state) if state is not None else snapshot.missed(spec.name).text or "not reached"
        problem = "; ".join(filter(None, (wrong, reasons.get(spec.name, "") if wrong else "")))
        results.append(ReplicaResult(spec.name, not wrong, problem))
    return tuple(results)
