"""Where missing transactions are expected before any log is scanned."""

from __future__ import annotations

from dataclasses import replace

from failoverd.model.history import Recorded
from failoverd.model.host import Holding, LogKind
from failoverd.model.sources import foreseen
from tests.scenarios.words import gtids, identity
from tests.scenarios.world import World, build

HELD = gtids("db9:1-50")  # by an earlier primary


def died_unseen(*lines: str) -> World:
    """db1 was opened and died before this manager ever saw it alive; its record tells what it inherited."""
    made = build(["db1 down", "db2 replica executed=db9:1-40", *lines, "history misses=1 down=0"])
    record = Recorded("db1", identity("db1"), 7, inherited=HELD)
    return replace(made, history=replace(made.history, recorded=record, last_executed=gtids("")))


def test_the_logs_of_a_primary_that_nobody_saw_alive_hold_what_it_inherited() -> None:
    world = died_unseen("agent db1 dead")
    assert Holding("db1", LogKind.BINARY, HELD) in foreseen(world.snapshot, world.history).holdings


def test_the_logs_of_a_primary_that_died_right_after_its_opening_hold_what_it_was_last_seen_to_hold() -> None:
    world = died_unseen("agent db1 dead")
    seen = gtids("db9:1-50,db1:1-3")
    history = replace(world.history, last_holdings=(("db1", seen),))
    assert Holding("db1", LogKind.BINARY, seen) in foreseen(world.snapshot, history).holdings


def test_nothing_is_expected_of_a_host_that_does_not_answer() -> None:
    world = died_unseen()
    assert not any(holding.server == "db1" for holding in foreseen(world.snapshot, world.history).holdings)
