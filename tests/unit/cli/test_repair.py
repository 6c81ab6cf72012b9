"""`failoverd repair`: shown first, asked, handed on; a dry run asks for nothing to be done."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from failoverd.model.errors import ConfigError
from failoverd.model.plans import Group, Kind, Request
from failoverd.model.steps import KeepLogs, Stage, Task
from failoverd.model.verdict import Refusal
from tests.unit.cli.stand_in import EMPTY_PLAN, StandIn, Terminal, terminal

PLAN = dataclasses.replace(
    EMPTY_PLAN, kind=Kind.REPAIR, elect="", groups=(Group(Stage.FREEZE, (Task(KeepLogs("db2"), 1.0),)),)
)
LEFT = Refusal("recovery-incomplete", "nobody can give back 2 transactions", "2 transactions", "0")
DONE: dict[str, object] = {"operation": "op1", "kind": "repair", "cluster": "shop", "outcome": "done", "findings": []}


@pytest.fixture
def screen(tmp_path: Path) -> Terminal:
    return terminal(tmp_path)


def test_it_is_shown_asked_and_handed_on(screen: Terminal) -> None:
    app = StandIn(repair_plan=PLAN, repair=DONE)
    result = screen.call(app, "repair", "shop", "db2", "--reason", "disk", "--yes")
    assert result.exit_code == 0
    assert "keep the log files of db2" in result.stderr
    (request,) = (asked[1] for asked in app.asked if asked[0] == "repair")
    assert isinstance(request, Request)
    assert (request.cluster, request.kind, request.to, request.by.reason) == ("shop", Kind.REPAIR, "db2", "disk")


def test_without_a_terminal_it_needs_a_yes(screen: Terminal) -> None:
    app = StandIn(repair_plan=PLAN, repair=DONE)
    assert screen.call(app, "repair", "shop", "db2").exit_code == 2
    assert [asked[0] for asked in app.asked] == ["repair_plan"]


def test_a_dry_run_shows_the_plan_and_what_would_be_left(screen: Terminal) -> None:
    app = StandIn(repair_plan=dataclasses.replace(PLAN, refusals=(LEFT,)))
    result = screen.call(app, "repair", "shop", "db2", "--dry-run", "--json")
    assert result.exit_code == 1
    shown = json.loads(result.stdout)
    assert shown["kind"] == "repair"
    assert [refusal["id"] for refusal in shown["refusals"]] == ["recovery-incomplete"]
    assert [asked[0] for asked in app.asked] == ["repair_plan"]


def test_what_is_left_is_an_exit_code(screen: Terminal) -> None:
    app = StandIn(repair_plan=PLAN, repair={**DONE, "outcome": "failed"})
    assert screen.call(app, "repair", "shop", "db2", "--yes").exit_code == 1


@pytest.mark.parametrize("words", [("nowhere", "db2"), ("shop", "db9")])
def test_who_is_not_configured_is_an_error_before_anything(screen: Terminal, words: tuple[str, str]) -> None:
    app = StandIn()
    assert screen.call(app, "repair", *words, "--yes").exit_code == 2
    assert app.asked == []


def test_who_follows_nobody_is_told_so(screen: Terminal) -> None:
    app = StandIn(repair_plan=ConfigError("db1 follows nobody", "it has no relay log", "name a replica"))
    result = screen.call(app, "repair", "shop", "db1", "--yes")
    assert result.exit_code == 2
    assert "no relay log" in result.stderr
