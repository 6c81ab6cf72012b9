"""Looking at servers: what each state of a server is told as, by the real driver and by the fake alike."""

from __future__ import annotations

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.errors import ConfigError
from failoverd.model.sight import ServerState, Sight, Thread, Unreachable, Why
from tests.contract.mysql.worlds import CLOCK, CLUSTER, RealWorld, World, within

LONG = 5.0  # a limit that only something broken meets


def reached(sight: Sight) -> ServerState:
    """The state, or the reason there is none as a failure."""
    assert isinstance(sight, ServerState), sight
    return sight


def missed(sight: Sight) -> Unreachable:
    """The reason, or a failure."""
    assert isinstance(sight, Unreachable), sight
    return sight


def test_a_primary_is_writable_and_follows_nobody(world: World) -> None:
    world.write("db1", 3)
    state = reached(world.servers().look(CLUSTER, "db1", LONG))
    assert state.writable
    assert state.channels == ()
    assert state.executed == GtidSet.parse(f"{state.server_uuid}:1-3")
    assert state.endpoint == world.endpoint("db1")
    assert state.name == "db1"


def test_a_replica_says_whom_it_follows_and_what_it_has(world: World) -> None:
    world.write("db1", 2)
    servers = world.servers()
    source = reached(servers.look(CLUSTER, "db1", LONG))

    def settled() -> bool:
        state = reached(servers.look(CLUSTER, "db2", LONG))
        return state.executed == source.executed and bool(state.main and state.main.heartbeat_age is not None)

    within(LONG, settled, "the replica caught up and got a heartbeat")
    state = reached(servers.look(CLUSTER, "db2", LONG))
    assert state.super_read_only
    assert not state.writable
    main = state.main
    assert main is not None
    assert (main.source, main.source_uuid) == (world.endpoint("db1"), source.server_uuid)
    assert (main.receiver, main.applier) == (Thread.YES, Thread.YES)
    assert main.received <= state.executed
    assert main.auto_position
    assert main.heartbeat_period == pytest.approx(0.2)
    assert main.heartbeat_age is not None
    assert 0 <= main.heartbeat_age < LONG


def test_looks_at_the_same_session_agree_about_its_start(world: World) -> None:
    servers = world.servers()
    first = reached(servers.look(CLUSTER, "db1", LONG))
    again = reached(servers.connect_again(CLUSTER, "db1", LONG))
    assert again.started_at == pytest.approx(first.started_at, abs=1.6)  # uptime comes in whole seconds
    assert again.read_at >= first.read_at


def test_a_killed_server_refuses_and_the_bell_rings(world: World) -> None:
    servers = world.servers()
    reached(servers.look(CLUSTER, "db1", LONG))
    world.kill("db1")
    assert world.bell.wait(2.0) == {f"lost:{CLUSTER}/db1"}
    sight = missed(servers.look(CLUSTER, "db1", LONG))
    assert sight.why is Why.REFUSED
    assert not sight.spoke


def test_the_bell_is_silent_while_all_is_well(world: World) -> None:
    servers = world.servers()
    for name in ("db1", "db2"):
        for _ in range(3):
            reached(servers.look(CLUSTER, name, LONG))
    servers.connect_again(CLUSTER, "db1", LONG)
    assert world.bell.wait(0.3) == frozenset()


def test_a_frozen_server_hangs_for_as_long_as_asked_and_comes_back(world: World) -> None:
    servers = world.servers()
    reached(servers.look(CLUSTER, "db1", LONG))
    world.freeze("db1")
    try:
        for look in (servers.look, servers.look, servers.connect_again):
            began = CLOCK.now()
            sight = missed(look(CLUSTER, "db1", 0.3))
            assert sight.why is Why.HUNG
            assert not sight.spoke
            assert 0.25 < CLOCK.now() - began < 2.0
    finally:
        world.thaw("db1")
    within(LONG, lambda: isinstance(servers.look(CLUSTER, "db1", LONG), ServerState), "the thawed server answered")


def test_a_server_that_was_asked_ahead_is_heard(world: World) -> None:
    servers = world.servers()
    assert not servers.begin_look(CLUSTER, "db1"), "no session is open"
    reached(servers.look(CLUSTER, "db1", LONG))
    for count in range(1, 4):
        servers.begin_look(CLUSTER, "db1")
        servers.begin_look(CLUSTER, "db2")
        state = reached(servers.look(CLUSTER, "db1", LONG))
        assert len(state.executed) == count - 1
        world.write("db1")
    world.kill("db1")
    assert world.bell.wait(2.0) == {f"lost:{CLUSTER}/db1"}
    servers.begin_look(CLUSTER, "db1")
    assert missed(servers.look(CLUSTER, "db1", LONG)).why is Why.REFUSED


def test_an_answer_that_nobody_came_to_hear_is_not_taken_for_news(real: RealWorld) -> None:
    servers = real.servers()
    reached(servers.look(CLUSTER, "db1", LONG))
    assert servers.begin_look(CLUSTER, "db1")
    real.write("db1")
    CLOCK.sleep(1.1)
    assert len(reached(servers.look(CLUSTER, "db1", LONG)).executed) == 1


def test_a_wrong_password_proves_life(world: World) -> None:
    sight = missed(world.servers(password="wrong").look(CLUSTER, "db1", LONG))
    assert (sight.why, sight.code, sight.spoke) == (Why.ACCESS_DENIED, 1045, True)
    assert "wrong" not in sight.text


def test_a_full_server_lives_and_an_open_session_still_sees_it(world: World) -> None:
    early, late = world.servers(), world.servers()
    reached(early.look(CLUSTER, "db1", LONG))
    with world.full("db1"):
        sight = missed(late.look(CLUSTER, "db1", LONG))
        assert (sight.why, sight.code, sight.spoke) == (Why.ALIVE, 1040, True)
        reached(early.look(CLUSTER, "db1", LONG))


def test_an_unknown_server_is_a_mistake_of_the_caller(world: World) -> None:
    with pytest.raises((ConfigError, KeyError)):
        world.servers().look(CLUSTER, "db9", LONG)
