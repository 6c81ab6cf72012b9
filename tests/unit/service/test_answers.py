"""What is answered over HTTP, on the status of a cluster in memory: yes only for what is fresh and seen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from failoverd.model.sight import Thread
from failoverd.service.answers import answer
from failoverd.service.board import FRESH, Board
from failoverd.service.cycle import turn
from tests.fakes.whole import CLUSTER, Whole


class Seen:
    """A manager of a cluster in memory, and the board that others ask."""

    def __init__(self, *, automatic: bool = True) -> None:
        self.whole = Whole(automatic=automatic)
        self.manager = self.whole.manager()
        self.kept: dict[str, str] = {}
        self.board = Board(self.whole.clock, (CLUSTER,), self.kept.__setitem__)
        self.manager.published._keep = self.board.keep

    def ask(self, target: str, state: str = "") -> tuple[int, Any]:
        found = answer(self.board, lambda _: b"metrics", target, state)
        return found.status, json.loads(found.body)

    def status(self, target: str, state: str = "") -> int:
        return self.ask(target, state)[0]


@pytest.fixture
def seen() -> Seen:
    made = Seen()
    made.manager.turns(4)
    return made


def test_before_the_first_look_nothing_is_claimed() -> None:
    seen = Seen()
    assert seen.ask("/health/live") == (200, {"live": True})
    assert seen.ask("/health/ready") == (503, {"ready": False, "missing": {"shop": "no fresh look"}})
    for path in ("/status", "/clusters/shop/primary", "/clusters/shop/is-primary?server=db1"):
        assert seen.status(path) == 503, path


def test_a_healthy_cluster(seen: Seen) -> None:
    assert seen.ask("/health/ready") == (200, {"ready": True, "missing": {}})
    assert seen.ask("/clusters/shop/primary") == (200, {"name": "db1", "host": "db1", "port": 3306, "epoch": 1})
    assert seen.ask("/status")[1]["clusters"][0]["verdict"] == "healthy"
    assert seen.kept[CLUSTER], "what is kept on the host is kept all the same"


@pytest.mark.parametrize(
    ("target", "state", "status"),
    [
        ("is-primary?server=db1", "", 200),
        ("is-primary?server=db2", "", 503),
        ("is-primary?server=db9", "", 503),
        ("is-primary", "", 400),
        ("is-primary", "UP 2/3; name=shop/db1; weight=1/2; scur=1/2; qcur=0", 200),
        ("is-primary", "UP 2/3; name=shop/db2; weight=1/2", 503),
        ("is-replica?server=db2", "", 200),
        ("is-replica?server=db2&max_lag=1s", "", 503),
        ("is-replica?server=db2&max_lag=soon", "", 400),
        ("is-replica?server=db1", "", 503),
        ("is-replica", "", 400),
    ],
)
def test_who_is_what(seen: Seen, target: str, state: str, status: int) -> None:
    assert seen.status(f"/clusters/shop/{target}", state) == status


def test_an_unknown_path_names_the_known_ones(seen: Seen) -> None:
    for path in ("/", "/clusters/blog/primary", "/clusters/shop/nothing", "/clusters/"):
        status, said = seen.ask(path)
        assert (status, "/clusters/C/is-primary" in said["paths"]) == (404, True)


def test_what_is_old_is_a_no(seen: Seen) -> None:
    seen.whole.clock.sleep(FRESH + 1)
    assert seen.status("/health/live") == 200
    assert seen.status("/status") == 200, "with its own time in it"
    for path in ("/health/ready", "/clusters/shop/primary", "/clusters/shop/is-primary?server=db1"):
        assert seen.status(path) == 503, path


def test_a_dead_primary_is_nobodys_primary() -> None:
    seen = Seen(automatic=False)
    seen.manager.turns(4)
    seen.whole.mysqlds["db1"].kill()
    seen.manager.turns(1)
    assert seen.status("/clusters/shop/is-primary?server=db1") == 503


def test_after_an_operation_nothing_old_is_told_as_new_and_what_is_so_now_is_told_at_once(seen: Seen) -> None:
    manager, told = seen.manager, seen.ask("/clusters/shop/primary")[1]
    seen.whole.mysqlds["db1"].kill()
    rest = turn(manager.world, manager.memory, manager.published)
    assert manager.coordination.operations(CLUSTER)[0]["outcome"] == "done"
    assert seen.ask("/clusters/shop/primary")[1] == told, "the look that led to it is no news any more"
    seen.whole.clock.sleep(rest)
    assert rest < 0.1
    manager.turns(1)
    assert seen.ask("/clusters/shop/primary")[1]["name"] == "db2"
    assert seen.status("/clusters/shop/is-primary?server=db2") == 200


def test_a_primary_that_takes_no_writes_is_none(seen: Seen) -> None:
    seen.whole.mysqlds["db1"].read_only = True
    seen.manager.turns(2)
    assert seen.status("/clusters/shop/is-primary?server=db1") == 503


def test_a_replica_that_stands_still_or_lags_is_none(seen: Seen) -> None:
    seen.whole.mysqlds["db2"].change("", lag_seconds=20.0)
    seen.manager.turns(12)
    assert seen.status("/clusters/shop/is-replica?server=db2") == 200
    assert seen.status("/clusters/shop/is-replica?server=db2&max_lag=19s") == 503
    assert seen.status("/clusters/shop/is-replica?server=db2&max_lag=1m") == 200
    seen.whole.mysqlds["db2"].change("", receiver=Thread.NO)
    seen.manager.turns(1)
    assert seen.status("/clusters/shop/is-replica?server=db2") == 503


def test_nobody_is_armed_without_an_active_manager(seen: Seen) -> None:
    document = json.loads(seen.kept[CLUSTER])
    for key, value, why in (
        ("active_manager", None, "no manager is active"),
        ("coordination", "lost", "coordination is lost"),
    ):
        seen.board.keep(CLUSTER, json.dumps({**document, key: value}))
        assert seen.ask("/health/ready") == (503, {"ready": False, "missing": {"shop": why}})
