"""A report as a timeline that a person can read aloud."""

from __future__ import annotations

from collections.abc import Iterator

from failoverd.model.counted import counted
from failoverd.model.plans import Report, Result, StepOutcome, StepResult
from failoverd.model.published import outage, time_text

_ENDS = {
    Result.DONE: "done",
    Result.REFUSED: "refused, nothing was changed",
    Result.FAILED: "failed",
    Result.UNDONE: "undone, everything is as before",
    Result.NEEDS_PERSON: "needs a person",
}


def timeline(report: Report) -> str:
    """The whole account, times as seconds after the start, ending without a newline."""
    return "\n".join([*_head(report), *_moments(report), *_tail(report)])


def _head(report: Report) -> Iterator[str]:
    moved = f"{report.old_primary or 'nobody'} -> {report.new_primary}" if report.new_primary else report.old_primary
    yield f"{report.kind} of {report.cluster}: {moved}: {_ENDS[report.result]}"
    yield f"  because {report.cause}"
    by = report.requested_by
    who = "the manager itself" if by.kind == "automatic" else f"{by.user} on {by.host}"
    why = f", {by.reason}" if by.reason else ""
    yield f"  asked for by {who}{why}; epoch {report.epoch}; began {time_text(report.stamps.started)}"


def _moments(report: Report) -> Iterator[str]:
    stamps = report.stamps
    named = (("first sign", stamps.detected), ("decided", stamps.decided), ("writable again", stamps.writable))
    moments = [(at, f"** {what}") for what, at in named if at is not None]
    moments += [(step.started, _step(step)) for step in report.steps]
    if stamps.ended is not None:
        moments.append((stamps.ended, "** ended"))
    for at, text in sorted(moments, key=lambda moment: moment[0]):
        yield f"  {at - stamps.started:+8.3f} s  {text}"


def _step(step: StepOutcome) -> str:
    if step.result is StepResult.DONE:
        return f"{step.stage:8} {step.title}: {step.detail or 'done'} ({step.seconds * 1000:.0f} ms)"
    return f"{step.stage:8} {step.title}: {step.result}{', ' + step.detail if step.detail else ''}"


def _tail(report: Report) -> Iterator[str]:
    down = outage(report)
    if down is not None:
        yield f"  without a primary for {down:.3f} s"
    for saved in report.saved:
        yield f"  saved {counted(len(saved.gtids), 'transaction')} from {saved.origin} ({saved.how})"
    if report.new_primary:
        least = "at least " if report.at_least else ""
        lost = f": {report.lost.shorten()}" if report.lost else ""
        yield f"  lost {least}{counted(len(report.lost), 'transaction')}{lost}"
    if report.fenced is not None:
        yield f"  old primary {report.fenced.server}: {report.fenced.how}"
    for replica in report.replicas:
        yield f"  {replica.name}: {'attached' if replica.attached else replica.problem or 'not attached'}"
    for refusal in report.refusals:
        yield f"  refused, {refusal.id}: {refusal.sentence}"
    for finding in report.findings:
        yield f"  finding: {finding}"
