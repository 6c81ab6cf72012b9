"""Who was told that a transaction of a diverged tail is committed: never guessed, and each in exactly one group."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failoverd.decide.acknowledged import Evidence, evidence_from, judge_tail
from failoverd.gtid import GtidSet
from failoverd.model.divergence import Told

UUID = "00000000-0000-0000-0000-000000000001"


def upto(first: int, last: int) -> GtidSet:
    return GtidSet.parse(f"{UUID}:{first}-{last}")


TAIL = upto(5, 12)
ASYNC = Evidence("op1", upto(1, 6), (("db2", upto(1, 4)), ("db3", upto(1, 8))))
THREE = frozenset({"db2", "db3", "db4"})
LOSSLESS = replace(ASYNC, possible=THREE, wait_count=1)


def told(evidence: Evidence | None) -> dict[Told, str]:
    found = judge_tail(TAIL, evidence)
    everything = GtidSet()
    for one in found:
        assert one.why
        assert not everything & one.gtids
        everything |= one.gtids
    assert everything == TAIL
    kinds: dict[Told, GtidSet] = {}
    for one in found:
        kinds[one.told] = kinds.get(one.told, GtidSet()) | one.gtids
    return {kind: str(gtids).removeprefix(f"{UUID}:") for kind, gtids in kinds.items()}


def test_without_a_journal_nothing_is_known() -> None:
    assert told(None) == {Told.UNKNOWN: "5-12"}
    assert judge_tail(GtidSet(), None) == ()


def test_what_was_committed_when_it_was_last_seen_was_answered_the_rest_may_have_been() -> None:
    assert told(ASYNC) == {Told.ACKNOWLEDGED: "5-6", Told.UNKNOWN: "7-12"}


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (LOSSLESS, {Told.ACKNOWLEDGED: "5-8", Told.UNKNOWN: "9-12"}),
        (
            replace(LOSSLESS, possible=frozenset({"db2", "db3"})),
            {Told.ACKNOWLEDGED: "5-8", Told.NOT_ACKNOWLEDGED: "9-12"},
        ),
        (
            replace(LOSSLESS, wait_count=2),
            {Told.ACKNOWLEDGED: "5-6", Told.UNKNOWN: "7-8", Told.NOT_ACKNOWLEDGED: "9-12"},
        ),
        (
            replace(LOSSLESS, wait_count=2, possible=frozenset({"db2", "db3"})),
            {Told.ACKNOWLEDGED: "5-6", Told.NOT_ACKNOWLEDGED: "7-12"},
        ),
    ],
    ids=["one-absent", "all-here", "two-needed-one-absent", "two-needed-all-here"],
)
def test_where_commits_wait_the_receivers_sets_tell(evidence: Evidence, expected: dict[Told, str]) -> None:
    assert told(evidence) == expected


def test_the_evidence_is_read_from_the_journal_of_the_failover() -> None:
    held = {"db2": {"executed": f"{UUID}:1-3", "received": f"{UUID}:1-4"}}
    acks = {"possible": ["db2", "db3"], "wait_count": 1, "degraded": False}
    entries = [{"kind": "freeze", "at": 1.0, "body": held}, {"kind": "acknowledgers", "at": 1.0, "body": acks}]
    shown: dict[str, object] = {"operation": "op1", "seen": f"{UUID}:1-2", "entries": entries}
    expected = Evidence("op1", upto(1, 2), (("db2", upto(1, 4)),), frozenset({"db2", "db3"}), 1)
    assert evidence_from(shown) == expected
    acks["degraded"] = True
    assert evidence_from(shown).wait_count == 0, "it may have committed alone: nobody had to acknowledge"
    assert evidence_from({"operation": "op1"}) == Evidence("op1")
