"""What is mended on the clients' ways: only what was said freshly, and never towards a fenced host."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failoverd.decide.leading import Mending, findings, mending, troubles
from failoverd.model.host import AgentSilent, HostFacts, HostSight
from failoverd.model.policy import ClusterPolicy, ServerSpec
from failoverd.model.sight import Endpoint
from failoverd.model.traffic import BalancerSight, Haproxy, TrafficPolicy, Vip

HERE = "10.0.0.100"
TRAFFIC = TrafficPolicy(Vip(HERE, 24, "eth0"), Haproxy(("a:1", "b:1"), "shop"))
POLICY = ClusterPolicy("shop", tuple(ServerSpec(n, Endpoint(n, 3306)) for n in ("db1", "db2", "db3")), traffic=TRAFFIC)
NO_VIP = replace(POLICY, traffic=TrafficPolicy())


def host(name: str, *addresses: str, at: float = 10.0, fenced: int | None = None) -> HostFacts:
    return HostFacts(name, True, (1,), "S", name, at, fenced_epoch=fenced, addresses=frozenset(addresses))


def hosts(*found: HostSight) -> dict[str, HostSight]:
    return {one.server: one for one in found}


def leads(*ready: str, shut: tuple[str, ...] = (), problem: str = "") -> BalancerSight:
    return BalancerSight("a:1", frozenset(ready), frozenset(shut), problem)


SILENT = AgentSilent("db1", "unreachable", "cut", 10.0)
CASES = [
    ("all is well", POLICY, hosts(host("db1", HERE), host("db2")), (leads("db1", shut=("db2",)),), Mending()),
    ("it is nowhere", POLICY, hosts(host("db1"), host("db2")), (), Mending(take="db1")),
    ("a replica has it", POLICY, hosts(host("db1", HERE), host("db2", HERE)), (), Mending(leave=("db2",))),
    ("only a replica has it", POLICY, hosts(host("db1"), host("db2", HERE)), (), Mending("db1", ("db2",))),
    ("the primary's host is fenced", POLICY, hosts(host("db1", fenced=3)), (), Mending()),
    ("what was said is old", POLICY, hosts(host("db1", at=4.0), host("db2", HERE, at=5.0)), (), Mending()),
    ("an agent is silent", POLICY, hosts(SILENT, host("db2")), (), Mending()),
    ("no address is configured", NO_VIP, hosts(host("db1"), host("db2", HERE)), (), Mending()),
    ("it leads to a replica", POLICY, {}, (leads("db1", "db2"),), Mending(steer=("a:1",))),
    ("it knows nobody yet", POLICY, {}, (leads(shut=("db1", "db2")),), Mending(steer=("a:1",))),
    ("it has a server of its own", POLICY, {}, (leads("db1", "sorry"),), Mending()),
    ("it cannot be asked", POLICY, {}, (leads(problem="no answer"),), Mending()),
]


@pytest.mark.parametrize(("policy", "seen", "balancers", "wanted"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_is_mended(
    policy: ClusterPolicy, seen: dict[str, HostSight], balancers: tuple[BalancerSight, ...], wanted: Mending
) -> None:
    assert mending(policy, "db1", seen, balancers, since=5.0) == wanted


def test_what_is_wrong_is_said() -> None:
    assert troubles(POLICY, hosts(host("db1", HERE), host("db2")), (leads("db1"),)) == []
    assert troubles(POLICY, hosts(host("db1")), (leads(problem="no answer"),)) == [
        "no answer",
        f"{HERE} is on no host that answers",
    ]
    both = hosts(host("db1", HERE), host("db2", HERE))
    assert troubles(POLICY, both, ()) == [f"{HERE} is on the hosts of db1 and db2"]


def test_a_check_says_what_each_haproxy_lacks() -> None:
    sights = (
        replace(leads("db1", shut=("db2", "db3")), socket="good:1"),
        replace(leads("db1", shut=("db2", "db3")), socket="shut:1"),
        replace(leads("db1", shut=("db2",)), socket="short:1"),
        BalancerSight("dead:1", problem="HAProxy at dead:1 cannot be asked"),
    )
    found = list(findings(POLICY, hosts(host("db1"), host("db2")), sights, {"shut:1": "permission denied"}))
    assert [(f.id, str(f.severity), f.sentence) for f in found] == [
        ("vip", "error", f"{HERE} is on no host that answers"),
        ("haproxy", "ok", "HAProxy at good:1 can be told"),
        ("haproxy", "error", "HAProxy at shut:1: permission denied"),
        ("haproxy", "error", "HAProxy at short:1: has no server db3"),
        ("haproxy", "error", "HAProxy at dead:1 cannot be asked"),
    ]
