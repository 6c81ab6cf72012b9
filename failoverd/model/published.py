"""The shapes that scripts read: plain JSON data out of frozen nouns, and back where another process must understand it.

Times are RFC 3339 UTC with milliseconds, durations seconds, GTID sets canonical text, what is not known is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from failoverd.model.documents import part, parts, word
from failoverd.model.plans import (
    EntryKind,
    Operation,
    Plan,
    ReplicaResult,
    Report,
    Requester,
    Result,
    Saved,
    StepOutcome,
)
from failoverd.model.steps import Stage
from failoverd.model.verdict import Evidence, Problem, Refusal, Verdict

Json = dict[str, object]
UNFENCED = "UNFENCED"
EXIT_CODES: Mapping[Result, int] = {
    Result.DONE: 0,
    Result.REFUSED: 1,
    Result.FAILED: 1,
    Result.UNDONE: 3,
    Result.NEEDS_PERSON: 4,
}


def time_text(wall: float | None) -> str | None:
    """Wall-clock seconds as RFC 3339 UTC with milliseconds."""
    if wall is None:
        return None
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds(value: float | None) -> float | None:
    """A duration to the millisecond."""
    return None if value is None else round(value, 3)


def rounded(value: float | None) -> float | None:
    """A figure as precise as it deserves."""
    return None if value is None else float(f"{value:.3g}")


def refusal_json(refusal: Refusal) -> Json:
    """A refusal as published."""
    return {
        "id": refusal.id,
        "sentence": refusal.sentence,
        "measured": refusal.measured,
        "limit": refusal.limit,
    }


def evidence_json(evidence: Evidence) -> Json:
    """One ground of a verdict."""
    return {
        "what": evidence.what,
        "route": evidence.route,
        "age_seconds": seconds(evidence.age),
        "sentence": evidence.sentence,
    }


def problem_json(problem: Problem) -> Json:
    """One problem of a server."""
    return {"id": problem.id, "sentence": problem.sentence, "hint": problem.hint}


def verdict_json(verdict: Verdict) -> Json:
    """A verdict with its grounds, and what stands against acting on it."""
    return {
        "verdict": str(verdict.name),
        "rule": verdict.rule,
        "sentence": verdict.sentence,
        "advice": str(verdict.advice),
        "evidence": [evidence_json(e) for e in verdict.evidence],
        "refusals": [refusal_json(r) for r in verdict.refusals],
        "primary": verdict.primary,
    }


def requester_json(by: Requester) -> Json:
    """Who asked for an operation."""
    return {"kind": by.kind, "user": by.user, "host": by.host, "reason": by.reason}


def stage_of(group: Stage, step: Stage) -> Stage:
    """The stage that a step is shown under: its own in a group of several, except that recovery borrows steps."""
    return group if group is Stage.RECOVER else step


def plan_json(plan: Plan) -> Json:
    """A plan: who wins, why the others lost, what is done in which order, what is lost, what stands against it."""
    groups = [
        {
            "steps": [
                {
                    "stage": str(stage_of(group.stage, task.step.stage)),
                    "title": task.step.title(),
                    "server": task.step.server,
                    "timeout_seconds": seconds(task.timeout),
                    "if_it_fails": str(task.if_it_fails),
                }
                for task in group.tasks
            ]
        }
        for group in plan.groups
    ]
    return {
        "cluster": plan.cluster,
        "kind": str(plan.kind),
        "old_primary": plan.old_primary or None,
        "new_primary": plan.elect or None,
        "eta_seconds": seconds(plan.eta),
        "apply_rate": rounded(plan.apply_rate),
        "why_not": [{"name": name, "sentence": sentence} for name, sentence in plan.why_not],
        "left_alone": [{"name": name, "sentence": sentence} for name, sentence in plan.left_alone],
        "predicted_loss": {
            "transactions": len(plan.missing),
            "bytes": plan.missing_bytes,
            "gtids": str(plan.missing),
        },
        "errant": [{"name": name, "gtids": str(found)} for name, found in plan.errant],
        "target": str(plan.target),
        "groups": groups,
        "refusals": [refusal_json(r) for r in plan.refusals],
    }


def step_json(outcome: StepOutcome) -> Json:
    """What became of one step."""
    return {
        "stage": str(outcome.stage),
        "title": outcome.title,
        "server": outcome.server,
        "outcome": str(outcome.result),
        "started": time_text(outcome.started),
        "seconds": seconds(outcome.seconds),
        "detail": outcome.detail,
    }


def saved_json(saved: Saved) -> Json:
    """Transactions that were brought to the elect."""
    return {"gtids": str(saved.gtids), "transactions": len(saved.gtids), "from": saved.origin, "how": saved.how}


def replica_json(replica: ReplicaResult) -> Json:
    """How one replica ended."""
    return {"name": replica.name, "attached": replica.attached, "problem": replica.problem or None}


def report_json(report: Report) -> Json:
    """The account of one operation that has ended."""
    stamps = report.stamps
    return {
        "operation": report.operation,
        "kind": str(report.kind),
        "cluster": report.cluster,
        "outcome": str(report.result),
        "old_primary": report.old_primary or None,
        "new_primary": report.new_primary or None,
        "cause": report.cause,
        "requested_by": requester_json(report.requested_by),
        "epoch": report.epoch,
        "started": time_text(stamps.started),
        "detected": time_text(stamps.detected),
        "decided": time_text(stamps.decided),
        "writable": time_text(stamps.writable),
        "ended": time_text(stamps.ended),
        "outage_seconds": seconds(outage(report)),
        "lost": {"transactions": len(report.lost), "gtids": str(report.lost), "at_least": report.at_least},
        "saved": [saved_json(s) for s in report.saved],
        "fenced": {"server": report.fenced.server, "how": report.fenced.how} if report.fenced else None,
        "steps": [step_json(s) for s in report.steps],
        "refusals": [refusal_json(r) for r in report.refusals],
        "replicas": [replica_json(r) for r in report.replicas],
        "findings": list(report.findings),
    }


def outage(report: Report) -> float | None:
    """Seconds from the first sign to writes again; null where either is missing."""
    stamps = report.stamps
    if stamps.detected is None or stamps.writable is None:
        return None
    return stamps.writable - stamps.detected


def operation_json(operation: Operation) -> Json:
    """An operation that is still open, in the shape of an ended one: what is not known yet is null or empty."""
    return {
        "operation": operation.id,
        "kind": str(operation.kind),
        "cluster": operation.cluster,
        "outcome": None,
        "old_primary": operation.plan.old_primary or None,
        "new_primary": operation.plan.elect or None,
        "cause": operation.cause,
        "requested_by": requester_json(operation.by),
        "epoch": operation.epoch,
        "started": time_text(operation.started),
        **dict.fromkeys(("detected", "decided", "writable", "ended", "outage_seconds")),
        "lost": {"transactions": 0, "gtids": "", "at_least": False},
        "saved": [],
        "fenced": None,
        "steps": [],
        "refusals": [refusal_json(r) for r in operation.plan.refusals],
        "replicas": [],
        "findings": [],
    }


def as_copy(told: Mapping[str, object]) -> Json:
    """An operation that was read from a copy of its journal: the journal itself may have gone on since."""
    return {**told, "copied": True}


def exit_code(report: Report) -> int:
    """What a command that ran this operation ends with; an unproven fence or a finding makes a success a finding."""
    code = EXIT_CODES[report.result]
    unfenced = report.fenced is not None and report.fenced.how == UNFENCED
    return 1 if code == 0 and (unfenced or report.findings) else code


def running_json(shown: Mapping[str, object]) -> Json:
    """An operation that is going on right now, from its journal."""
    steps = shown.get("steps")
    stage = steps[-1]["stage"] if isinstance(steps, list) and steps else str(Stage.CHECK)
    told = {key: shown.get(key) for key in ("operation", "kind", "cause", "started", "outcome")}
    more = {"id": shown.get("operation"), "stage": stage, "problem": "", "hook_pending": hook_pending(shown)}
    return {**told, **more, "progress": journalled_progress(shown) or None}


def journalled_progress(shown: Mapping[str, object]) -> str:
    """How far its long step had come when it was last written down; empty where it has none."""
    told = [
        word(part(one, "body"), "text") for one in parts(shown, "entries") if word(one, "kind") == EntryKind.PROGRESS
    ]
    return told[-1] if told else ""


def hook_pending(shown: Mapping[str, object]) -> list[str]:
    """The hooks that were begun and have not ended, as POINT/NAME: one that hangs, or whose manager died beside it."""
    entries = shown.get("entries")
    bodies = [(entry["kind"], entry["body"]) for entry in entries] if isinstance(entries, list | tuple) else []
    begun = {body["key"]: f"{body['point']}/{body['hook']}" for kind, body in bodies if kind == EntryKind.HOOK}
    ended = {body["key"] for kind, body in bodies if kind == EntryKind.HOOK_ENDED}
    return [name for key, name in begun.items() if key not in ended]
