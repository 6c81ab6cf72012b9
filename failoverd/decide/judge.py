"""Judge one snapshot: the first rule that matches, its evidence, all problems, and what stands against acting."""

from __future__ import annotations

from dataclasses import dataclass, replace

from failoverd.decide import candidate, evidence, problems, refusals, rules
from failoverd.decide.measures import Case
from failoverd.decide.situation import Situation
from failoverd.model.errors import InvariantBroken
from failoverd.model.history import History
from failoverd.model.plans import Kind
from failoverd.model.policy import ClusterPolicy, Reaction
from failoverd.model.ranking import Ranking
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.sources import foreseen
from failoverd.model.verdict import Advice, Refusal, Verdict, VerdictName


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables that decide; only tests give others than these."""

    rules: tuple[rules.Rule, ...] = rules.RULES
    refusals: tuple[refusals.Row, ...] = refusals.REFUSALS
    obstacles: tuple[candidate.Obstacle, ...] = candidate.OBSTACLES
    problems: tuple[problems.Row, ...] = problems.PROBLEMS


TABLES = Tables()
ACTS = {Advice.FAIL_OVER: Kind.FAILOVER, Advice.REOPEN: Kind.REOPEN}


def judge(
    snapshot: TopologySnapshot,
    history: History,
    policy: ClusterPolicy,
    now: float,
    wall: float,
    tables: Tables = TABLES,
) -> Verdict:
    """The verdict on a snapshot that the history has taken in already; `wall` is the time of day in seconds."""
    s = Situation(snapshot, history, policy, now, wall)
    rule, detail = decide(s, tables)
    primary = name_of(s, rule)
    advice = reaction(rule, policy)
    return Verdict(
        name=rule.verdict,
        rule=rule.id,
        sentence=rule.sentence.format(primary=primary, detail=detail),
        advice=advice,
        primary=primary,
        evidence=evidence.gather(s),
        refusals=against(s, rule.advice, tables),
        problems=problems.problems(s, tables.problems),
    )


def decide(s: Situation, tables: Tables) -> tuple[rules.Rule, str]:
    """The first rule that matches and does not yield, with its detail. InvariantBroken where none does: the table has
    a hole.
    """
    for rule in tables.rules:
        detail = rule.when(s)
        if detail is not None and not (rule.yields and stands_back(s, rule, tables)):
            return rule, detail
    raise InvariantBroken("no rule matches this snapshot", f"cluster {s.policy.name}")


def stands_back(s: Situation, rule: rules.Rule, tables: Tables) -> bool:
    """Whether a rule's act is not wanted, or something stands against it."""
    return reaction(rule, s.policy) is not rule.advice or bool(against(s, rule.advice, tables))


def name_of(s: Situation, rule: rules.Rule) -> str | None:
    """The server that the verdict is about: the recorded primary, or on the first start the one to be recorded."""
    if s.history.recorded is not None:
        return s.history.recorded.name
    return s.snapshot.writable()[0].name if rule.advice is Advice.RECORD else None


def reaction(rule: rules.Rule, policy: ClusterPolicy) -> Advice:
    """What the rule leads to under this policy: acts by ourselves may be switched off, altogether or by verdict."""
    if rule.advice not in ACTS:
        return rule.advice
    on = policy.failover.on
    wished = {
        VerdictName.PRIMARY_DEAD: on.dead,
        VerdictName.PRIMARY_FROZEN: on.frozen,
        VerdictName.PRIMARY_HUNG: on.hung,
        VerdictName.PRIMARY_UNFIT: on.unfit,
    }
    told = rule.advice is Advice.FAIL_OVER and wished[rule.verdict] is Reaction.ALERT
    return Advice.ALERT if told or not policy.failover.automatic else rule.advice


def against(s: Situation, advice: Advice, tables: Tables) -> tuple[Refusal, ...]:
    """What stands against the act that the rule advises, foreseen before any log is scanned."""
    if advice not in ACTS:
        return ()
    kind = ACTS[advice]
    return prospect(s, tables)[1] if kind is Kind.FAILOVER else forbidden(s, kind, tables)


def prospect(s: Situation, tables: Tables = TABLES) -> tuple[Ranking, tuple[Refusal, ...]]:
    """Before anything is changed: who would win a failover and every refusal, overridden or not, as far as it can be
    foreseen.
    """
    expected = replace(s, snapshot=foreseen(s.snapshot, s.history))
    ranking = choose(expected, tables)
    return ranking, refusals.refusals(Case(expected, ranking), Kind.FAILOVER, tables.refusals)


def forbidden(s: Situation, kind: Kind, tables: Tables = TABLES) -> tuple[Refusal, ...]:
    """What stands against an operation that elects nobody."""
    return refusals.refusals(Case(s, Ranking("")), kind, tables.refusals)


def settle(s: Situation, tables: Tables = TABLES) -> tuple[Ranking, tuple[Refusal, ...]]:
    """On fixed positions and with scan results: who wins, and what stands against opening it.

    In this snapshot a server has a state only if it is claimed.
    """
    ranking = choose(s, tables)
    late = tuple(row for row in tables.refusals if row.late)
    return ranking, refusals.refusals(Case(s, ranking), Kind.FAILOVER, late)


def choose(s: Situation, tables: Tables = TABLES) -> Ranking:
    """The ranking on this snapshot as it is, under the request's wish and overrides."""
    wanted = s.request.to if s.request is not None else ""
    overrides = s.request.overrides if s.request is not None else frozenset()
    return candidate.rank(s.snapshot, s.history, s.policy, wanted, overrides, tables.obstacles)
