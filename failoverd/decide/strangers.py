"""Replicas that follow a member and are no members themselves: reported, never touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from failoverd.model.finding import Finding, Severity
from failoverd.model.policy import ClusterPolicy
from failoverd.model.sight import Follower
from failoverd.model.snapshot import TopologySnapshot

HINT = "list it under the cluster's servers, or let it follow somebody else: a failover leaves it behind"


def strangers(
    snapshot: TopologySnapshot, policy: ClusterPolicy, followers: Mapping[str, tuple[Follower, ...]]
) -> Iterator[Finding]:
    """One finding for each replica of a member that is known neither by server_uuid nor by address."""
    known = {state.server_uuid for state in snapshot.reached()}
    for server, found in followers.items():
        for follower in found:
            if follower.server_uuid in known or policy.named(follower.endpoint) is not None:
                continue
            where = f"a replica at {follower.endpoint}" if follower.endpoint.host else "a replica"
            sentence = f"{where} ({follower.server_uuid}) follows {server} and is not in the configuration"
            yield Finding("unlisted-replica", policy.name, server, sentence, HINT, Severity.WARNING)
