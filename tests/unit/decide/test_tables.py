"""Things that hold for whole tables, and the small functions around them."""

from __future__ import annotations

import string

import pytest

from failoverd.decide import testimony
from failoverd.decide.candidate import OBSTACLES, OVERRIDES, rank
from failoverd.decide.judge import ACTS, TABLES, prospect, settle
from failoverd.decide.refusals import REFUSALS, standing
from failoverd.decide.suppose import suppose_dead
from failoverd.model.errors import FailoverdError
from failoverd.model.sight import Thread
from failoverd.model.verdict import Advice, Refusal, VerdictName
from tests.scenarios.words import identity
from tests.scenarios.world import build

DEAD = ("db1 down", "db2 replica receiver=connecting", "db3 replica", "agent db1 dead", "history misses=1 down=0")


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_sentences_name_only_what_they_are_given() -> None:
    for rule in TABLES.rules:
        assert fields(rule.sentence) <= {"primary", "detail"}, rule.id
        assert rule.hint, rule.id
    for refusal in TABLES.refusals:
        assert fields(refusal.sentence) <= {"primary", "detail"}, refusal.id
    for obstacle in OBSTACLES:
        assert fields(obstacle.sentence) <= {"detail"}, obstacle.id
    for problem in TABLES.problems:
        assert fields(problem.sentence) <= {"name", "detail"}, problem.id
        assert problem.hint, problem.id


def test_only_a_verdict_against_the_primary_leads_to_an_act() -> None:
    acting = {rule.verdict for rule in TABLES.rules if rule.advice in ACTS}
    against = {
        VerdictName.PRIMARY_DEAD,
        VerdictName.PRIMARY_FROZEN,
        VerdictName.PRIMARY_HUNG,
        VerdictName.PRIMARY_UNFIT,
    }
    assert acting == against
    joining = {rule.id for rule in TABLES.rules if rule.advice is Advice.REJOIN}
    assert joining == {"returned-writable"}
    quiet = {VerdictName.SUSPECT, VerdictName.BLIND, VerdictName.INCONSISTENT}
    allowed = {Advice.ALERT, Advice.LOOK_AGAIN, Advice.REJOIN}
    assert all(rule.advice in allowed for rule in TABLES.rules if rule.verdict in quiet)


def test_overrides_take_away_what_they_name_and_no_firm_row() -> None:
    found = tuple(Refusal(row.id, "") for row in REFUSALS)
    every = frozenset(row.id for row in REFUSALS)
    assert {r.id for r in standing(found, every)} == {
        *("primary-alive", "no-candidate", "epoch-behind", "journal-unwritable"),
        *("primary-open", "reopen-unsafe"),
        *(
            "rejoin-impossible",
            "start-open",
            "not-errant",
            "rejoin-needless",
            "diverged",
            "logs-gone",
            "relay-unapplied",
            "half-cloned",
            "rebuild-impossible",
            "clone-impossible",
        ),
    }
    assert {r.id for r in standing(found, frozenset({"cooldown"}))} == every - {"cooldown"}
    assert set(OVERRIDES.values()) <= every


def test_a_living_primary_is_said_to_a_person_only() -> None:
    world = build(["db1 up", "db2 replica"])
    assert prospect(world.situation())[1] == ()
    asked = build(["db1 up", "db2 replica", "request"])
    assert [r.id for r in prospect(asked.situation())[1]] == ["primary-alive"]


def test_on_fixed_positions_only_late_rows_are_asked() -> None:
    """Frozen receivers testify nothing any more: that must not read as blindness."""
    frozen = build(["db1 down why=timed-out", "db2 replica receiver=no", "history misses=9 down=9"])
    assert [r.id for r in prospect(frozen.situation())[1]] == ["blind"]
    ranking, found = settle(frozen.situation())
    assert (ranking.elect, found) == ("db2", ())


def test_a_wish_for_a_stranger_is_an_error() -> None:
    world = build(DEAD)
    with pytest.raises(FailoverdError, match="has no server db9"):
        rank(world.snapshot, world.history, world.policy, "db9")


def test_without_a_record_nobody_is_excluded_as_old() -> None:
    world = build(["recorded nobody", "db1 up", "db2 replica"])
    ranking = rank(world.snapshot, world.history, world.policy)
    assert ranking.elect == "db1"


def test_supposing_a_death_cuts_off_its_own_replicas_only() -> None:
    world = build(["db1 up", "db2 replica", "db3 replica from=db2", "db4 replica receiver=no", "agent db1 alive"])
    supposed = suppose_dead(world.snapshot, frozenset({"db1", "db9"}))
    assert supposed.state("db1") is None
    facts = supposed.facts("db1")
    assert facts is not None
    assert not facts.alive
    states = {state.name: state for state in supposed.reached()}
    assert testimony.testify(states["db2"], identity("db1")).word is testimony.Word.SILENT
    assert states["db3"] == world.snapshot.state("db3")
    channel = states["db4"].main
    assert channel is not None
    assert channel.receiver is Thread.NO
