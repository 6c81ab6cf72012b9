"""`failoverd reopen`: shown first, refused where it is not safe, asked, handed on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from failoverd.model.plans import Group, Kind, Request
from failoverd.model.steps import OpenWrites, Stage, Task
from failoverd.model.verdict import Refusal
from tests.unit.cli.stand_in import EMPTY_PLAN, StandIn, Terminal, document, terminal

PLAN = dataclasses.replace(
    EMPTY_PLAN, kind=Kind.REOPEN, elect="db1", groups=(Group(Stage.PROMOTE, (Task(OpenWrites("db1"), 1.0),)),)
)
UNKNOWN = Refusal("reopen-unknown", "db1 may lack something: what db3 holds is not known")
UNSAFE = Refusal("reopen-unsafe", "db1 must not be opened: db2 takes writes")
DONE: dict[str, object] = {"operation": "op1", "kind": "reopen", "cluster": "shop", "outcome": "done", "findings": []}


@pytest.fixture
def screen(tmp_path: Path) -> Terminal:
    return terminal(tmp_path)


def test_it_is_shown_asked_and_handed_on(screen: Terminal) -> None:
    app = StandIn(foresee=PLAN, failover=DONE)
    result = screen.call(app, "reopen", "shop", "--reason", "power cut", "--yes")
    assert result.exit_code == 0
    assert "open db1 for writes" in result.stderr
    (request,) = (asked[1] for asked in app.asked if asked[0] == "failover")
    assert isinstance(request, Request)
    assert (request.cluster, request.kind, request.by.reason) == ("shop", Kind.REOPEN, "power cut")


def test_without_a_terminal_it_needs_a_yes(screen: Terminal) -> None:
    app = StandIn(foresee=PLAN, failover=DONE)
    assert screen.call(app, "reopen", "shop").exit_code == 2
    assert all(asked[0] != "failover" for asked in app.asked)


@pytest.mark.parametrize(
    ("against", "words", "code"),
    [
        (UNKNOWN, (), 1),
        (UNKNOWN, ("--override", "reopen-unknown"), 0),
        (UNSAFE, ("--override", "reopen-unknown"), 1),
    ],
    ids=["unknown", "overridden", "unsafe"],
)
def test_what_stands_against_it(screen: Terminal, against: Refusal, words: tuple[str, ...], code: int) -> None:
    app = StandIn(foresee=dataclasses.replace(PLAN, refusals=(against,)), failover=DONE)
    result = screen.call(app, "reopen", "shop", "--yes", "--json", *words)
    assert result.exit_code == code
    assert (app.asked[-1][0] == "failover") is (code == 0)
    assert document(result)["outcome"] == ("refused" if code else "done")


def test_nobody_overrides_what_is_unsafe(screen: Terminal) -> None:
    app = StandIn(foresee=PLAN, failover=DONE)
    assert screen.call(app, "reopen", "shop", "--yes", "--override", "reopen-unsafe").exit_code == 2
    assert app.asked == []


def test_a_dry_run_shows_the_plan_and_what_stands_against_it(screen: Terminal) -> None:
    app = StandIn(foresee=dataclasses.replace(PLAN, refusals=(UNKNOWN,)))
    result = screen.call(app, "reopen", "shop", "--dry-run")
    assert result.exit_code == 1
    assert "refused, reopen-unknown" in result.stdout
    assert [asked[0] for asked in app.asked] == ["foresee"]
