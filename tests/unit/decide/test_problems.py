"""What is told of single servers, where no transcript shows it."""

from __future__ import annotations

import pytest

from failoverd.decide.problems import problems
from tests.scenarios.world import build

WORLD = ("recorded db2", "db1 down", "db3 replica from=db2")
LEFT = "old-source-left"


def told(line: str, name: str) -> set[str]:
    return {p.id for p in problems(build([*WORLD, line]).situation()) if p.server == name}


@pytest.mark.parametrize(
    "line",
    [
        "db2 replica rw from=db1 receiver=no applier=no",
        "db2 replica rw from=db1 receiver=connecting ioerr=2003",
        "db2 replica rw from=elsewhere receiver=connecting applier=no sqlerr=1872",
        "db2 replica from=failoverd.invalid receiver=no applier=no",
    ],
    ids=["stopped", "cannot connect", "of a stranger", "disarmed, after a restart"],
)
def test_what_the_primary_followed_once_is_all_that_is_told_of_it(line: str) -> None:
    """Every other row would advise to start it, to mend it or to let it follow somebody."""
    assert told(line, "db2") == {LEFT}


def test_a_primary_that_takes_in_another_history_is_told_of_as_what_it_is() -> None:
    assert told("db2 replica rw from=elsewhere", "db2") == {"wrong-source"}


def test_what_was_received_and_is_not_executed_is_counted() -> None:
    world = build([*WORLD, "db2 replica rw from=db1 receiver=no received=db1:1-103"])
    (found,) = [p for p in problems(world.situation()) if p.id == LEFT]
    assert "received and not executed: 3" in found.sentence
    assert "RESET REPLICA ALL" in found.hint
    assert "keep its relay logs first" in found.hint
