"""A plan as text for people: who wins and why the others do not, what is done, what would be lost, what forbids it."""

from __future__ import annotations

from collections.abc import Iterator

from failoverd.model.counted import counted
from failoverd.model.pace import USUAL_RATE
from failoverd.model.plans import Kind, Plan
from failoverd.model.published import stage_of
from failoverd.model.steps import Drain, Fetch, Splice, Stage

_HEADS = {
    Kind.FAILOVER: "failover of",
    Kind.SWITCHOVER: "switchover from",
    Kind.REOPEN: "reopening of",
    Kind.REPAIR: "repair under",
    Kind.REJOIN: "attaching to",
}


def render_plan(plan: Plan) -> str:
    """The whole plan, one line per statement, ending without a newline."""
    lines = [f"{plan.cluster}: {_HEADS[plan.kind]} {plan.old_primary or 'nobody'}"]
    lines += [*_winner(plan), *_steps(plan), *_losses(plan), *_refusals(plan)]
    return "\n".join(lines)


def _winner(plan: Plan) -> Iterator[str]:
    if plan.kind in {Kind.REPAIR, Kind.REJOIN}:
        return
    if plan.elect:
        yield f"  new primary: {plan.elect}"
    elif plan.groups:
        yield "  new primary: open until positions are fixed"
    else:
        yield "  new primary: nobody"
    for name, sentence in plan.why_not:
        yield f"    not {name}: {sentence}"


def _steps(plan: Plan) -> Iterator[str]:
    shown: Stage | None = None
    for group in plan.groups:
        for task in group.tasks:
            stage = stage_of(group.stage, task.step.stage)
            yield f"  {stage if stage is not shown else '':8} {task.step.title()}"
            shown = stage


def _losses(plan: Plan) -> Iterator[str]:
    if plan.elect:
        known = plan.missing_bytes is not None
        size = f", about {counted(plan.missing_bytes or 0, 'byte')}" if known else ""
        lost = f"{counted(len(plan.missing), 'transaction')}{size}: {plan.missing.shorten()}"
        yield f"  would be lost: {lost if plan.missing else 'nothing that is known'}"
        if plan.missing and not known:
            yield "    how many bytes is not known: no manager saw a replica receive any in the last five minutes"
    if plan.eta is not None:
        yield f"  would take about {plan.eta:.1f} s"
        if any(isinstance(task.step, (Drain, Fetch, Splice)) for group in plan.groups for task in group.tasks):
            yield f"    {_applying(plan)}"
    for name, found in plan.errant:
        yield f"  errant on {name}, never spread: {found.shorten()}"


def _applying(plan: Plan) -> str:
    if plan.apply_rate is None:
        assumed = counted(round(USUAL_RATE), "transaction")
        return f"{assumed} a second are assumed: no manager saw {plan.elect} work off more than that, or a backlog"
    return f"{plan.elect} was seen to apply {counted(round(plan.apply_rate), 'transaction')} a second"


def _refusals(plan: Plan) -> Iterator[str]:
    for refusal in plan.refusals:
        measured = f" ({refusal.measured}, limit {refusal.limit})" if refusal.measured and refusal.limit else ""
        yield f"  refused, {refusal.id}: {refusal.sentence}{measured}"
