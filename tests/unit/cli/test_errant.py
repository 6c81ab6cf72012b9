"""`failoverd errant`: shown with what made it, one document for programs, and an exit code that says there is some."""

from __future__ import annotations

from pathlib import Path

import pytest

from failoverd.service.errant import Wanted
from tests.unit.cli.stand_in import StandIn, Terminal, document, terminal

ROW = {
    "act": "update",
    "table": "app.t",
    "key": {"n": 1},
    "before": {"n": 1, "w": None},
    "after": {"n": 1, "w": {"hex": "ff00"}},
    "conflict": "differs",
}
SHOWN = {
    "gtid": "u:7",
    "time": "2026-11-20T10:00:00.000Z",
    "acknowledged": "unknown",
    "evidence": "no failover of this server is on record",
    "tables": ["app.t"],
    "statements": ["DROP TABLE tmp"],
    "rows": [ROW],
    "problem": None,
}


def server(name: str, **more: object) -> dict[str, object]:
    nothing = {"reachable": True, "gtids": "", "transactions": 0, "export": None, "shown": [], "problem": None}
    return {"name": name, **nothing, **more}


ERRANT = server("db2", gtids="u:7-9", transactions=3, shown=[SHOWN], export="/kept/here")


@pytest.fixture
def screen(tmp_path: Path) -> Terminal:
    return terminal(tmp_path)


def told(*servers: dict[str, object]) -> dict[str, object]:
    return {"cluster": "shop", "primary": "db1", "servers": list(servers)}


def test_each_is_shown_with_what_made_it(screen: Terminal) -> None:
    app = StandIn(errant=told(ERRANT, server("db3")))
    result = screen.call(app, "errant", "shop", "--show", "1")
    assert result.exit_code == 1
    assert app.asked == [("errant", "shop", Wanted("", 1, False))]
    assert result.stdout.splitlines() == [
        "db2: 3 errant transactions  u:7-9",
        "  u:7  2026-11-20T10:00:00.000Z  unknown: no failover of this server is on record",
        "    DROP TABLE tmp",
        "    update app.t n=1, w=NULL -> n=1, w=0xff00  (conflict: differs)",
        "  and 2 more; --show N, --export",
        "  kept in /kept/here",
        "db3: nothing",
    ]


@pytest.mark.parametrize(
    ("found", "code"),
    [(server("db2"), 0), (ERRANT, 1), (server("db2", problem="its host is silent"), 1)],
    ids=["nothing", "errant", "not-known"],
)
def test_the_exit_code_says_whether_all_is_well(screen: Terminal, found: dict[str, object], code: int) -> None:
    result = screen.call(StandIn(errant=told(found)), "errant", "shop", "db2", "--export", "--json")
    assert result.exit_code == code
    assert document(result) == told(found)


def test_a_server_that_is_not_listed_is_refused(screen: Terminal) -> None:
    app = StandIn(errant=told())
    assert screen.call(app, "errant", "shop", "db9").exit_code == 2
    assert app.asked == []
