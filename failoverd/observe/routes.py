"""The second routes: what the agents say of their hosts, and logins to the primary made from everywhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from failoverd.model.host import AgentSilent, HostSight, ProbeReport
from failoverd.model.policy import ClusterPolicy
from failoverd.observe.eyes import Eyes
from failoverd.observe.fanout import GRACE, ask_all


@dataclass(frozen=True, slots=True)
class Routes:
    """A host sight for every agent asked, and the probes that could be made."""

    hosts: Mapping[str, HostSight]
    probes: tuple[ProbeReport, ...] = ()


def ask_routes(eyes: Eyes, policy: ClusterPolicy, primary: str, patience: float | None = None) -> Routes:
    """All agents' facts, and a login to the primary from every other host, all at once.

    What is asked of the primary itself and of its host is waited for `patience` seconds, else for the whole time-out.
    """
    timeout = policy.detection.timeout
    less = timeout if patience is None else patience
    names = [spec.name for spec in policy.servers]
    origins = [name for name in names if name != primary]
    calls: dict[str, Callable[[], HostSight | ProbeReport | None]] = {}
    for name in names:
        calls[f"facts {name}"] = facts_of(eyes, policy, name, less if name == primary else timeout)
    for origin in origins:
        calls[f"probe {origin}"] = probe_of(eyes, policy, origin, primary, less)
    answers = eyes.tasks.gather(calls, timeout + GRACE)
    now = eyes.clock.now()
    hosts = {name: as_host(name, answers[f"facts {name}"], now) for name in names}
    probes = tuple(r for r in (answers[f"probe {o}"] for o in origins) if isinstance(r, ProbeReport))
    return Routes(MappingProxyType(hosts), probes)


def ask_hosts(eyes: Eyes, policy: ClusterPolicy, only: str | None = None) -> Routes:
    """What the agents say, or that of this server's host alone, and nothing else."""
    names = [spec.name for spec in policy.servers if only in (spec.name, None)]
    timeout = policy.detection.timeout
    answers = ask_all(eyes.tasks, names, lambda name: eyes.agents.facts(policy.name, name, timeout), timeout)
    now = eyes.clock.now()
    return Routes(MappingProxyType({name: as_host(name, answer, now) for name, answer in answers.items()}))


def facts_of(eyes: Eyes, policy: ClusterPolicy, name: str, timeout: float) -> Callable[[], HostSight]:
    """The call that asks one agent for its facts."""
    return lambda: eyes.agents.facts(policy.name, name, timeout)


def probe_of(
    eyes: Eyes, policy: ClusterPolicy, origin: str, target: str, timeout: float
) -> Callable[[], ProbeReport | None]:
    """The call that lets one host's agent log in to the target."""
    return lambda: eyes.agents.probe(policy.name, origin, target, timeout)


def as_host(name: str, answer: HostSight | ProbeReport | Exception | None, now: float) -> HostSight:
    """A host sight in every case."""
    if isinstance(answer, Exception) or answer is None or isinstance(answer, ProbeReport):
        return AgentSilent(name, "unreachable", str(answer), now)
    return answer
