"""Who is in whose way, out of rows as a server gives them."""

from __future__ import annotations

import pytest

from failoverd.drivers.mysql.lockwaits import guessed_edges, holders, object_edges, row_edges

APPLIERS = frozenset({31, 32})


def lock(
    waiting: int, holding: int, wanted: str, held: str, status: str = "GRANTED", **place: str | None
) -> dict[str, object]:
    row: dict[str, object] = {"waiting": waiting, "holding": holding, "wanted": wanted, "held": held, "status": status}
    return {**row, "kind": "TABLE", "db": "app", "name": "t", **place}


@pytest.mark.parametrize(
    ("wanted", "held", "status", "holds_up"),
    [
        ("SHARED_WRITE", "SHARED_READ_ONLY", "GRANTED", True),
        ("SHARED_WRITE", "SHARED_NO_READ_WRITE", "GRANTED", True),
        ("SHARED_WRITE", "SHARED_WRITE", "PENDING", False),
        ("SHARED_WRITE", "SHARED_READ", "GRANTED", False),
        ("SHARED_WRITE", "EXCLUSIVE", "PENDING", True),
        ("SHARED_READ", "SHARED_READ_ONLY", "GRANTED", False),
        ("EXCLUSIVE", "SHARED_READ", "GRANTED", True),
        ("EXCLUSIVE", "SHARED_READ", "PENDING", False),
        ("EXCLUSIVE", "EXCLUSIVE", "PENDING", False),
        ("INTENTION_EXCLUSIVE", "SHARED", "GRANTED", True),
        ("INTENTION_EXCLUSIVE", "INTENTION_EXCLUSIVE", "GRANTED", False),
    ],
)
def test_only_a_lock_that_conflicts_holds_up(wanted: str, held: str, status: str, holds_up: bool) -> None:
    assert bool(object_edges([lock(31, 36, wanted, held, status)])) is holds_up


def test_locks_are_named_for_people() -> None:
    edges = object_edges([lock(31, 36, "INTENTION_EXCLUSIVE", "SHARED", kind="GLOBAL", db=None, name=None)])
    assert edges == {31: {36: "the global read lock"}}
    assert object_edges([lock(31, 36, "EXCLUSIVE", "SHARED_READ")]) == {31: {36: "a lock on table app.t"}}


def test_a_holder_that_waits_itself_leads_to_the_one_behind_it() -> None:
    edges = object_edges(
        [lock(31, 40, "SHARED_WRITE", "EXCLUSIVE", "PENDING"), lock(40, 41, "EXCLUSIVE", "SHARED_READ")]
    )
    assert set(holders(APPLIERS, edges)) == {40, 41}


def test_appliers_that_wait_for_each_other_name_only_others() -> None:
    rows = row_edges([{"waiting": 31, "holding": 32}, {"waiting": 32, "holding": 50}, {"waiting": 60, "holding": 61}])
    assert set(holders(APPLIERS, rows)) == {50}
    assert holders(APPLIERS, row_edges([{"waiting": 31, "holding": 32}, {"waiting": 32, "holding": 31}])) == {}


def transaction(session: int, state: str = "RUNNING", locked: int = 1) -> dict[str, object]:
    return {"session": session, "state": state, "locked": locked, "modified": 0}


def test_without_lock_tables_nobody_is_guessed_among_several() -> None:
    waiting = transaction(31, "LOCK WAIT")
    assert set(guessed_edges([waiting, transaction(36)], APPLIERS)[31]) == {36}
    assert set(guessed_edges([waiting, transaction(36), transaction(37, locked=0)], APPLIERS)[31]) == {36}
    assert guessed_edges([waiting, transaction(36), transaction(37)], APPLIERS) == {}
    assert guessed_edges([waiting, transaction(32)], APPLIERS) == {}
    assert guessed_edges([transaction(31), transaction(36)], APPLIERS) == {}
