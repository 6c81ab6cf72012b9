"""`failoverd ops attach`: what is said to an operation, and what its answers lead to."""

from __future__ import annotations

from pathlib import Path

import pytest

from failoverd.cli import attach
from failoverd.model.errors import FailoverdError
from tests.unit.cli.stand_in import StandIn, Terminal, document, terminal

STATUS = {
    "ok": True,
    "answer": ["switchover shop-1", "waiting: CHECK wait", "freeze-budget-ms=2000"],
    "state": "waiting",
}
LATER = {**STATUS, "answer": ["switchover shop-1", "running: FREEZE close"]}
NOTED = {"ok": True, "answer": ["hold: noted", "held: CHECK wait"], "state": "held"}
HELD = {**NOTED, "answer": ["switchover shop-1", "held: CHECK wait"]}
REFUSED = {"ok": False, "answer": ["not done: db2 is chosen"], "state": "chosen"}
GONE = FailoverdError("no operation of shop runs on this host")


@pytest.fixture
def screen(tmp_path: Path) -> Terminal:
    return terminal(tmp_path)


def lines(app: StandIn) -> list[object]:
    return [asked[2] for asked in app.asked]


def test_each_word_is_said_in_turn_and_answered(screen: Terminal) -> None:
    app = StandIn(say=[NOTED, STATUS])
    result = screen.call(app, "ops", "attach", "shop", "hold", "status")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [*NOTED["answer"], *STATUS["answer"]]  # type: ignore[misc]
    assert lines(app) == ["hold", "status"]


def test_the_last_answer_is_the_document(screen: Terminal) -> None:
    assert (
        document(screen.call(StandIn(say=[NOTED, STATUS]), "ops", "attach", "shop", "hold", "status", "--json"))
        == STATUS
    )


def test_what_is_refused_ends_it_with_its_reason(screen: Terminal) -> None:
    app = StandIn(say=[REFUSED, STATUS])
    result = screen.call(app, "ops", "attach", "shop", "abort", "status")
    assert result.exit_code == 1
    assert result.stdout == "not done: db2 is chosen\n"
    assert lines(app) == ["abort"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("status", "hodl"), "'hodl' is not known"),
        (("candidate=db9",), "there is no server 'db9'"),
        (("freeze-budget-ms=1h",), "no whole number of milliseconds"),
        (("--json",), "--json is for one answer"),
    ],
)
def test_a_bad_word_says_nothing_to_anybody(screen: Terminal, words: tuple[str, ...], says: str) -> None:
    app = StandIn(say=STATUS)
    result = screen.call(app, "ops", "attach", "shop", *words)
    assert result.exit_code == 2
    assert says in result.stderr
    assert app.asked == []


def test_nothing_runs_here(screen: Terminal) -> None:
    result = screen.call(StandIn(say=GONE), "ops", "attach", "shop", "status")
    assert result.exit_code == 1
    assert "no operation of shop runs on this host" in result.stderr


def test_lines_come_from_a_script_too(screen: Terminal) -> None:
    app = StandIn(say=[STATUS, NOTED])
    result = screen.call(app, "ops", "attach", "shop", typed="hold\n\n")
    assert result.exit_code == 0
    assert lines(app) == ["status", "hold"]


def test_at_its_side_until_it_ends(screen: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter([None, "hodl\n", None, "hold\n", None, None, None])
    monkeypatch.setattr(attach, "on_terminal", lambda: True)
    monkeypatch.setattr(attach, "typed", lambda _: said)
    app = StandIn(say=[STATUS, STATUS, REFUSED, STATUS, NOTED, HELD, LATER, GONE])
    result = screen.call(app, "ops", "attach", "shop")
    assert result.exit_code == 0
    assert lines(app) == ["status", "status", "hodl", "status", "hold", "status", "status", "status"]
    assert result.stderr.splitlines() == ["running: FREEZE close", "it has ended: failoverd ops show"]


def test_the_shell_completes_the_words() -> None:
    found = [item.value for begun in ("ca", "ho") for item in attach.completed(None, None, begun)]  # type: ignore[arg-type]
    assert found == ["candidate=", "hold"]
