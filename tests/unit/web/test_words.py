"""How words and figures look: what nobody knows never looks good."""

from __future__ import annotations

import pytest

from failoverd.decide.refusals import REFUSALS
from failoverd.decide.rules import RULES
from failoverd.model.plans import Result
from failoverd.model.verdict import VerdictName
from failoverd.web import words


def test_every_verdict_and_outcome_has_a_shape_and_a_new_one_looks_unknown() -> None:
    assert set(words.VERDICTS) == set(map(str, VerdictName))
    assert set(map(str, Result)) <= set(words.OUTCOMES)
    assert (words.verdict_mark("splendid"), words.outcome_mark("splendid")) == ("unknown", "unknown")
    assert [name for name, mark in words.VERDICTS.items() if mark == words.GOOD] == ["healthy"]
    assert words.outcome_mark(None) == words.BUSY


def test_every_rule_and_refusal_says_what_to_do() -> None:
    for rule in RULES:
        assert words.rule_hint(rule.id) == rule.hint
    for row in REFUSALS:
        hint = words.refusal_hint(row.id)
        assert row.hint in hint
        assert (f"--override {row.id}" in hint) == (row.overridable or f"--override {row.id}" in row.hint), row.id
    assert words.refusal_hint("unheard-of") == words.rule_hint(None) == ""


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (0, "0 ms"),
        (0.0134, "13 ms"),
        (0.9999, "1000 ms"),
        (2.34, "2.3 s"),
        (59.6, "60 s"),
        (120, "2 min"),
        (7200, "2 h"),
        (200000, "2 days"),
    ],
)
def test_durations(seconds: float | None, said: str) -> None:
    assert words.short(seconds) == said


def test_ages_lags_and_moments() -> None:
    assert [words.ago(age) for age in (0.2, 1.9, 12.0, None)] == ["just now", "just now", "12 s ago", "never"]
    assert [words.lag(lag) for lag in (0.0, 1.5, None)] == ["lag 0 s", "lag 1.5 s", "lag not known"]
    assert words.moment("2026-01-02T03:04:05.678Z") == "2026-01-02 03:04:05 UTC"
    assert [words.moment(text) for text in (None, "soon")] == ["–", "soon"]
