"""`failoverd pause` and `failoverd resume`: a reason is needed, it is asked first, and what is in force is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from failoverd.model.history import Pause
from tests.unit.cli.stand_in import StandIn, Terminal, document, terminal

NOW: dict[str, object] = {"by": "anna@desk", "reason": "moving racks", "until": "2026-03-14T09:30:12.000Z"}
TOLD: dict[str, object] = {"cluster": "shop", "server": None, "paused": NOW, "before": None, "still_paused": []}


@pytest.fixture
def screen(tmp_path: Path) -> Terminal:
    return terminal(tmp_path)


def test_who_why_where_and_how_long_are_handed_on(screen: Terminal) -> None:
    app = StandIn(pause=TOLD)
    words = ("pause", "shop", "--server", "db2", "--for", "2h", "--reason", "moving racks", "--yes")
    assert screen.call(app, *words).exit_code == 0
    ((_, cluster, wish, dry_run),) = app.asked
    assert isinstance(wish, Pause)
    assert (cluster, wish.reason, wish.server, dry_run) == ("shop", "moving racks", "db2", False)
    assert wish.until == screen.clock.wall().timestamp() + 7200
    assert "@" in wish.by


@pytest.mark.parametrize("reason", [(), ("--reason", " ")], ids=["none", "blank"])
def test_a_pause_without_a_reason_is_refused(screen: Terminal, reason: tuple[str, ...]) -> None:
    app = StandIn(pause=TOLD)
    result = screen.call(app, "pause", "shop", "--yes", *reason)
    assert (result.exit_code, app.asked) == (2, [])
    assert "needs a reason" in result.stderr


@pytest.mark.parametrize("words", [("pause", "shop", "--reason", "x"), ("resume", "shop")], ids=["pause", "resume"])
def test_nothing_is_recorded_unasked(screen: Terminal, words: tuple[str, ...]) -> None:
    app = StandIn(pause=TOLD, unpause=TOLD)
    assert screen.call(app, *words).exit_code == 2
    assert app.asked == []


@pytest.mark.parametrize("words", [("pause", "nope", "--reason", "x"), ("resume", "shop", "--server", "db9")])
def test_unknown_names_are_usage(screen: Terminal, words: tuple[str, ...]) -> None:
    app = StandIn(pause=TOLD, unpause=TOLD)
    assert screen.call(app, *words, "--yes").exit_code == 2
    assert app.asked == []


def test_a_dry_run_says_what_would_be(screen: Terminal) -> None:
    result = screen.call(StandIn(pause=TOLD), "pause", "shop", "--reason", "moving racks", "--dry-run")
    assert result.exit_code == 0
    assert "shop would be paused until 2026-03-14T09:30:12.000Z, by anna@desk: moving racks" in result.stdout


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("resume", "shop"), "ended the pause of shop"),
        (("resume", "shop", "--server", "db1"), "ended the pause of db1 of shop"),
        (("init", "shop", "--adopt"), "adopted shop"),
        (("agent", "install", "shop", "db1"), "installed agents on db1 of shop"),
    ],
)
def test_why_a_pause_was_ended_is_kept_in_the_log_of_this_host(
    screen: Terminal, words: tuple[str, ...], what: str
) -> None:
    """Also why the other commands were given that open no operation."""
    app = StandIn(
        unpause=TOLD,
        initialise={"cluster": "shop", "epoch": 1, "agents": {}, "silent": []},
        agents_install=({"server": "db1", "outcome": "done"},),
    )
    assert screen.call(app, *words, "--reason", "all is well", "--yes").exit_code == 0
    assert app.noted == [(what, "all is well")]
    app.has_log = False
    assert "the reason is not kept" in screen.call(app, *words, "--reason", "all is well", "--yes").stderr
    assert "the reason is not kept" not in screen.call(app, *words, "--yes").stderr


def test_an_agent_that_could_not_be_installed_is_not_noted_as_installed(screen: Terminal) -> None:
    outcomes = {"db1": "failed", "db2": "already", "db3": "done"}
    app = StandIn(agents_install=tuple({"server": name, "outcome": outcome} for name, outcome in outcomes.items()))
    assert screen.call(app, "agent", "install", "shop", "--reason", "new host", "--yes").exit_code == 1
    assert app.noted == [("installed agents on db2, db3 of shop", "new host")]


def test_a_resume_tells_what_was_and_what_stays(screen: Terminal) -> None:
    app = StandIn(unpause={**TOLD, "paused": None, "before": NOW, "still_paused": ["db2"]})
    result = screen.call(app, "resume", "shop", "--yes")
    assert app.asked == [("unpause", "shop", "", False)]
    assert "shop is not paused" in result.stdout
    assert "it was paused until" in result.stdout
    assert "db2 stays paused" in result.stdout


def test_one_document(screen: Terminal) -> None:
    assert document(screen.call(StandIn(unpause=TOLD), "resume", "shop", "--yes", "--json")) == TOLD
