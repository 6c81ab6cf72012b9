"""The plan of a lab: names, addresses and users that never meet another lab's."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from failoverd.lab.layout import SUBNETS, Kind, Options, lab_of_namespace, namespace_prefix, plan
from failoverd.model.errors import ConfigError


def test_the_hosts_are_those_the_options_ask_for() -> None:
    layout = plan(Options(replicas=3, zookeepers=3, managers=1), 7)
    assert [host.name for host in layout.hosts] == ["mgr1", "zk1", "zk2", "zk3", "db1", "db2", "db3", "db4", "app1"]
    assert [host.name for host in layout.servers] == ["db1", "db2", "db3", "db4"]


def test_addresses_lie_in_the_labs_own_network_and_are_used_once() -> None:
    layout = plan(Options(replicas=20, zookeepers=5, managers=5), 249)
    network = ip_network("198.18.249.0/24")
    addresses = [layout.gateway, *(host.address for host in layout.hosts)]
    assert len(set(addresses)) == len(addresses)
    assert all(ip_address(address) in network for address in addresses)


def test_no_two_hosts_of_any_labs_share_a_user() -> None:
    most = Options(replicas=20, zookeepers=5, managers=5)
    users: set[int] = set()
    for index in range(SUBNETS):
        for host in plan(most, index).hosts:
            pair = {host.user, host.agent_user}
            assert not users & pair
            assert len(pair) == 2
            users |= pair
    assert min(users) >= 30000
    assert max(users) < 65534, "65534 is nobody"


def test_names_of_links_fit_the_kernel() -> None:
    layout = plan(Options(name="a" * 20, replicas=20), SUBNETS - 1)
    assert all(len(host.link) <= 15 for host in layout.hosts)
    assert len(layout.bridge) <= 15


def test_one_labs_prefix_never_matches_another_labs_namespace() -> None:
    longer = plan(Options(name="a-b"), 0).hosts[0].namespace
    assert not longer.startswith(namespace_prefix("a"))
    assert longer.startswith(namespace_prefix("a-b"))
    assert lab_of_namespace(longer) == "a-b"
    assert lab_of_namespace("somebody-elses") == ""


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"name": "../etc"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "Upper"}, "name"),
        ({"name": "a" * 21}, "name"),
        ({"replicas": -1}, "replicas = -1"),
        ({"replicas": 21}, "replicas = 21"),
        ({"zookeepers": 2}, "zookeepers = 2"),
        ({"managers": 6}, "managers = 6"),
        ({"disk_mb": 10}, "disk_mb = 10"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(options: dict[str, object], what: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Options(**options)  # type: ignore[arg-type]
    assert what in refused.value.what
    assert refused.value.hint


def test_a_host_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match="mgr1, mgr2, zk1, db1, db2, db3, app1"):
        plan(Options(), 0).host("db9")


def test_kinds_are_the_prefixes_of_names() -> None:
    assert all(host.name.startswith(host.kind) for host in plan(Options(), 0).hosts)
    assert {host.kind for host in plan(Options(), 0).hosts} == set(Kind)
