"""`failoverd replay`: the verdicts of a recording, and where this version differs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from failoverd.drivers.flight import FlightRecorder
from tests.unit.cli.stand_in import StandIn, Terminal, document, terminal
from tests.unit.drivers.test_flight import DEAD, HEALTHY


@pytest.fixture
def screen(tmp_path: Path) -> Terminal:
    return terminal(tmp_path)


def recording(folder: Path, *moments: object) -> str:
    one = FlightRecorder(folder)
    for moment in moments:
        one.write(moment)  # type: ignore[arg-type]
    (path,) = (folder / "shop").glob("*.flight")
    return str(path)


def test_the_same_decisions(screen: Terminal) -> None:
    result = screen.call(StandIn(), "replay", recording(screen.folder / "rec", HEALTHY, DEAD))
    assert result.exit_code == 0
    for words in ("2 moments", "healthy: db1 answers", "primary-dead: no mysqld", "decides the same"):
        assert words in result.stdout


def test_another_decision_is_a_finding(screen: Terminal) -> None:
    other = replace(DEAD, verdict=replace(DEAD.verdict, rule="silent"))
    path = recording(screen.folder / "rec", HEALTHY, other)
    result = screen.call(StandIn(), "replay", path)
    assert result.exit_code == 1
    assert "differs: was primary-dead by silent" in result.stdout
    told = document(screen.call(StandIn(), "replay", path, "--json"))
    assert told["moments"] == 2
    assert len(told["differences"]) == 1  # type: ignore[arg-type]


def test_no_recording(screen: Terminal) -> None:
    result = screen.call(StandIn(), "replay", str(screen.folder / "none"))
    assert result.exit_code == 1
    assert "cannot be read" in result.stderr
