"""Which findings a little time can heal."""

from __future__ import annotations

from dataclasses import replace

from failoverd.verify.invariants import Claimed, may_heal, replica_results, verify
from tests.scenarios.words import gtids, identity
from tests.scenarios.world import World, build

FENCED_NOT = Claimed("db2", gtids("db1:1-100"), "db1", identity("db1"))


def world(db3: str) -> World:
    return build(["recorded db2", "db1 down", "db2 up", f"db3 {db3}", "history"])


def ids(found: World, claimed: Claimed) -> list[str]:
    return [finding.id for finding in verify(found.snapshot, found.policy, claimed)]


def test_a_replica_that_still_connects_is_worth_waiting_for() -> None:
    found = world("replica from=db2 receiver=connecting")
    findings = verify(found.snapshot, found.policy, FENCED_NOT)
    assert ids(found, FENCED_NOT) == ["old-fenced", "attached"]
    assert may_heal(findings, FENCED_NOT)


def test_a_missing_fence_and_a_server_left_alone_are_not() -> None:
    found = world("replica from=db1 receiver=no")
    claimed = replace(FENCED_NOT, left_alone=frozenset({"db3"}))
    findings = verify(found.snapshot, found.policy, claimed)
    assert ids(found, claimed) == ["old-fenced", "follows-old", "attached"]
    assert not may_heal(findings, claimed)
    assert may_heal(findings, FENCED_NOT)
    assert not may_heal((), claimed)


def test_why_a_server_was_left_alone_is_told_with_it() -> None:
    found = world("replica from=db1 receiver=no")
    results = replica_results(found.snapshot, found.policy, FENCED_NOT, (("db3", "not touched"),))
    assert {r.name: (r.attached, r.problem) for r in results} == {
        "db1": (False, "refused"),
        "db3": (False, "follows db1; not touched"),
    }
    attached = world("replica from=db2")
    results = replica_results(attached.snapshot, attached.policy, FENCED_NOT, (("db3", "not touched"),))
    assert results[1].problem == ""
