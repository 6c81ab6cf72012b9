"""What a command sees by itself."""

from __future__ import annotations

import pytest

from failoverd.model.errors import CoordinationError
from failoverd.service import desk
from tests.fakes.whole import Whole


def test_a_command_that_finds_the_primary_silent_asks_everybody_else_too() -> None:
    whole = Whole()
    manager = whole.manager().turns(4)
    whole.mysqlds["db1"].frozen = True
    _, snapshot = desk.own_look(manager.world)
    assert {probe.origin for probe in snapshot.probes} == {"db2", "db3"}


def test_without_the_records_nothing_is_foretold_and_a_dead_primary_is_not_called_unrecorded() -> None:
    whole = Whole()
    manager = whole.manager().turns(4)
    whole.mysqlds["db1"].kill()
    whole.store.away = True
    told = desk.status(manager.world)
    assert (told["verdict"], told["primary"], told["rule"]) == ("blind", None, "records-unread")
    with pytest.raises(CoordinationError) as refused:
        desk.plan(manager.world, (), "")
    assert refused.value.what == "the records of shop cannot be read"
