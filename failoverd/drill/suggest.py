"""Which promises have not been rehearsed for how long, and how ready a cluster is for what it has promised; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from failoverd.model.finding import Finding, Severity
from failoverd.model.permit import fits_clusters
from failoverd.model.runbook import LAB, Runbook

Document = Mapping[str, Any]
FRESH_DAYS: Final = 90.0  # a rehearsal that is older proves nothing about today
# What a promise that holds on paper is worth: half of it where only a lab has shown what the cluster itself could show.
_WORTH: Final = {"here": 1.0, "lab": 0.5, "never": 0.0}
_CHECK_POINTS: Final = 50.0
_PER_WARNING: Final = 10.0


def suggestions(
    cluster: str, books: Sequence[Runbook], reports: Iterable[Document], findings: Sequence[Finding], now: datetime
) -> Document:
    """Promises by how long nobody has rehearsed them, the score from 0 to 100, and its reasons."""
    told = list(reports)
    promises = [_worth(book, _promise(cluster, book, told, now)) for book in books]
    promises.sort(key=lambda one: (one["worth"], -(one["days"] if one["days"] is not None else 1e9)))
    errors = [found.sentence for found in findings if found.severity is Severity.ERROR]
    warnings = [found.sentence for found in findings if found.severity is Severity.WARNING]
    checked = 0.0 if errors else max(_CHECK_POINTS - _PER_WARNING * len(warnings), 0.0)
    shown = sum(one["worth"] for one in promises) / max(len(promises), 1)
    reasons = [f"check: {sentence}" for sentence in (*errors, *warnings)]
    reasons += [f"{one['drill']}: {one['reason']}" for one in promises if one["worth"] < 1.0]
    score = round(checked + (100.0 - _CHECK_POINTS) * shown)
    return {"cluster": cluster, "score": score, "reasons": reasons, "promises": promises}


def _worth(book: Runbook, promise: Document) -> Document:
    """What it counts: what no cluster can be asked to show counts whole when a lab has shown it."""
    if promise["rehearsed"] == "lab" and not fits_clusters(book):
        reason = f"a lab has shown it, {promise['days']:.0f} days ago; it is for labs"
        return {**promise, "worth": 1.0, "reason": reason}
    return {**promise, "worth": _WORTH[promise["rehearsed"]]}


def _promise(cluster: str, book: Runbook, reports: Sequence[Document], now: datetime) -> Document:
    """How long ago this was shown, and where; what failed last does not count, wherever it had passed before."""
    mine = [one for one in reports if one["drill"] == book.name and one["on"] in {cluster, LAB} and one["began"]]
    last = max(mine, key=lambda one: str(one["began"]), default=None)
    found: dict[str, Any] = {"drill": book.name, "title": book.title, "rehearsed": "never", "days": None, "last": None}
    if last is None:
        return {**found, "reason": "it was never rehearsed"}
    days = (now - datetime.fromisoformat(last["began"])).total_seconds() / 86400
    found |= {"days": round(days, 1), "last": last["began"]}
    if last["result"] != "passed":
        return {**found, "reason": f"its last rehearsal {last['result']}, {days:.0f} days ago"}
    if days > FRESH_DAYS:
        return {**found, "reason": f"its last rehearsal was {days:.0f} days ago"}
    passed = [one for one in mine if one["result"] == "passed" and one["on"] == cluster]
    fresh = [one for one in passed if (now - datetime.fromisoformat(one["began"])).days < FRESH_DAYS]
    if fresh:
        return {**found, "rehearsed": "here", "reason": "it was rehearsed on this cluster"}
    return {**found, "rehearsed": "lab", "reason": f"only a lab has shown it, {days:.0f} days ago"}


def lines(told: Document) -> list[str]:
    """The same for people: what to rehearse next comes first."""
    shown = [f"{told['cluster']}: readiness {told['score']} of 100"]
    shown += [f"  {one['drill']:28} {one['reason']}" for one in told["promises"]]
    return shown + [f"  {reason}" for reason in told["reasons"] if reason.startswith("check: ")]
