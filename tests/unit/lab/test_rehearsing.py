"""What a look at the servers of a drill makes of answers that come one after the other."""

from __future__ import annotations

from failoverd.lab.rehearsing import at_once


def test_a_change_between_two_answers_is_no_pair_of_writers() -> None:
    closed = {"db1"}
    assert at_once(["db1", "db2"], lambda server: server not in closed) == ("db2",)
    assert at_once(["db1", "db2"], lambda _: True) == ("db1", "db2")


def test_one_writer_is_not_asked_again() -> None:
    def never(server: str) -> bool:
        raise AssertionError(server)

    assert at_once(["db1"], never) == ("db1",)
    assert at_once([], never) == ()
