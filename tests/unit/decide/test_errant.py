"""What belongs to the cluster's history, for a manager that has watched its primary and for one that never saw it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failoverd.decide.errant import errant
from failoverd.model.history import Recorded
from tests.scenarios.words import gtids, identity
from tests.scenarios.world import World, build

OLD = "db9:1-50"  # an earlier primary made these
HELD = f"executed={OLD},db1:1-100"
SEEN = "history misses=1 down=0"


def world(*lines: str, inherited: str | None, seen: bool) -> World:
    """The primary db1 is dead; `seen` tells whether this manager ever saw it writable."""
    made = build(["db1 down", *lines, SEEN])
    record = Recorded("db1", identity("db1"), 7, inherited=None if inherited is None else gtids(inherited))
    last = gtids(f"{OLD},db1:1-100") if seen else gtids("")
    return replace(made, history=replace(made.history, recorded=record, last_executed=last))


ERRANT = f"db2 replica {HELD},db2:1"
SOUND = f"db3 replica {HELD}"
CASES: tuple[tuple[str, World, str], ...] = (
    ("watched", world(ERRANT, SOUND, inherited=None, seen=True), "db2:1"),
    ("never seen, history on record", world(ERRANT, SOUND, inherited=OLD, seen=False), "db2:1"),
    ("never seen, alone, history on record", world(ERRANT, "db3 down", inherited=OLD, seen=False), "db2:1"),
    ("never seen, alone, the primary made all", world(ERRANT, "db3 down", inherited="", seen=False), f"{OLD},db2:1"),
    ("never seen, nothing on record", world(ERRANT, SOUND, inherited=None, seen=False), "db2:1"),
)


@pytest.mark.parametrize(("what", "case", "found"), CASES, ids=[what for what, _, _ in CASES])
def test_a_transaction_that_no_primary_had_is_errant(what: str, case: World, found: str) -> None:
    state = case.snapshot.state("db2")
    assert state is not None
    assert errant(state, case.snapshot, case.history) == gtids(found), what


def test_what_the_primary_made_since_is_legitimate_also_where_nobody_saw_it() -> None:
    case = world("db2 replica executed=db9:1-50,db1:1-120", "db3 down", inherited=OLD, seen=False)
    state = case.snapshot.state("db2")
    assert state is not None
    assert not errant(state, case.snapshot, case.history)
