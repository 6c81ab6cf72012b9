"""What is said about an applier that is held up."""

from __future__ import annotations

from failoverd.model.sight import ServerState
from failoverd.model.stall import Blocker, Stall, down
from tests.scenarios.world import build

BLOCKER = Blocker(36, "backup@10.0.0.9", "the global read lock", 40, may_end=True)


def state(line: str) -> ServerState:
    found = build(["db1 up", line]).snapshot.state("db2")
    assert found is not None
    return found


def test_the_session_comes_with_its_lock_and_its_time() -> None:
    said = Stall((BLOCKER,), ("Waiting for global read lock",)).explained(state("db2 replica"))
    assert said == "session 36 of backup@10.0.0.9 holds the global read lock, 40 s in its present state"


def test_where_nobody_can_be_named_the_threads_speak() -> None:
    said = Stall(waiting=("Waiting for commit lock",), seen_locks=False).explained(state("db2 replica"))
    assert "its applier is at: Waiting for commit lock" in said
    assert "performance_schema is off" in said


def test_an_error_counts_only_where_something_is_left() -> None:
    stopped = state("db2 replica applier=no sqlerr=1205 received=db1:1-105")
    assert "its applier stopped with error 1205" in Stall().explained(stopped)
    assert stopped.main is not None
    assert down(stopped.main, stopped)
    done = state("db2 replica applier=no sqlerr=1205")
    assert Stall().explained(done) == ""


def test_a_delay_is_said() -> None:
    assert "a delay of 60 s" in Stall().explained(state("db2 replica delay=60"))
