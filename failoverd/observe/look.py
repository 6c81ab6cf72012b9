"""One look at a cluster: every server side by side, and where the primary is silent, the second routes at the same
time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from failoverd.model.errors import TimedOut
from failoverd.model.host import AgentSilent, HostSight, ProbeReport
from failoverd.model.policy import ClusterPolicy
from failoverd.model.sight import ServerState, Sight, Unreachable, Why
from failoverd.model.snapshot import TopologySnapshot
from failoverd.observe.fanout import as_sight, ask_all
from failoverd.ports import Agents, ClaimedServer, Clock, Servers, Tasks


@dataclass(frozen=True, slots=True)
class Eyes:
    """The ports that looking needs."""

    servers: Servers
    agents: Agents
    tasks: Tasks
    clock: Clock


def look(eyes: Eyes, policy: ClusterPolicy, primary: str | None, *, hosts: bool = False) -> TopologySnapshot:
    """Read every server; with `hosts` or a silent primary also ask the agents, and probe the primary from the replicas'
    hosts.
    """
    started = eyes.clock.now()
    sights = read_all(eyes, policy)
    silent = primary is not None and isinstance(sights[primary], Unreachable)
    snapshot = TopologySnapshot(policy.name, started, MappingProxyType(dict(sights)))
    if silent and primary is not None:
        return with_second_routes(eyes, policy, snapshot, primary)
    if hosts:
        return replace(snapshot, hosts=ask_hosts(eyes, policy, [s.name for s in policy.servers]))
    return snapshot


def read_all(eyes: Eyes, policy: ClusterPolicy) -> Mapping[str, Sight]:
    """A sight for every listed server."""
    timeout = policy.detection.timeout
    answers = ask_all(
        eyes.tasks,
        [s.name for s in policy.servers],
        lambda name: eyes.servers.look(policy.name, name, timeout),
        timeout,
    )
    now = eyes.clock.now()
    return {name: slow_is_hung(as_sight(name, answer, now), answer) for name, answer in answers.items()}


def slow_is_hung(sight: Sight, answer: object) -> Sight:
    """A look that did not come back by its deadline means a server that takes us and does not answer."""
    if isinstance(sight, Unreachable) and isinstance(answer, TimedOut):
        return replace(sight, why=Why.HUNG)
    return sight


def with_second_routes(eyes: Eyes, policy: ClusterPolicy, snapshot: TopologySnapshot, primary: str) -> TopologySnapshot:
    """The snapshot with the agents' facts and with probes of the primary from every other host, all at once."""
    timeout = policy.detection.timeout
    origins = [s.name for s in policy.servers if s.name != primary]
    calls: dict[str, Callable[[], HostSight | ProbeReport | None]] = {}
    for spec in policy.servers:
        calls[f"facts {spec.name}"] = facts_of(eyes, policy, spec.name, timeout)
    for origin in origins:
        calls[f"probe {origin}"] = probe_of(eyes, policy, origin, primary)
    answers = eyes.tasks.gather(calls, timeout + 0.25)
    now = eyes.clock.now()
    hosts = {s.name: as_host(s.name, answers[f"facts {s.name}"], now) for s in policy.servers}
    probes = tuple(r for r in (answers[f"probe {o}"] for o in origins) if isinstance(r, ProbeReport))
    return replace(snapshot, hosts=MappingProxyType(hosts), probes=probes)


def facts_of(eyes: Eyes, policy: ClusterPolicy, name: str, timeout: float) -> Callable[[], HostSight]:
    """The call that asks one agent for its facts."""
    return lambda: eyes.agents.facts(policy.name, name, timeout)


def probe_of(eyes: Eyes, policy: ClusterPolicy, origin: str, target: str) -> Callable[[], ProbeReport | None]:
    """The call that lets one host's agent log in to the target."""
    return lambda: eyes.agents.probe(policy.name, origin, target, policy.detection.timeout)


def ask_hosts(eyes: Eyes, policy: ClusterPolicy, names: list[str]) -> Mapping[str, HostSight]:
    """What the agents of these hosts say."""
    timeout = policy.detection.timeout
    answers = ask_all(eyes.tasks, names, lambda name: eyes.agents.facts(policy.name, name, timeout), timeout)
    now = eyes.clock.now()
    return MappingProxyType({name: as_host(name, answer, now) for name, answer in answers.items()})


def as_host(name: str, answer: HostSight | ProbeReport | Exception | None, now: float) -> HostSight:
    """A host sight in every case."""
    if isinstance(answer, Exception) or answer is None or isinstance(answer, ProbeReport):
        return AgentSilent(name, "unreachable", str(answer), now)
    return answer


def read_claimed(
    eyes: Eyes, before: TopologySnapshot, claims: Mapping[str, ClaimedServer], timeout: float
) -> TopologySnapshot:
    """A snapshot whose claimed servers were read on their claimed sessions; a server that cannot be read is unreachable
    in it.

    Servers that are not claimed keep no state: what is not claimed is not eligible and its sets may still move.
    """
    answers = ask_all(eyes.tasks, claims, lambda name: claims[name].read(), timeout)
    now = eyes.clock.now()
    sights: dict[str, Sight] = {}
    for name, sight in before.sights.items():
        if name in claims:
            sights[name] = as_sight(name, answers[name], now)
        elif isinstance(sight, ServerState):
            sights[name] = Unreachable(name, Why.NOT_ASKED, "not claimed in this operation", now)
        else:
            sights[name] = sight
    return replace(before, sights=MappingProxyType(sights), taken_at=now)
