"""The account of an operation: what counts as lost, how fences are told, and the timeline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.finding import Finding, Severity
from failoverd.model.host import FenceProof
from failoverd.model.plans import (
    Fenced,
    Kind,
    Operation,
    Plan,
    ReplicaResult,
    Requester,
    Result,
    Saved,
    Stamps,
    StepOutcome,
    StepResult,
)
from failoverd.model.steps import Stage
from failoverd.model.verdict import Refusal
from failoverd.verify.report import Ending, report
from failoverd.verify.timeline import timeline

UUID = "00000000-0000-0000-0000-000000000001"
TWO = GtidSet.parse(f"{UUID}:101-102")
OPERATION = Operation(
    "shop-1",
    "shop",
    Kind.FAILOVER,
    7,
    "mgr1",
    Requester(),
    "db1 is dead",
    Plan("shop", Kind.FAILOVER, "db1", "", ()),
    10.0,
)
DONE = Ending(Result.DONE, Stamps(10.0, 9.8, 9.9, 10.3, 10.5), "db2", fence=FenceProof("db1", "killed", True))


def test_a_proven_fence_is_told_as_it_was() -> None:
    assert report(OPERATION, DONE).fenced == Fenced("db1", "killed")


@pytest.mark.parametrize("proof", [None, FenceProof("db1", "kill is pending", False)])
def test_a_fence_that_was_due_and_not_proven_is_unfenced(proof: FenceProof | None) -> None:
    assert report(OPERATION, replace(DONE, fence=proof)).fenced == Fenced("db1", "UNFENCED")


def test_no_fence_is_told_where_none_was_due() -> None:
    assert report(OPERATION, replace(DONE, fence=None, fence_due=False)).fenced is None
    assert report(OPERATION, replace(DONE, fence=None, new_primary="db1")).fenced is None
    assert report(OPERATION, replace(DONE, fence=None, new_primary="", result=Result.UNDONE)).fenced is None


def test_loss_counts_only_where_somebody_took_over() -> None:
    lossy = replace(DONE, lost=TWO, tail_unread=True)
    assert (report(OPERATION, lossy).lost, report(OPERATION, lossy).at_least) == (TWO, True)
    undone = report(OPERATION, replace(lossy, new_primary="", result=Result.UNDONE))
    assert (undone.lost, undone.at_least) == (GtidSet(), False)


def test_findings_that_are_in_order_are_no_findings() -> None:
    findings = (
        Finding("a", "shop", "db1", "all is well", severity=Severity.OK),
        Finding("b", "shop", "db3", "db3 follows nobody", severity=Severity.WARNING),
    )
    assert report(OPERATION, DONE, findings).findings == ("db3 follows nobody",)


def test_the_timeline_is_in_order_and_says_everything() -> None:
    steps = (
        StepOutcome(Stage.PROMOTE, "open db2 for writes", "db2", StepResult.DONE, 10.25, 0.05, "read back writable"),
        StepOutcome(Stage.FENCE, "fence db1", "db1", StepResult.FAILED, 10.0, 0.1, "no route"),
        StepOutcome(Stage.FREEZE, "stop the receiver of db3", "db3", StepResult.ALREADY, 10.01, 0.0),
    )
    ending = replace(
        DONE, outcomes=steps, lost=TWO, tail_unread=True, saved=(Saved(TWO, "db1", "spliced"),), fence=None
    )
    text = timeline(report(OPERATION, ending, replicas=(ReplicaResult("db3", False, "follows nobody"),)))
    assert text.splitlines() == [
        "failover of shop: db1 -> db2: done",
        "  because db1 is dead",
        "  asked for by the manager itself; epoch 7; began 1970-01-01T00:00:10.000Z",
        "    -0.200 s  ** first sign",
        "    -0.100 s  ** decided",
        "    +0.000 s  FENCE    fence db1: failed, no route",
        "    +0.010 s  FREEZE   stop the receiver of db3: already",
        "    +0.250 s  PROMOTE  open db2 for writes: read back writable (50 ms)",
        "    +0.300 s  ** writable again",
        "    +0.500 s  ** ended",
        "  without a primary for 0.500 s",
        "  saved 2 transactions from db1 (spliced)",
        f"  lost at least 2 transactions: {UUID}:101-102",
        "  old primary db1: UNFENCED",
        "  db3: follows nobody",
    ]


def test_a_refused_operation_tells_why() -> None:
    by = replace(OPERATION, by=Requester("person", "anna", "desk", "drill"))
    refused = Ending(Result.REFUSED, Stamps(10.0), refusals=(Refusal("cooldown", "too early"),))
    text = timeline(report(by, refused, (Finding("x", "shop", "db2", "db2 is odd"),)))
    assert text.splitlines() == [
        "failover of shop: db1: refused, nothing was changed",
        "  because db1 is dead",
        "  asked for by anna on desk, drill; epoch 7; began 1970-01-01T00:00:10.000Z",
        "  refused, cooldown: too early",
        "  finding: db2 is odd",
    ]
