"""The decisions of this version on a recording of another time: what it would say, and where that differs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from failoverd.decide.judge import judge
from failoverd.model.flight import Moment
from failoverd.model.published import time_text
from failoverd.model.verdict import Verdict

Document = Mapping[str, object]


def replay(moments: Iterable[Moment]) -> Document:
    """Judge every moment anew: the verdicts in their order as recorded, each where it began, and every difference."""
    verdicts: list[Document] = []
    differences: list[Document] = []
    count, before = 0, ""
    for moment in moments:
        count += 1
        at, then = time_text(moment.wall), moment.verdict
        now = judge(moment.snapshot, moment.history, moment.policy, moment.now, moment.wall)
        if then.rule != before:
            verdicts.append({"at": at, **told(then), "sentence": then.sentence})
            before = then.rule
        if told(now) != told(then):
            differences.append({"at": at, "recorded": told(then), "now": {**told(now), "sentence": now.sentence}})
    return {"moments": count, "verdicts": verdicts, "differences": differences}


def told(verdict: Verdict) -> dict[str, object]:
    """What counts as the same decision: name, rule, what it leads to, about whom, and what stands against it."""
    return {
        "verdict": str(verdict.name),
        "rule": verdict.rule,
        "advice": str(verdict.advice),
        "primary": verdict.primary,
        "refusals": [refusal.id for refusal in verdict.refusals],
    }
