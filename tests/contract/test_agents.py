"""One suite for every Agents: the real zipapp behind a real sshd, the fake for other tests, and simulated hosts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.errors import AgentError, FencedOut, LockLost
from failoverd.model.history import LEFT
from failoverd.model.host import AgentSilent, HostFacts, LogKind, Lot, ProbeOutcome
from failoverd.model.traffic import Vip
from tests.contract.agent_worlds import HELD, OTHER, FakeWorld, SshWorld, World
from tests.contract.coordination_worlds import until
from tests.contract.pretended_mysqld import UUID
from tests.fakes.coordination import FakeLease
from tests.simulation.worlds import SimulatedAgents

# An address that no network uses, on the loopback of the machine that the tests run on; taken away again.
VIP = Vip(f"192.0.2.{os.getpid() % 250 + 1}", 32, "lo")
PART = GtidSet.parse(f"{UUID}:3-6")


@pytest.fixture(params=["ssh", "fake", "simulated"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made: World = SshWorld(tmp_path / "world") if request.param == "ssh" else FakeWorld()
    if request.param == "simulated":
        made = SimulatedAgents((UUID, OTHER), HELD, FakeLease(4))
    yield made
    made.close()


def facts(world: World, server: str = "db1") -> HostFacts:
    told = world.agents.facts("shop", server, 30.0)
    assert isinstance(told, HostFacts), told
    return told


def unheard(_done: int, _total: int) -> None:
    """Progress that nobody follows."""


def test_facts_tell_a_dead_and_a_living_mysqld(world: World) -> None:
    world.remember()
    dead = facts(world)
    assert (dead.alive, dead.pids, dead.server_uuid, dead.fenced_epoch) == (False, (), UUID, None)
    world.start("db1")
    living = facts(world)
    assert living.alive
    assert len(living.pids) == 1
    assert living.door == "ok"
    assert living.disk_free


def test_a_server_nobody_knows_has_no_facts(world: World) -> None:
    unknown = world.agents.facts("shop", "db9", 5.0)
    assert isinstance(unknown, AgentSilent)
    assert unknown.state == "missing"
    fresh = world.agents.facts("shop", "db1", 30.0)
    assert isinstance(fresh, AgentSilent)
    assert fresh.state == "unreachable"


def test_a_scan_tells_what_a_set_lacks(world: World) -> None:
    world.remember()
    everything = world.agents.scan("shop", "db1", LogKind.BINARY, GtidSet(), 30.0)
    assert everything.complete
    assert everything.missing >= PART
    assert everything.size > 0
    part = world.agents.scan("shop", "db1", LogKind.BINARY, everything.missing - PART, 30.0)
    assert (part.missing, part.server, part.kind) == (PART, "db1", LogKind.BINARY)
    nothing = world.agents.scan("shop", "db1", LogKind.BINARY, everything.missing, 30.0)
    assert (nothing.missing, nothing.size, nothing.complete) == (GtidSet(), 0, True)


def test_a_scan_that_cannot_be_made_is_a_problem_not_an_empty_answer(world: World) -> None:
    told = world.agents.scan("shop", "db1", LogKind.BINARY, GtidSet(), 30.0)
    assert not told.complete
    assert told.problem


def test_a_transfer_lays_out_exactly_what_is_wanted_and_can_be_repeated(world: World) -> None:
    world.remember()
    everything = world.agents.scan("shop", "db1", LogKind.BINARY, GtidSet(), 30.0)
    wanted = world.agents.scan("shop", "db1", LogKind.BINARY, everything.missing - PART, 30.0)
    told: list[tuple[int, int]] = []
    for _ in range(2):
        laid = world.agents.transfer("shop", "db2", wanted, lambda *bytes_: told.append(bytes_), Lot())
        assert laid.gtids == PART
        assert told[-1] == (laid.size, laid.size)
        assert world.spliced("db2")
    assert facts(world, "db2").highest_epoch == 4
    world.agents.clean_spliced("shop", "db2", FakeLease(4))
    assert not world.spliced("db2")


def test_a_copy_in_parts_waits_aside_until_the_channel_is_free(world: World) -> None:
    world.remember()
    everything = world.agents.scan("shop", "db1", LogKind.BINARY, GtidSet(), 30.0)
    first = world.agents.transfer("shop", "db2", everything, unheard, Lot(1))
    assert len(first.gtids) == 1
    rest = replace(everything, missing=everything.missing - first.gtids)
    second = world.agents.transfer("shop", "db2", rest, unheard, Lot(0, aside=True))
    assert second.gtids == rest.missing
    assert world.spliced("db2")
    world.agents.clean_spliced("shop", "db2", FakeLease(4))
    with pytest.raises(AgentError):
        world.agents.bring_forward("shop", "db2", FakeLease(4))  # what lay aside is gone too
    world.agents.transfer("shop", "db2", rest, unheard, Lot(0, aside=True))
    assert world.agents.bring_forward("shop", "db2", FakeLease(4)) == first.relay_log_file
    assert world.spliced("db2")
    with pytest.raises(FencedOut):
        world.agents.bring_forward("shop", "db2", FakeLease(3))


def test_links_outlive_what_mysqld_deletes_and_end_with_their_trouble(world: World) -> None:
    world.remember()
    agents, lease = world.agents, FakeLease(4)
    everything = agents.scan("shop", "db1", LogKind.BINARY, GtidSet(), 30.0)
    names = ("op-1", "trouble-1-a")
    assert agents.keep("shop", "db1", lease, "trouble-1-a", LogKind.BINARY)
    assert agents.keep("shop", "db1", lease, "op-2")
    assert [links.name for links in agents.kept("shop", "db1", 30.0)] == ["op-2", "trouble-1-a"]
    assert agents.scan_kept("shop", "db1", names, GtidSet(), 30.0) == ()  # the files themselves are still there
    world.purge("db1")
    assert agents.scan_kept("shop", "db1", ("op-1",), GtidSet(), 30.0) == ()
    (links,) = agents.scan_kept("shop", "db1", names, everything.missing - PART, 30.0)
    assert (links.server, links.kind, links.missing, links.kept) == ("db1", LogKind.BINARY, PART, names)
    assert agents.transfer("shop", "db2", links, unheard, Lot()).gtids == PART
    with pytest.raises(FencedOut):
        agents.trim("shop", "db1", FakeLease(3), everything.missing)
    assert agents.trim("shop", "db1", lease, everything.missing) == ""
    assert agents.kept("shop", "db1", 30.0) == ()
    assert agents.trim("shop", "db1", lease, GtidSet()) == "", "nothing is left to end"


def test_links_of_what_is_nowhere_else_stay_but_give_no_more(world: World) -> None:
    world.remember()
    agents, lease = world.agents, FakeLease(4)
    everything = agents.scan("shop", "db1", LogKind.BINARY, GtidSet(), 30.0)
    agents.keep("shop", "db1", lease, "trouble-1-a", LogKind.BINARY)
    world.purge("db1")
    assert PART.shorten() in agents.trim("shop", "db1", lease, everything.missing - PART)
    assert agents.scan_kept("shop", "db1", ("trouble-1-a",), GtidSet(), 30.0) == ()
    (left,) = agents.kept("shop", "db1", 30.0)
    assert (left.server, left.name.startswith(LEFT), left.files > 0) == ("db1", True, True)
    assert agents.trim("shop", "db1", lease, GtidSet()) == "", "it was told once"


def test_nothing_is_laid_out_without_a_lease_or_under_a_lower_epoch(world: World) -> None:
    world.remember()
    wanted = world.agents.scan("shop", "db1", LogKind.BINARY, GtidSet(), 30.0)
    world.lease = None
    with pytest.raises(LockLost):
        world.agents.transfer("shop", "db2", wanted, unheard, Lot())
    world.agents.clean_spliced("shop", "db2", FakeLease(9))
    world.lease = FakeLease(8)
    with pytest.raises(FencedOut):
        world.agents.transfer("shop", "db2", wanted, unheard, Lot())
    assert not world.spliced("db2")


def test_a_fence_kills_holds_and_is_released_by_no_lower_epoch(world: World) -> None:
    world.remember()
    world.start("db1")
    proof = world.agents.fence("shop", "db1", UUID, FakeLease(7), "op-1")
    assert proof.proven, proof
    until(lambda: not world.lives("db1"), "the end of mysqld")
    assert (facts(world).fenced_epoch, facts(world).highest_epoch) == (7, 7)
    world.start("db1")
    until(lambda: not world.lives("db1"), "the guard's blow")
    stale = FakeLease(6)
    with pytest.raises(FencedOut):
        world.agents.release("shop", "db1", stale)
    with pytest.raises(FencedOut):
        world.agents.fence("shop", "db1", UUID, stale, "op-2")
    with pytest.raises(FencedOut):
        world.agents.clean_spliced("shop", "db1", stale)
    world.agents.release("shop", "db1", FakeLease(8))
    assert facts(world).fenced_epoch is None
    world.start("db1")
    assert facts(world).alive


def test_a_manager_that_lost_its_lease_changes_nothing(world: World) -> None:
    world.remember()
    world.start("db1")
    lost = FakeLease(7)
    lost.why = "frozen too long"
    for act in (world.agents.clean_spliced, world.agents.release):
        with pytest.raises(LockLost):
            act("shop", "db1", lost)
    with pytest.raises(LockLost):
        world.agents.fence("shop", "db1", UUID, lost, "op-1")
    assert world.lives("db1")
    assert facts(world).highest_epoch == 0


def test_whoever_stands_in_for_a_supervisor_needs_a_living_mysqld_and_the_epoch(world: World) -> None:
    world.remember()
    with pytest.raises(AgentError) as refused:
        world.agents.stand_in("shop", "db1", UUID, FakeLease(7))
    assert refused.value.code == "NOT_FOUND"
    world.start("db1")
    world.agents.stand_in("shop", "db1", UUID, FakeLease(7))
    with pytest.raises(FencedOut):
        world.agents.stand_in("shop", "db1", UUID, FakeLease(6))


def test_a_fence_refuses_the_wrong_server(world: World) -> None:
    world.remember()
    world.start("db1")
    with pytest.raises(AgentError):
        world.agents.fence("shop", "db1", OTHER, FakeLease(7), "op-1")
    assert world.lives("db1")


def test_a_probe_tells_a_closed_port_and_none_where_nobody_can_be_asked(world: World) -> None:
    told = world.agents.probe("shop", "db1", "db2", 5.0)
    assert told is not None
    assert (told.origin, told.target, told.outcome) == ("db1", "db2", ProbeOutcome.REFUSED)
    assert world.agents.probe("shop", "db9", "db2", 5.0) is None


def test_an_address_is_brought_and_taken_under_an_epoch_and_never_to_a_fenced_server(world: World) -> None:
    world.remember()
    world.start("db1")
    lease = FakeLease(7)
    try:
        assert world.agents.take_address("shop", "db1", VIP, lease)
        assert not world.agents.take_address("shop", "db1", VIP, lease)
        assert VIP.address in facts(world).addresses
        for act in (world.agents.take_address, world.agents.leave_address):
            with pytest.raises(FencedOut):
                act("shop", "db1", VIP, FakeLease(6))
        assert world.agents.leave_address("shop", "db1", VIP, lease)
        assert not world.agents.leave_address("shop", "db1", VIP, lease)
        assert VIP.address not in facts(world).addresses
        world.agents.fence("shop", "db1", UUID, lease, "op-1")
        with pytest.raises(AgentError, match="fenced"):
            world.agents.take_address("shop", "db1", VIP, lease)
    finally:
        world.agents.leave_address("shop", "db1", VIP, FakeLease(9))
