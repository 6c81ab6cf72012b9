"""`failoverd switchover`: shown first, asked, what was agreed to is handed on; back to the former primary."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result

from failoverd.cli import session
from failoverd.cli.holding import moment
from failoverd.model.plans import Group, Kind, Request
from failoverd.model.steps import CloseWrites, Stage, Task
from failoverd.model.verdict import Refusal
from tests.unit.cli.stand_in import EMPTY_PLAN, StandIn, Terminal, document, terminal

PLAN = dataclasses.replace(
    EMPTY_PLAN, kind=Kind.SWITCHOVER, elect="db2", groups=(Group(Stage.FREEZE, (Task(CloseWrites("db1"), 1.0),)),)
)
DONE: dict[str, object] = {
    "operation": "op1", "kind": "switchover", "cluster": "shop", "outcome": "done", "fenced": None, "findings": [],
}  # fmt: skip
PAST = (
    {"operation": "op4", "kind": "switchover", "outcome": "undone", "old_primary": "db1", "started": "4"},
    {"operation": "op3", "kind": "failover", "outcome": "done", "old_primary": "db1", "started": "3"},
    {"operation": "op2", "kind": "switchover", "outcome": "done", "old_primary": "db2", "started": "2"},
)


@pytest.fixture
def screen(tmp_path: Path) -> Terminal:
    return terminal(tmp_path)


def requested(app: StandIn, question: str = "failover") -> Request:
    (request,) = (asked[1] for asked in app.asked if asked[0] == question)
    assert isinstance(request, Request)
    return request


def test_it_is_shown_and_what_was_agreed_to_is_handed_on(screen: Terminal) -> None:
    app = StandIn(foresee=PLAN, failover=DONE)
    result = screen.call(app, "switchover", "shop", "--reason", "new kernel", "--yes")
    assert result.exit_code == 0
    assert "close db1 for writes" in result.stderr
    assert (requested(app, "foresee").to, requested(app).to) == ("", "db2")
    assert (requested(app).kind, requested(app).by.reason) == (Kind.SWITCHOVER, "new kernel")


def test_without_a_terminal_it_needs_a_yes(screen: Terminal) -> None:
    app = StandIn(foresee=PLAN, failover=DONE)
    assert screen.call(app, "switchover", "shop").exit_code == 2
    assert [asked[0] for asked in app.asked] == ["foresee"]


def test_a_dry_run_changes_nothing(screen: Terminal) -> None:
    app = StandIn(foresee=PLAN)
    result = screen.call(app, "switchover", "shop", "--to", "db2", "--dry-run", "--json")
    assert (result.exit_code, document(result)["kind"]) == (0, "switchover")
    assert requested(app, "foresee").to == "db2"


def test_a_refusal_stops_it(screen: Terminal) -> None:
    refusal = Refusal("primary-dead", "db1 does not answer: use failover")
    app = StandIn(foresee=dataclasses.replace(PLAN, refusals=(refusal,)))
    result = screen.call(app, "switchover", "shop", "--yes")
    assert result.exit_code == 1
    assert "use failover" in result.stderr
    assert "--override" not in result.stderr
    assert [asked[0] for asked in app.asked] == ["foresee"]


def test_back_to_the_primary_before_the_last_switchover_that_was_done(screen: Terminal) -> None:
    app = StandIn(foresee=PLAN, failover=DONE, operations=PAST)
    assert screen.call(app, "switchover", "shop", "--revert", "--yes").exit_code == 0
    assert requested(app, "foresee").to == "db2"
    never = StandIn(operations=PAST[:2])
    result = screen.call(never, "switchover", "shop", "--revert", "--yes")
    assert result.exit_code == 1
    assert "has seen no switchover" in result.stderr


def test_two_targets_are_one_too_many(screen: Terminal) -> None:
    assert screen.call(StandIn(), "switchover", "shop", "--revert", "--to", "db2").exit_code == 2


def test_undone_is_an_exit_code_of_its_own(screen: Terminal) -> None:
    app = StandIn(foresee=PLAN, failover={**DONE, "outcome": "undone"})
    assert screen.call(app, "switchover", "shop", "--yes").exit_code == 3


def test_it_is_held_until_the_time_and_while_the_file_exists_and_then_checked_again(
    screen: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag = screen.folder / "not-yet"
    flag.touch()
    app = StandIn(foresee=PLAN, failover=DONE)
    slept = screen.clock.sleep

    def sleep(seconds: float) -> None:
        slept(seconds)
        if screen.clock.time > 500:
            flag.unlink(missing_ok=True)

    monkeypatch.setattr(screen.clock, "sleep", sleep)
    at = "1970-01-01T00:05:00Z"
    result = screen.call(app, "switchover", "shop", "--at", at, "--postpone-file", str(flag), "--yes")
    assert result.exit_code == 0, result.stderr
    assert 500 < screen.clock.time < 502
    assert [asked[0] for asked in app.asked] == ["foresee", "foresee", "failover"]
    assert "waiting for 1970-01-01T00:05:00" in result.stderr
    assert "not-yet to go" in result.stderr


def test_what_stands_against_it_after_the_wait_stops_it(screen: Terminal) -> None:
    refusal = Refusal("primary-dead", "db1 does not answer: use failover")
    app = StandIn(foresee=[PLAN, dataclasses.replace(PLAN, refusals=(refusal,))])
    result = screen.call(app, "switchover", "shop", "--at", "1970-01-01T00:05:00Z", "--yes")
    assert result.exit_code == 1
    assert "use failover" in result.stderr


def holding(screen: Terminal, monkeypatch: pytest.MonkeyPatch, app: StandIn, *lines: str) -> Result:
    """A switchover that is held by a file which stays, while somebody says these lines to it, one in each rest."""
    flag, slept, left = screen.folder / "not-yet", screen.clock.sleep, list(lines)
    flag.touch()

    def sleep(seconds: float) -> None:
        slept(seconds)
        app.rooms.room.say(left.pop(0))

    monkeypatch.setattr(screen.clock, "sleep", sleep)
    return screen.call(app, "switchover", "shop", "--postpone-file", str(flag), "--yes", "--json")


def test_whoever_holds_it_can_be_talked_to_and_what_was_said_goes_with_it(
    screen: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = StandIn(foresee=PLAN, failover=DONE)
    words = ("candidate=db1", "freeze-budget-ms=500", "hold", "throttle", "go", "no-throttle")
    result = holding(screen, monkeypatch, app, *words)
    assert result.exit_code == 0, result.stderr
    asked = requested(app)
    assert (asked.to, asked.settings) == ("db1", ("freeze-budget-ms=500",))
    assert app.rooms.room.closed
    waits = {standing.waiting.partition(" for ")[2] for standing in app.rooms.room.told[1:]}
    assert waits == {f"{screen.folder / 'not-yet'} to go", "go (held)", "no-throttle (throttled)"}


def test_go_does_not_wait_for_the_file(screen: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    app = StandIn(foresee=PLAN, failover=DONE)
    assert holding(screen, monkeypatch, app, "status", "go").exit_code == 0
    assert len(screen.clock.slept) == 2


def test_given_up_while_it_is_held_nothing_is_begun(screen: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    app = StandIn(foresee=PLAN, failover=DONE)
    result = holding(screen, monkeypatch, app, "abort")
    assert result.exit_code == 3
    told = document(result)
    assert (told["outcome"], told["new_primary"]) == ("undone", None)
    assert told["findings"] == ["given up while it was held: anna wants that"]
    assert [asked[0] for asked in app.asked] == ["foresee"]


def test_without_the_file_nothing_is_waited_for(screen: Terminal) -> None:
    app = StandIn(foresee=PLAN, failover=DONE)
    gone = str(screen.folder / "gone")
    assert screen.call(app, "switchover", "shop", "--postpone-file", gone, "--yes").exit_code == 0
    assert screen.clock.slept == []


@pytest.mark.parametrize("text", ["soon", "25:00", "1970-01-01T00:05:00", "1970-01-01T00:00:01Z"])
def test_a_time_that_is_none_has_passed_or_has_no_zone_is_an_error(screen: Terminal, text: str) -> None:
    app = StandIn(foresee=PLAN)
    assert screen.call(app, "switchover", "shop", "--at", text, "--yes").exit_code == 2
    assert app.asked == []


def test_a_time_of_day_is_the_next_one() -> None:
    now = datetime(2026, 3, 14, 12, 0, tzinfo=UTC).astimezone()
    later, tomorrow = moment(f"{(now.hour + 1) % 24}:00", now), moment(f"{now.hour}:{now.minute:02}", now)
    assert 0 < (later - now).total_seconds() <= 3600
    assert (tomorrow - now).total_seconds() == 86400


@pytest.mark.parametrize(
    ("words", "terminal_there", "typed", "gives_up"),
    [
        ((), False, "", False),
        (("--on-interrupt", "abort"), False, "", True),
        (("--on-interrupt", "detach"), True, "", False),
        ((), True, "abort\n", True),
        ((), True, "\n", False),
        ((), True, "", False),
    ],
)
def test_an_interrupt_leaves_it_alone_unless_somebody_says_otherwise(
    screen: Terminal,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    terminal_there: bool,
    typed: str,
    gives_up: bool,
) -> None:
    monkeypatch.setattr(session, "on_terminal", lambda: terminal_there)
    heard: list[bool] = []

    class Interrupted(StandIn):
        def answer(self, *asked: object) -> object:
            if asked[0] == "failover" and self.gives_up is not None:
                heard.append(self.gives_up())
            return super().answer(*asked)

    app = Interrupted(foresee=PLAN, failover=DONE)
    assert screen.call(app, "switchover", "shop", "--yes", *words, typed=typed).exit_code == 0
    assert heard == [gives_up]
