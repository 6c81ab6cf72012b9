"""What a command sees by itself."""

from __future__ import annotations

from failoverd.service import desk
from tests.fakes.whole import Whole


def test_a_command_that_finds_the_primary_silent_asks_everybody_else_too() -> None:
    whole = Whole()
    manager = whole.manager().turns(4)
    whole.mysqlds["db1"].frozen = True
    _, snapshot = desk.own_look(manager.world)
    assert {probe.origin for probe in snapshot.probes} == {"db2", "db3"}
