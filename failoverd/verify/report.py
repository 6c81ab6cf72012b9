"""The account of an operation, made from its step outcomes, the findings of the last look, and the plan."""

from __future__ import annotations

from dataclasses import dataclass, field

from failoverd.gtid import GtidSet
from failoverd.model.finding import Finding, Severity
from failoverd.model.host import FenceProof
from failoverd.model.plans import (
    Fenced,
    Operation,
    ReplicaResult,
    Report,
    Result,
    Saved,
    Stamps,
    StepOutcome,
)
from failoverd.model.published import UNFENCED
from failoverd.model.verdict import Refusal


@dataclass(frozen=True, slots=True)
class Ending:
    """How an operation ended, as its executor knows it.

    `tail_unread` tells that the old primary's logs could not be read to their end: what is lost is then "at least".
    """

    result: Result
    stamps: Stamps
    new_primary: str = ""
    outcomes: tuple[StepOutcome, ...] = ()
    saved: tuple[Saved, ...] = ()
    lost: GtidSet = field(default_factory=GtidSet)
    tail_unread: bool = False
    fence: FenceProof | None = None
    fence_due: bool = True
    refusals: tuple[Refusal, ...] = ()


def report(
    operation: Operation,
    ending: Ending,
    findings: tuple[Finding, ...] = (),
    replicas: tuple[ReplicaResult, ...] = (),
) -> Report:
    """The report. Loss counts only where a new primary took writes; a fence that was due and not proven is UNFENCED."""
    opened = bool(ending.new_primary)
    return Report(
        operation=operation.id,
        kind=operation.kind,
        cluster=operation.cluster,
        result=ending.result,
        old_primary=operation.plan.old_primary,
        new_primary=ending.new_primary,
        cause=operation.cause,
        requested_by=operation.by,
        epoch=operation.epoch,
        stamps=ending.stamps,
        lost=ending.lost if opened else GtidSet(),
        saved=ending.saved,
        fenced=fenced(operation.plan.old_primary, ending),
        steps=ending.outcomes,
        refusals=ending.refusals,
        replicas=replicas,
        findings=tuple(f.sentence for f in findings if f.severity is not Severity.OK),
        at_least=opened and ending.tail_unread,
    )


def fenced(old_primary: str, ending: Ending) -> Fenced | None:
    """How the old primary was shut; None where there was none to shut, or nothing was opened beside it."""
    proof = ending.fence
    if proof is not None and proof.proven:
        return Fenced(proof.server, proof.how)
    if not ending.fence_due or not old_primary or not ending.new_primary or ending.new_primary == old_primary:
        return None
    return Fenced(old_primary, UNFENCED)
