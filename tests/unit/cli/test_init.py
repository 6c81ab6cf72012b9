"""The first epoch, and the one after coordination was lost."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.stand_in import StandIn, document, terminal

TOLD = {"cluster": "shop", "epoch": 56, "agents": {"db1": 40}, "silent": ["db2"]}


def test_what_was_written_and_who_remembered_what(tmp_path: Path) -> None:
    app = StandIn(initialise=TOLD)
    result = terminal(tmp_path).call(app, "init", "shop", "--adopt", "--yes")
    assert result.exit_code == 0
    assert app.asked == [("initialise", "shop", True)]
    for words in ("above 56", "db1 remembers epoch 40", "db2 could not be asked"):
        assert words in result.stdout


def test_nothing_is_written_unasked(tmp_path: Path) -> None:
    app = StandIn(initialise=TOLD)
    assert terminal(tmp_path).call(app, "init", "shop").exit_code == 2
    assert app.asked == []


def test_one_document(tmp_path: Path) -> None:
    result = terminal(tmp_path).call(StandIn(initialise=TOLD), "init", "shop", "--yes", "--json")
    assert document(result) == TOLD
