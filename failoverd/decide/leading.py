"""What is to be mended on the clients' ways to a primary that serves: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from failoverd.model.finding import Finding, Severity
from failoverd.model.host import HostFacts, HostSight
from failoverd.model.policy import ClusterPolicy
from failoverd.model.traffic import BalancerSight


@dataclass(frozen=True, slots=True)
class Mending:
    """Whose host is to get the address, whose is to give it away, and which HAProxies lead elsewhere."""

    take: str = ""
    leave: tuple[str, ...] = ()
    steer: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.take or self.leave or self.steer)


def mending(
    policy: ClusterPolicy,
    primary: str,
    hosts: Mapping[str, HostSight],
    balancers: Iterable[BalancerSight],
    since: float,
) -> Mending:
    """What differs from what ought to be, as far as hosts and HAProxies have said it; facts from before `since` are
    not trusted. A host that is fenced gets nothing.
    """
    take, leave = "", []
    for name, facts in fresh(hosts, since):
        here = policy.traffic.vip is not None and policy.traffic.vip.address in facts.addresses
        if policy.traffic.vip is not None and name == primary and not here and facts.fenced_epoch is None:
            take = name
        elif here and name != primary:
            leave.append(name)
    names = {spec.name for spec in policy.servers}
    astray = tuple(b.socket for b in balancers if not b.problem and leads_astray(b, primary, names))
    return Mending(take, tuple(leave), astray)


def fresh(hosts: Mapping[str, HostSight], since: float) -> tuple[tuple[str, HostFacts], ...]:
    """What hosts said after that."""
    return tuple((name, h) for name, h in hosts.items() if isinstance(h, HostFacts) and h.read_at > since)


def leads_astray(sight: BalancerSight, primary: str, names: set[str]) -> bool:
    """Whether a HAProxy leads clients to another of our servers, or keeps them from the primary."""
    return primary in sight.shut or bool((sight.ready & names) - {primary})


def troubles(policy: ClusterPolicy, hosts: Mapping[str, HostSight], balancers: Iterable[BalancerSight]) -> list[str]:
    """What is wrong with the clients' ways, one sentence each, for people."""
    found = [b.problem for b in balancers if b.problem]
    vip = policy.traffic.vip
    if vip is not None:
        held = holders(hosts, vip.address)
        if len(held) > 1:
            found.append(f"{vip.address} is on the hosts of {' and '.join(held)}")
        if not held and hosts:
            found.append(f"{vip.address} is on no host that answers")
    return found


def findings(
    policy: ClusterPolicy,
    hosts: Mapping[str, HostSight],
    balancers: Iterable[BalancerSight],
    denied: Mapping[str, str | Exception],
) -> Iterator[Finding]:
    """What `check` says of the clients' ways; `denied` is by socket why a HAProxy would not let us change anything."""
    names = {spec.name for spec in policy.servers}
    for trouble in troubles(policy, hosts, ()):
        yield Finding("vip", policy.name, "", trouble, "an active manager puts it where it belongs: is one running?")
    for sight in balancers:
        missing = ", ".join(sorted(names - sight.ready - sight.shut))
        why = sight.problem or str(denied.get(sight.socket) or "") or (f"has no server {missing}" if missing else "")
        where = f"HAProxy at {sight.socket}"
        if why:
            sentence = why if sight.problem else f"{where}: {why}"
            yield Finding("haproxy", policy.name, "", sentence, "see conf/haproxy: level admin, and names like ours")
        else:
            yield Finding("haproxy", policy.name, "", f"{where} can be told", severity=Severity.OK)


def holders(hosts: Mapping[str, HostSight], address: str) -> list[str]:
    """Whose hosts have the address, as far as they answer."""
    return sorted(name for name, h in hosts.items() if isinstance(h, HostFacts) and address in h.addresses)
