"""Closing a living primary: what is seen going on there, the limit that a lock runs into, and nobody left inside."""

from __future__ import annotations

import pytest

from failoverd.model.errors import StepFailed
from failoverd.ports import ClaimedServer
from tests.contract.mysql.worlds import World, within
from tests.fakes.coordination import FakeLease

CLUSTER, LONG = "Shop", 5.0


def claimed(world: World, server: str = "db1", epoch: int = 1) -> ClaimedServer:
    return world.servers().claim(CLUSTER, server, FakeLease(epoch), LONG)


def test_a_server_is_closed_and_its_set_is_final(world: World) -> None:
    claim = claimed(world)
    world.write("db1")
    with pytest.raises(StepFailed):
        claim.final_set()
    assert claim.try_close(LONG)
    assert claim.final_set() == world.executed("db1")
    assert claim.read().super_read_only
    assert claim.prepared() == ()


def test_the_load_is_read_and_peoples_own_query_only_reads(world: World) -> None:
    claim = claimed(world)
    assert claim.load("Threads_running") >= 1
    assert claim.asked("SELECT 0", 1.0) == 0
    with pytest.raises(StepFailed, match="has no number called No_such_thing in its status"):
        claim.load("No_such_thing")
    assert claim.read().name == "db1"


def test_a_table_lock_is_seen_and_nothing_is_closed_behind_it(world: World) -> None:
    claim = claimed(world, "db2")  # the one that shows its locks
    claim.open_writes()
    assert claim.work() == ()
    with world.client("db2") as client:
        client.lock_tables()
        within(LONG, lambda: claim.work() != (), "the sight of it")  # its session is at rest a moment later
        (work,) = claim.work()
        assert (work.what, work.may_end) == ("holds table locks", True)
        assert not claim.try_close(1.0)
        assert not claim.read().super_read_only
        assert claim.end_work(work)
        within(LONG, lambda: not client.lives(), "the end of the session")
    within(LONG, lambda: claim.try_close(1.0), "the closing")
    assert not claim.end_work(work), "it is not there any more"


def test_clients_are_kept_out_until_they_are_let_in(world: World) -> None:
    claim = claimed(world)
    claim.try_close(LONG)
    with world.client("db1") as client:
        claim.keep_out()
        within(LONG, lambda: not client.lives(), "the end of the session")
    assert claim.read().offline_mode
    with pytest.raises(StepFailed):
        claim.open_writes()
    claim.let_in()
    assert not claim.read().offline_mode
    assert claim.open_writes().writable
