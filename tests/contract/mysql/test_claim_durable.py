"""What keeps copies: acknowledgements, and relay logs thrown away only when everything in them is elsewhere."""

from __future__ import annotations

import threading

import pymysql
import pytest

from failoverd.gtid import GtidSet
from failoverd.model.durability import RELAXED, Durability
from failoverd.model.errors import StepFailed
from failoverd.model.semisync import INFINITE
from failoverd.model.sight import ServerState, Thread
from failoverd.ports import ClaimedServer
from tests.contract.mysql.worlds import CLUSTER, FakeWorld, RealWorld, World, unasked, within
from tests.fakes.coordination import FakeLease

LONG = 10.0


@pytest.fixture(params=["real", "fake"])
def world(request: pytest.FixtureRequest) -> World:
    """The worlds that know semi-sync and damage."""
    if request.param == "fake":
        return FakeWorld()
    found: RealWorld = request.getfixturevalue("real")
    return found


def claim(world: World, server: str, epoch: int = 5) -> ClaimedServer:
    """A claim of the first manager."""
    return world.servers().claim(CLUSTER, server, FakeLease(epoch), LONG)


def unapplied(world: World, server: str) -> ClaimedServer:
    """Let a replica receive four transactions that it does not apply, and claim it."""
    claimed = claim(world, server)
    world.stop_applier(server)
    world.write("db1", 4)
    within(LONG, lambda: len(claimed.read().unapplied) == 4, "the receiver got it all")
    return claimed


def lossless(world: World) -> ClaimedServer:
    """Both replicas acknowledge, and the primary waits for one: its claim."""
    for name in ("db2", "db3"):
        claim(world, name).acknowledge()
    primary = claim(world, "db1")
    primary.await_acks(1)
    within(LONG, lambda: primary.read().semi_sync.clients == 2, "both registered")
    return primary


def test_what_a_server_forces_to_its_disk_is_set_and_read_back(world: World) -> None:
    claimed = claim(world, "db2")
    had, before = claimed.durability(), claimed.read().executed
    for wanted in (Durability(7, 0), RELAXED, Durability(), had):
        claimed.set_durability(wanted)
        assert claimed.durability() == wanted
    assert claimed.read().executed == before


def test_new_relay_logs_are_begun_where_the_source_has_everything(world: World) -> None:
    claimed = unapplied(world, "db2")
    claimed.refetch(world.endpoint("db1"), world.executed("db1"))
    within(LONG, lambda: world.executed("db2") == world.executed("db1"), "it came again")
    main = claimed.read().main
    assert main is not None
    assert (main.applier, main.source) == (Thread.YES, world.endpoint("db1"))


def test_they_may_come_from_another_server(world: World) -> None:
    claimed = unapplied(world, "db2")
    within(LONG, lambda: world.executed("db3") == world.executed("db1"), "db3 caught up")
    claimed.refetch(world.endpoint("db3"), world.executed("db3"))
    within(LONG, lambda: world.executed("db2") == world.executed("db1"), "it came again")
    main = claimed.read().main
    assert main is not None
    assert main.source == world.endpoint("db3")


def test_relay_logs_that_may_be_the_last_copy_stay(world: World) -> None:
    claimed = unapplied(world, "db2")
    before = claimed.read()
    known = GtidSet.parse(str(before.executed))
    with pytest.raises(StepFailed, match="nowhere else"):
        claimed.refetch(world.endpoint("db1"), known)
    after = claimed.read()
    assert after.unapplied == before.unapplied
    claimed.start_applier("")
    within(LONG, lambda: claimed.read().executed == world.executed("db1"), "they were applied from there")


def test_a_server_without_a_source_has_nothing_to_fetch(world: World) -> None:
    with pytest.raises(StepFailed):
        claim(world, "db1").refetch(world.endpoint("db2"), GtidSet())


def test_a_replica_acknowledges_at_once_though_its_receiver_was_running(world: World) -> None:
    claimed = claim(world, "db2")
    assert not claimed.read().acknowledging
    claimed.acknowledge()
    within(LONG, lambda: claimed.read().semi_sync.acknowledges, "it is registered")
    assert claimed.read().acknowledging
    claimed.acknowledge()
    assert claimed.read().acknowledging, "twice is fine"


def test_a_primary_waits_without_limit_and_says_for_whom(world: World) -> None:
    primary = lossless(world)
    state = primary.read()
    assert state.semi_sync.ready(1)
    assert state.semi_sync.timeout == INFINITE
    uuids = {claim(world, name).read().server_uuid for name in ("db2", "db3")}
    assert set(state.semi_sync.replicas) == uuids
    assert not state.semi_sync.ready(3)
    primary.await_acks(2)
    assert primary.read().semi_sync.ready(2)


def test_an_open_server_is_not_told_to_wait_for_nobody(world: World) -> None:
    primary = lossless(world)
    with pytest.raises(StepFailed, match="may be waiting"):
        primary.stop_waiting()
    primary.close_writes(1.0)
    primary.stop_waiting()
    primary.stop_waiting()
    assert not primary.read().semi_sync.source_on


def test_giving_up_is_giving_up(world: World) -> None:
    primary = lossless(world)
    primary.give_up_acks()
    assert not primary.read().semi_sync.source_on
    primary.give_up_acks()


def test_a_server_that_waits_for_nobody_any_more_acknowledges_to_another(world: World) -> None:
    primary = lossless(world)
    primary.close_writes(1.0)
    claim(world, "db3").follow(world.endpoint("db2"), unasked)
    primary.follow(world.endpoint("db2"), unasked)
    primary.acknowledge()
    within(LONG, lambda: primary.read().semi_sync.acknowledges, "the old primary acknowledges")
    assert not primary.read().semi_sync.source_on


def test_a_look_says_the_same_as_a_claim(world: World) -> None:
    lossless(world)
    seen = world.servers().look(CLUSTER, "db1", LONG)
    assert isinstance(seen, ServerState)
    assert seen.semi_sync.ready(1)


def test_a_primary_whose_commit_hangs_is_closed_and_answers_it_to_nobody(real: RealWorld) -> None:
    """Turning the source side off would answer OK to the commit; ending its session does not."""
    primary = lossless(real)
    for name in ("db2", "db3"):
        claim(real, name).stop_receiver(LONG)
    answers: list[str] = []

    def write() -> None:
        try:
            real.write("db1")
        except pymysql.Error as error:
            answers.append(f"error {error.args[0]}")
        else:
            answers.append("OK")

    writer = threading.Thread(target=write)
    writer.start()
    within(LONG, lambda: primary.read().semi_sync.waiting == 1, "the commit waits")
    with pytest.raises(StepFailed, match="may be waiting"):
        primary.stop_waiting()
    primary.close_writes(1.0)
    writer.join(LONG)
    assert answers == ["error 2013"], answers
    assert primary.read().super_read_only
    assert not primary.read().offline_mode
