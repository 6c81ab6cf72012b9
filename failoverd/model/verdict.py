"""What a look amounts to: a verdict with its evidence, and the refusals that stand against acting on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class VerdictName(StrEnum):
    """The verdicts of the published JSON."""

    HEALTHY = "healthy"
    SUSPECT = "suspect"
    PRIMARY_DEAD = "primary-dead"
    PRIMARY_FROZEN = "primary-frozen"
    PRIMARY_HUNG = "primary-hung"
    PRIMARY_UNFIT = "primary-unfit"
    BLIND = "blind"
    INCONSISTENT = "inconsistent"


class Advice(StrEnum):
    """What a verdict leads to, refusals aside."""

    NOTHING = "nothing"
    LOOK_AGAIN = "look-again"  # soon: evidence is still coming in
    FAIL_OVER = "fail-over"
    REOPEN = "reopen"  # the recorded primary came back read-only after a restart
    REJOIN = "rejoin"  # an old primary came back and takes writes beside the new one
    RECORD = "record"  # first start: write down who the primary is
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was seen: what, by which route, how old in seconds, and the sentence for people."""

    what: str
    route: str
    age: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row of the refusal table that fired: measured value against limit, in words."""

    id: str
    sentence: str
    measured: str = ""
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about one server that a person should know, with what to do about it."""

    id: str
    server: str
    sentence: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement on one snapshot; `rule` names the row of the rule table that decided, `primary` the server it is
    about.
    """

    name: VerdictName
    rule: str
    sentence: str
    advice: Advice
    primary: str | None
    evidence: tuple[Evidence, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    problems: tuple[Problem, ...] = ()
