"""`failoverd failover`: plan first, a question on a terminal, `--yes` without one, and its exit codes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.plans import Kind, Request
from failoverd.model.verdict import Refusal
from tests.unit.cli.stand_in import EMPTY_PLAN, StandIn, Terminal, document, terminal

DONE: dict[str, object] = {"operation": "op1", "cluster": "shop", "outcome": "done", "fenced": None, "findings": []}
UUID = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def screen(tmp_path: Path) -> Terminal:
    return terminal(tmp_path)


def refused(*ids: str, missing: str = "") -> StandIn:
    refusals = tuple(Refusal(name, f"because of {name}") for name in ids)
    plan = dataclasses.replace(EMPTY_PLAN, refusals=refusals, missing=GtidSet.parse(missing))
    return StandIn(foresee=plan, failover=DONE)


def requested(app: StandIn) -> Request:
    [request] = [asked[1] for asked in app.asked if asked[0] == "failover"]
    assert isinstance(request, Request)
    return request


def began(app: StandIn) -> bool:
    return any(asked[0] == "failover" for asked in app.asked)


def test_everything_that_was_said_reaches_the_request(screen: Terminal) -> None:
    app = refused()
    result = screen.call(
        app,
        *("failover", "shop", "--to", "db2", "--accept-loss", "3", "--override", "cooldown", "--override", "paused"),
        *("--reason", "disk broken", "--yes"),
    )
    assert result.exit_code == 0
    request = requested(app)
    assert (request.cluster, request.kind, request.to, request.accept_loss) == ("shop", Kind.FAILOVER, "db2", 3)
    assert request.overrides == {"cooldown", "paused"}
    assert (request.by.kind, request.by.reason) == ("person", "disk broken")
    assert request.by.user
    assert request.by.host
    assert "going on" in result.stderr


def test_without_a_terminal_nothing_is_done_without_a_yes(screen: Terminal) -> None:
    app = refused()
    result = screen.call(app, "failover", "shop")
    assert result.exit_code == 2
    assert "add --yes" in result.stderr
    assert not began(app)


@pytest.mark.parametrize(("typed", "code", "done"), [("y\n", 0, True), ("n\n", 1, False), ("\n", 1, False)])
def test_on_a_terminal_a_person_is_asked(
    screen: Terminal, monkeypatch: pytest.MonkeyPatch, typed: str, code: int, done: bool
) -> None:
    monkeypatch.setattr("failoverd.cli.session.on_terminal", lambda: True)
    app = refused()
    result = screen.call(app, "failover", "shop", typed=typed)
    assert result.exit_code == code
    assert "Fail shop over?" in result.stderr
    assert began(app) is done


def test_the_plan_is_shown_before_anything_is_done(screen: Terminal) -> None:
    app = refused()
    assert "db2" in screen.call(app, "failover", "shop", "--yes").stderr
    assert [asked[0] for asked in app.asked] == ["foresee", "failover"]


def test_a_dry_run_shows_the_plan_and_changes_nothing(screen: Terminal) -> None:
    app = refused()
    result = screen.call(app, "failover", "shop", "--dry-run", "--json")
    assert result.exit_code == 0
    assert document(result)["new_primary"] == "db2"
    assert not began(app)
    assert screen.call(refused("cooldown"), "failover", "shop", "--dry-run").exit_code == 1
    assert screen.call(refused("cooldown"), "failover", "shop", "--dry-run", "--override", "cooldown").exit_code == 0


def test_a_refusal_stops_it_until_it_is_overridden_by_name(screen: Terminal) -> None:
    app = refused("cooldown")
    result = screen.call(app, "failover", "shop", "--yes", "--json")
    assert result.exit_code == 1
    assert not began(app)
    assert document(result)["refusals"] == [
        {"id": "cooldown", "sentence": "because of cooldown", "measured": "", "limit": ""}
    ]
    assert screen.call(app, "failover", "shop", "--yes", "--override", "cooldown").exit_code == 0
    assert began(app)


def test_a_refusal_says_what_to_do_about_it_and_names_no_override_that_does_nothing(screen: Terminal) -> None:
    firm = screen.call(refused("primary-alive"), "failover", "shop", "--yes").stderr
    assert "hint: failoverd switchover moves a living primary and loses nothing\n" in firm
    assert "--override" not in firm
    both = screen.call(refused("primary-alive", "tried-lately"), "failover", "shop", "--yes").stderr
    assert "hint: primary-alive: failoverd switchover moves" in both
    assert "; tried-lately: read its report; the next attempt comes by itself; or --override tried-lately\n" in both


def test_what_is_only_foreseen_is_left_to_the_operation(screen: Terminal) -> None:
    app = refused("missing-transactions", missing=f"{UUID}:1-5")
    assert screen.call(app, "failover", "shop", "--yes").exit_code == 0
    assert began(app)


@pytest.mark.parametrize(("accepted", "code"), [("4", 1), ("5", 0)])
def test_an_accepted_loss_covers_what_is_missing(screen: Terminal, accepted: str, code: int) -> None:
    app = refused("missing-transactions", missing=f"{UUID}:1-5")
    assert screen.call(app, "failover", "shop", "--dry-run", "--accept-loss", accepted).exit_code == code


def test_nobody_overrides_what_does_not_exist(screen: Terminal) -> None:
    app = refused()
    result = screen.call(app, "failover", "shop", "--yes", "--override", "colldown")
    assert result.exit_code == 2
    assert "cooldown" in result.stderr
    assert app.asked == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"outcome": "refused"}, 1),
        ({"outcome": "failed"}, 1),
        ({"outcome": "undone"}, 3),
        ({"outcome": "needs-person"}, 4),
        ({"fenced": {"server": "db1", "how": "killed"}}, 0),
        ({"fenced": {"server": "db1", "how": "UNFENCED"}}, 1),
        ({"outcome": "undone", "fenced": {"server": "db1", "how": "UNFENCED"}}, 3),
        ({"findings": ["two writers"]}, 1),
        ({"outcome": "something new"}, 1),
    ],
)
def test_the_outcome_is_the_exit_code(screen: Terminal, changes: dict[str, object], code: int) -> None:
    app = StandIn(foresee=EMPTY_PLAN, failover=DONE | changes)
    result = screen.call(app, "failover", "shop", "--yes", "--json")
    assert result.exit_code == code
    assert document(result) == DONE | changes
