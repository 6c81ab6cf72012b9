"""How many servers must be claimed."""

from __future__ import annotations

import pytest

from failoverd.model.policy import ClusterPolicy, FailoverPolicy, ServerSpec
from failoverd.model.sight import Endpoint


def policy(count: int, failover: FailoverPolicy) -> ClusterPolicy:
    servers = tuple(ServerSpec(f"db{n}", Endpoint(f"10.0.0.{n}", 3306)) for n in range(1, count + 1))
    return ClusterPolicy("shop", servers, failover=failover)


@pytest.mark.parametrize(("servers", "needed"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3)])
def test_a_majority_is_at_least_half_of_the_others(servers: int, needed: int) -> None:
    assert policy(servers, FailoverPolicy()).claims_needed("db1") == needed


def test_a_number_is_never_more_than_there_are() -> None:
    assert policy(3, FailoverPolicy(min_claimed=5)).claims_needed("db1") == 2
    assert policy(3, FailoverPolicy(min_claimed=1)).claims_needed("db1") == 1


def test_members_are_found_by_name_and_address() -> None:
    members = policy(2, FailoverPolicy())
    assert members.server("db2").endpoint == Endpoint("10.0.0.2", 3306)
    assert members.named(Endpoint("10.0.0.2", 3306)) == "db2"
    assert members.named(Endpoint("10.0.0.2", 3307)) is None
    with pytest.raises(KeyError):
        members.server("db3")
