"""`failoverd rejoin`: shown first, refused where it diverged, asked, handed on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from failoverd.cli.rejoin import question_about
from failoverd.drivers.journal_codec import plain, request_from
from failoverd.gtid import GtidSet
from failoverd.model.cloning import Overwrite
from failoverd.model.divergence import Cure, Resolution
from failoverd.model.plans import Group, Kind, Request, Requester
from failoverd.model.steps import CloseReturned, Stage, Task
from failoverd.model.verdict import Refusal
from tests.unit.cli.stand_in import EMPTY_PLAN, StandIn, Terminal, document, terminal

PLAN = dataclasses.replace(
    EMPTY_PLAN, kind=Kind.REJOIN, elect="", groups=(Group(Stage.FENCE, (Task(CloseReturned("db2"), 1.0),)),)
)
UNPROVEN = Refusal("durability-unproven", "a crash of its host may have taken data")
DIVERGED = Refusal("diverged", "db2 has 1 transaction that db1 lacks: db2:1")
DONE: dict[str, object] = {"operation": "op1", "kind": "rejoin", "cluster": "shop", "outcome": "done", "findings": []}


@pytest.fixture
def screen(tmp_path: Path) -> Terminal:
    return terminal(tmp_path)


def test_it_is_shown_asked_and_handed_on(screen: Terminal) -> None:
    app = StandIn(rejoin_plan=PLAN, failover=DONE)
    result = screen.call(app, "rejoin", "shop", "db2", "--reason", "new disk", "--yes")
    assert result.exit_code == 0
    assert "attaching to db1" in result.stderr
    assert "close db2, which is not the primary" in result.stderr
    (request,) = (asked[1] for asked in app.asked if asked[0] == "failover")
    assert isinstance(request, Request)
    assert (request.cluster, request.kind, request.to, request.by.reason) == ("shop", Kind.REJOIN, "db2", "new disk")


def test_without_a_terminal_it_needs_a_yes(screen: Terminal) -> None:
    app = StandIn(rejoin_plan=PLAN, failover=DONE)
    assert screen.call(app, "rejoin", "shop", "db2").exit_code == 2
    assert all(asked[0] != "failover" for asked in app.asked)


@pytest.mark.parametrize(
    ("against", "words", "code"),
    [(UNPROVEN, (), 1), (UNPROVEN, ("--override", "durability-unproven"), 0), (DIVERGED, (), 1)],
    ids=["unproven", "overridden", "diverged"],
)
def test_what_stands_against_it(screen: Terminal, against: Refusal, words: tuple[str, ...], code: int) -> None:
    app = StandIn(rejoin_plan=dataclasses.replace(PLAN, refusals=(against,)), failover=DONE)
    result = screen.call(app, "rejoin", "shop", "db2", "--yes", "--json", *words)
    assert result.exit_code == code
    assert (app.asked[-1][0] == "failover") is (code == 0)
    assert document(result)["outcome"] == ("refused" if code else "done")


def test_nobody_overrides_that_it_diverged(screen: Terminal) -> None:
    app = StandIn(rejoin_plan=PLAN)
    assert screen.call(app, "rejoin", "shop", "db2", "--yes", "--override", "diverged").exit_code == 2
    assert app.asked == []


def test_a_dry_run_shows_the_plan_and_what_stands_against_it(screen: Terminal) -> None:
    app = StandIn(rejoin_plan=dataclasses.replace(PLAN, refusals=(DIVERGED,)))
    result = screen.call(app, "rejoin", "shop", "db2", "--dry-run")
    assert result.exit_code == 1
    assert "refused, diverged" in result.stdout
    assert [asked[0] for asked in app.asked] == ["rejoin_plan"]


TAIL = "3e11fa47-71ca-11e1-9e33-c80aa9429562:7-9"


@pytest.mark.parametrize(("option", "cure"), [("--replay", Cure.REPLAY), ("--inject-empty", Cure.INJECT)])
def test_what_named_transactions_did_is_shown_before_anybody_agrees(screen: Terminal, option: str, cure: Cure) -> None:
    one = {
        "gtid": TAIL.replace("7-9", "8"),
        "time": None,
        "acknowledged": "unknown",
        "evidence": "no journal",
        "statements": ["DELETE FROM t"],
        "rows": [],
        "problem": None,
    }
    other = {**one, "gtid": TAIL.replace("7-9", "12"), "statements": ["DELETE FROM other"]}
    told = {"servers": [{"shown": [one, other]}]}
    app = StandIn(rejoin_plan=PLAN, failover=DONE, errant=told)
    result = screen.call(app, "rejoin", "shop", "db2", option, TAIL, "--yes")
    assert result.exit_code == 0
    assert "DELETE FROM t" in result.stderr
    assert "other" not in result.stderr
    (request,) = (asked[1] for asked in app.asked if asked[0] == "failover")
    assert isinstance(request, Request)
    assert request.resolution == Resolution(cure, GtidSet.parse(TAIL))


@pytest.mark.parametrize(
    ("words", "clone", "rebuild"),
    [
        (("--clone",), Overwrite(), None),
        (("--clone", "--discard-errant"), Overwrite(discard=True), None),
        (("--rebuild",), None, Overwrite()),
        (("--rebuild", "--discard-errant"), None, Overwrite(discard=True)),
    ],
    ids=["clone", "discard by clone", "rebuild", "discard by rebuild"],
)
def test_an_overwriting_is_asked_for(
    screen: Terminal, words: tuple[str, ...], clone: Overwrite | None, rebuild: Overwrite | None
) -> None:
    app = StandIn(rejoin_plan=PLAN, failover=DONE)
    assert screen.call(app, "rejoin", "shop", "db2", "--yes", *words).exit_code == 0
    (request,) = (asked[1] for asked in app.asked if asked[0] == "failover")
    assert isinstance(request, Request)
    assert (request.clone, request.rebuild) == (clone, rebuild)
    assert request_from(plain(request)) == request, "the active manager gets it as it was said"


def test_tables_are_named_with_commas_or_again(screen: Terminal) -> None:
    app = StandIn(rejoin_plan=PLAN, failover=DONE)
    words = ("--checksums", "app.a, app.b", "--checksums", "app-2.c", "--checksums", "app.a")
    assert screen.call(app, "rejoin", "shop", "db2", "--yes", *words).exit_code == 0
    (request,) = (asked[1] for asked in app.asked if asked[0] == "failover")
    assert isinstance(request, Request)
    assert request.checksums == ("app.a", "app.b", "app-2.c")


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ("orders", "'orders' is no table: say schema.table"),
        ("app.orders,", "'' is no table: say schema.table"),
        ("app.or`ders", "is no table: say schema.table"),
        ("a.b.c", "is no table: say schema.table"),
        ("MySQL.user", "each server's own"),
        (",".join(f"app.t{number}" for number in range(21)), "21 tables are too many"),
    ],
    ids=["no schema", "empty", "a quote", "three parts", "its own", "too many"],
)
def test_what_is_no_table_is_named_before_anything_is_asked(screen: Terminal, tables: str, told: str) -> None:
    app = StandIn(rejoin_plan=PLAN)
    result = screen.call(app, "rejoin", "shop", "db2", "--yes", "--checksums", tables)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())
    assert app.asked == []


@pytest.mark.parametrize(
    "words",
    [
        ("--replay", "nonsense"),
        ("--replay", TAIL, "--inject-empty", TAIL),
        ("--discard-errant",),
        ("--clone", "--replay", TAIL),
        ("--rebuild", "--inject-empty", TAIL),
        ("--clone", "--rebuild"),
        ("--checksums", "app.t", "--replay", TAIL),
    ],
    ids=[
        "no set",
        "both",
        "nothing to discard for",
        "clone and replay",
        "rebuild and inject",
        "two ways",
        "nothing to compare",
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_before_anything_is_asked(
    screen: Terminal, words: tuple[str, ...]
) -> None:
    app = StandIn(rejoin_plan=PLAN)
    assert screen.call(app, "rejoin", "shop", "db2", "--yes", *words).exit_code == 2
    assert app.asked == []


@pytest.mark.parametrize(
    ("more", "question"),
    [
        ({}, "Attach db2 of shop?"),
        ({"clone": Overwrite()}, "Overwrite db2 of shop?"),
        ({"rebuild": Overwrite()}, "Overwrite db2 of shop?"),
        (
            {"resolution": Resolution(Cure.REPLAY, GtidSet.parse(TAIL))},
            "Replay 3 transactions of db2 of shop on the primary?",
        ),
        (
            {"resolution": Resolution(Cure.INJECT, GtidSet.parse(TAIL))},
            "Count 3 transactions of db2 of shop as executed everywhere, and attach it?",
        ),
    ],
    ids=["attach", "clone", "rebuild", "replay", "inject"],
)
def test_a_person_is_asked_for_what_is_done(more: dict[str, object], question: str) -> None:
    request = Request("shop", Kind.REJOIN, Requester(kind="person"), to="db2", **more)  # type: ignore[arg-type]
    assert question_about(request) == question
