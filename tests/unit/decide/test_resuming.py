"""The table of ways: each row is met, in its order, and nobody else is opened beside an elect that may be open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failoverd.decide.resuming import ELECT_PATIENCE, EVIDENCE_PATIENCE, RESTART_PATIENCE, WAYS, Open, Way, way_of
from failoverd.model.journal import Intent
from failoverd.model.plans import Kind, Request, Requester, Verb
from tests.scenarios.words import gtids, identity
from tests.scenarios.world import build

DEAD = ("db1 down", "db2 replica", "db3 replica")
AHEAD = "db2 replica received=db1:1-105"
INTENT = Intent("db2", identity("db2"))


def opened(*lines: str, rule: str = "gone", kind: Kind = Kind.FAILOVER, **more: object) -> Open:
    told = list(lines or DEAD)
    if "db1 down" in told:
        told.append("history misses=3 down=1.6 refused=1.6")
    return Open(build(told).situation(), rule, kind, **more)  # type: ignore[arg-type]


def elect(*lines: str, **more: object) -> Open:
    """An elect that was claimed and answered as this world shows it."""
    made = opened(*lines, intent=INTENT, **more)  # type: ignore[arg-type]
    return replace(made, state=made.situation.snapshot.state("db2"))


def switch(*lines: str, **more: object) -> Open:
    """A switchover from db1, which answers, to db2, which is closed."""
    told = lines or ("db1 up", "db2 replica")
    made = opened(*told, rule="healthy", kind=Kind.SWITCHOVER, **{"started": 1e12, **more})
    return replace(made, state=made.situation.snapshot.state("db2") if made.intent else None)


def asked(kind: Kind) -> Open:
    """An operation that a person has asked for, in a first silence of the old primary that its replicas confirm."""
    made = opened("db1 down", "db2 replica heartbeat=9", "db3 replica heartbeat=9", kind=kind, rule="few-misses")
    request = Request("shop", kind, Requester("person", "anna"))
    return replace(made, situation=replace(made.situation, request=request))


def seen_started(before: float | None, *lines: str, **more: object) -> Open:
    """A switchover whose old primary was last seen taking writes under a start so many seconds from the present one, or
    never; `started` tells when the operation began by the clock of a manager that may be wrong.
    """
    made = switch(*lines, **more)
    s = made.situation
    assert s.primary is not None
    known = None if before is None else s.primary.started_at + before
    return replace(made, situation=replace(s, history=replace(s.history, last_started_at=known)))


SILENT = opened("db1 down", "db2 down", "db3 replica", intent=INTENT)
AGENT = opened("db1 down", "db2 down", "db3 replica", "agent db2 dead", intent=INTENT)
HUNG = opened("db1 down", "db2 down", "db3 replica", "agent db2 alive", intent=INTENT)
ALONE = opened("db1 down", "db2 down", "agent db2 dead", intent=INTENT)
CASES: tuple[tuple[str, Way, Open], ...] = (
    ("aborted", Way.ABORT, replace(SILENT, wish=Verb.ABORT)),
    ("unlisted", Way.PERSON, opened(intent=Intent("db9", identity("db9")))),
    ("elect-other", Way.PERSON, replace(elect(), intent=Intent("db2", identity("db3")))),
    ("rejoin", Way.BACK, opened("db1 up", "db2 alone", kind=Kind.REJOIN, rule="healthy")),
    ("reopening", Way.ON, opened("db1 up", "db2 replica", kind=Kind.REOPEN, rule="healthy")),
    ("nothing-opened", Way.BACK, opened(kind=Kind.REOPEN)),
    ("elect-open", Way.FINISH, elect("db1 down", "db2 alone rw", "db3 replica")),
    ("elect-open", Way.FINISH, elect(published=True)),
    ("elect-open", Way.FINISH, elect("db1 down", "db2 replica executed=db1:1-100,db2:1-3", "db3 replica")),
    ("elect-silent", Way.WAIT, SILENT),
    ("elect-silent", Way.WAIT, replace(AGENT, waited=RESTART_PATIENCE - 0.1)),
    ("elect-dead", Way.REPLACE, replace(AGENT, waited=RESTART_PATIENCE)),
    ("elect-hung", Way.REPLACE, replace(HUNG, waited=ELECT_PATIENCE)),
    ("elect-lost", Way.PERSON, replace(SILENT, waited=ELECT_PATIENCE)),
    ("elect-lost", Way.PERSON, replace(ALONE, waited=ELECT_PATIENCE)),
    ("taken-back", Way.BACK, opened(wish=Verb.UNDO)),
    ("switch-on", Way.FINISH, switch(intent=INTENT)),
    ("switch-on", Way.FINISH, switch(intent=INTENT, published=True, wish=Verb.UNDO)),
    ("taken-back", Way.BACK, switch(intent=INTENT, wish=Verb.UNDO)),
    ("switch-restarted", Way.LEAVE, seen_started(None, "db1 up", AHEAD, started=-1e9)),
    ("switch-back", Way.BACK, seen_started(None, started=-1e9)),
    ("switch-back", Way.BACK, seen_started(None, started=1e12)),
    ("switch-back", Way.BACK, seen_started(0.0, started=-1e9)),
    ("switch-restarted", Way.LEAVE, seen_started(-60.0, started=1e12)),
    ("switch-overtaken", Way.LEAVE, opened(kind=Kind.SWITCHOVER)),
    ("evidence-due", Way.WAIT, opened(kind=Kind.SWITCHOVER, rule="few-misses")),
    ("evidence-due", Way.WAIT, asked(Kind.SWITCHOVER)),
    ("evidence-stands", Way.ON, asked(Kind.FAILOVER)),
    ("evidence-stands", Way.ON, opened()),
    ("evidence-stands", Way.ON, elect()),
    ("old-is-back", Way.BACK, opened("db1 up", "db2 replica", rule="healthy")),
    ("evidence-due", Way.WAIT, opened(rule="few-misses")),
    ("no-evidence", Way.BACK, opened(rule="few-misses", waited=EVIDENCE_PATIENCE)),
)


@pytest.mark.parametrize(("row", "way", "case"), CASES)
def test_the_first_row_that_holds_is_the_way(row: str, way: Way, case: Open) -> None:
    found = way_of(case)
    assert (found.id, found.way) == (row, way)


def test_every_row_of_this_house_has_a_case() -> None:
    assert {row.id for row in WAYS} - {"repair"} <= {row for row, _, _ in CASES}


@pytest.mark.parametrize("waited", [0.0, RESTART_PATIENCE, ELECT_PATIENCE, 1e6])
@pytest.mark.parametrize("case", [SILENT, AGENT, HUNG, ALONE])
def test_an_elect_that_may_be_open_is_never_passed_over_without_a_fence(case: Open, waited: float) -> None:
    assert way_of(replace(case, waited=waited)).way in {Way.WAIT, Way.REPLACE, Way.PERSON}


def test_what_an_elect_wrote_before_it_was_chosen_does_not_prove_it_open() -> None:
    case = elect("db1 down", "db2 replica executed=db1:1-100,db2:1-3", "db3 replica")
    assert way_of(replace(case, intent=replace(INTENT, own=gtids("db2:1-3")))).way is Way.ON
