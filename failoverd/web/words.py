"""What published words look like on the page: each has a shape and a tone beside the word, never colour alone; and how
figures are spelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from failoverd.decide.refusals import remedy
from failoverd.decide.rules import RULES
from failoverd.model.counted import counted

GOOD, WAIT, BAD, UNKNOWN, BUSY, LATER = "good", "wait", "bad", "unknown", "busy", "later"

# What is not listed is shown as not known: a new word must never look like a good one.
VERDICTS: Final[Mapping[str, str]] = {
    "healthy": GOOD,
    "suspect": WAIT,
    "primary-dead": BAD,
    "primary-frozen": BAD,
    "primary-hung": BAD,
    "primary-unfit": BAD,
    "blind": UNKNOWN,
    "inconsistent": BAD,
}
OUTCOMES: Final[Mapping[str, str]] = {
    "": BUSY,
    "done": GOOD,
    "already": GOOD,
    "skipped": UNKNOWN,
    "undone": WAIT,
    "refused": WAIT,
    "failed": BAD,
    "needs-person": BAD,
    "passed": GOOD,
}
# The worst first: what people must see without searching.
WEIGHT: Final[Mapping[str, int]] = {BAD: 0, BUSY: 1, UNKNOWN: 2, WAIT: 3, GOOD: 4}

_RULE_HINTS: Final = {rule.id: rule.hint for rule in RULES}


def verdict_mark(verdict: str) -> str:
    """The shape of a verdict."""
    return VERDICTS.get(verdict, UNKNOWN)


def outcome_mark(outcome: object) -> str:
    """The shape of an outcome; null is an operation that is going on."""
    return OUTCOMES.get("" if outcome is None else str(outcome), UNKNOWN)


def rule_hint(rule: object) -> str:
    """What a person does about a verdict of this rule."""
    return _RULE_HINTS.get(str(rule), "")


def refusal_hint(refusal: object) -> str:
    """What a person does about a refusal, and by which word it is overridden."""
    return remedy(str(refusal))


def short(seconds: object) -> str:
    """A duration in a few letters; a dash where it is not known."""
    if not isinstance(seconds, int | float):
        return "–"
    for limit, unit, name in ((1.0, 0.001, "ms"), (90.0, 1.0, "s"), (5400.0, 60.0, "min"), (129600.0, 3600.0, "h")):
        if seconds < limit:
            return f"{seconds / unit:.{1 if unit == 1.0 and seconds < 10 else 0}f} {name}"
    return f"{seconds / 86400.0:.0f} days"


def ago(seconds: object) -> str:
    """How old news is; what came within the last two seconds is as new as it gets."""
    if isinstance(seconds, int | float):
        return "just now" if seconds < 2 else f"{short(seconds)} ago"
    return "never"


def lag(seconds: object) -> str:
    """How far behind, in seconds as MySQL tells it."""
    return "lag not known" if not isinstance(seconds, int | float) else f"lag {seconds:g} s"


def amount(number: object, one: str) -> str:
    """A published number with its word; a dash in place of what is none."""
    return counted(number, one) if isinstance(number, int) else f"– {one}s"


def moment(text: object) -> str:
    """A published time as people read it, in UTC; a dash where there is none."""
    if not isinstance(text, str):
        return "–"
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return text
