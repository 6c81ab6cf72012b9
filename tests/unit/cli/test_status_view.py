"""How a status looks on terminals of different widths: nothing is broken in the middle of a word."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from failoverd.cli.render import status_view, watched_view
from tests.unit.cli.stand_in import StandIn, terminal

LATE = "db1 could not be read: the connection stands, the answer does not come, and nobody else was heard of since"
COLUMNS = ("SERVER", "ADDRESS", "ROLE", "WRITES", "FOLLOWS", "RECEIVER", "APPLIER", "LAG", "PROMOTE", "AGENT")


def server(name: str, **changed: object) -> dict[str, object]:
    told = {"role": "replica", "reachable": True, "read_only": True, "source": "db1", "receiver": "connecting"}
    also = {"applier": "yes", "lag_seconds": 0.1, "promote": "normal", "agent": "unreachable", "problems": []}
    return {"name": name, "host": "198.18.200.131", "port": 3306, **told, **also, **changed}


STATUS: dict[str, object] = {
    "clusters": [
        {
            "name": "shop",
            "verdict": "suspect",
            "sentence": "db1 did not answer, 2 of 3 times in a row",
            "primary": "db1",
            "active_manager": "mgr1",
            "coordination": "ok",
            "evidence": [{"sentence": "missed 2 times", "route": "sql", "age_seconds": 0.5}],
            "refusals": [],
            "servers": [
                server("db1", reachable=False, problems=[{"id": "unreachable", "sentence": LATE, "hint": ""}]),
                server("db2"),
            ],
        }
    ]
}


def drawn(width: int, *, watched: bool = False) -> list[str]:
    """The lines on a terminal of that width."""
    screen = Console(file=StringIO(), width=width, force_terminal=True, color_system=None, highlight=False)
    with screen.capture() as captured:
        screen.print(
            watched_view(STATUS, [("10:00:01", f"shop: {LATE}")], "10:00:02") if watched else status_view(STATUS)
        )
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (200, set()),
        (100, {"ADDRESS"}),
        (80, {"ADDRESS", "PROMOTE"}),
        (75, {"ADDRESS", "PROMOTE", "LAG"}),
        (70, {"ADDRESS", "PROMOTE", "LAG", "FOLLOWS"}),
    ],
)
def test_a_narrow_screen_goes_without_some_columns(width: int, left_out: set[str]) -> None:
    lines = drawn(width)
    head = next(line for line in lines if line.startswith("  SERVER"))
    assert head.split() == [column for column in COLUMNS if column not in left_out]
    for name in ("db1", "db2"):
        (row,) = (line for line in lines if line.startswith(f"  {name}  "))
        assert len(row.split()) >= len(head.split())
        assert "connecting" in row
        assert row.endswith("unreachable")


@pytest.mark.parametrize("width", [200, 80, 40])
def test_a_long_sentence_goes_on_further_in(width: int) -> None:
    lines = drawn(width, watched=True)
    for start, below in ((f"  {LATE[:7]}", "    "), ("  10:00:01  shop: db1", " " * 14)):
        first = max(number for number, line in enumerate(lines) if line.startswith(start))
        told = [lines[first].strip()]
        for line in lines[first + 1 :]:
            if not line.startswith(below):
                break
            told.append(line.strip())
        assert " ".join(told).removeprefix("10:00:01  shop: ") == LATE
    assert all(len(line) <= width for line in lines)


def test_the_verdict_is_told_with_its_sentence() -> None:
    """Also where there is no evidence to show, as with two servers that take writes."""
    assert "  db1 did not answer, 2 of 3 times in a row" in drawn(80)


class Interrupted(StandIn):
    """Somebody presses Ctrl-C at the third look."""

    def status(self, cluster: str | None) -> dict[str, object]:
        self.asked.append(("status", cluster))
        if len(self.asked) == 3:
            raise KeyboardInterrupt
        return STATUS


def test_who_has_seen_enough_leaves_without_an_error(tmp_path: Path) -> None:
    result = terminal(tmp_path).call(Interrupted(), "status", "--watch")
    assert (result.exit_code, result.stderr) == (0, "")
