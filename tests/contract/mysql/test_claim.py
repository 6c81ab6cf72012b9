"""Claims: who may change a server, who is shut out, and what each change leaves: the real driver and the fake alike."""

from __future__ import annotations

import contextlib

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.errors import FencedOut, HeldElsewhere, LockLost, ServerError, StepFailed
from failoverd.model.sight import Channel, Endpoint, ServerState, Thread
from failoverd.model.steps import NOWHERE
from failoverd.ports import ClaimedServer
from tests.contract.mysql.worlds import CLUSTER, World, unasked, within
from tests.fakes.coordination import FakeLease

LONG = 5.0


def claim(world: World, server: str, epoch: int = 5) -> ClaimedServer:
    """A claim of the first manager."""
    return world.servers().claim(CLUSTER, server, FakeLease(epoch), LONG)


def unapplied(world: World, server: str) -> GtidSet:
    """Let a replica receive what it does not apply."""
    world.stop_applier(server)
    world.write("db1", 4)
    servers = world.servers()

    def received() -> bool:
        state = servers.look(CLUSTER, server, LONG)
        assert isinstance(state, ServerState)
        return len(state.received - state.executed) == 4

    within(LONG, received, "the receiver got it all")
    return world.executed("db1")


# --- who may


def test_a_newer_epoch_evicts_an_older_claim_whose_changes_then_fail(world: World) -> None:
    old = claim(world, "db2", 5)
    new = world.servers("m2").claim(CLUSTER, "db2", FakeLease(6), LONG)
    with pytest.raises(ServerError):
        old.open_writes()
    state = new.read()
    assert state.super_read_only
    new.stop_receiver(LONG)


def test_an_older_epoch_is_fenced_out_and_kills_nobody(world: World) -> None:
    new = claim(world, "db2", 9)
    with pytest.raises(FencedOut):
        world.servers("m2").claim(CLUSTER, "db2", FakeLease(8), LONG)
    new.stop_receiver(LONG)


def test_the_same_epoch_takes_its_own_claim_over(world: World) -> None:
    first = claim(world, "db2", 5)
    second = claim(world, "db2", 5)
    with pytest.raises(ServerError):
        first.stop_receiver(LONG)
    second.stop_receiver(LONG)


def test_a_released_claim_is_free_and_of_no_use(world: World) -> None:
    first = claim(world, "db2", 9)
    first.release()
    first.release()
    with pytest.raises(ServerError):
        first.stop_receiver(LONG)
    world.servers("m2").claim(CLUSTER, "db2", FakeLease(3), LONG).stop_receiver(LONG)


def test_a_manager_that_may_not_evict_respects_another_but_takes_over_its_own(world: World) -> None:
    other = claim(world, "db2", 5)
    local = world.servers("m2", may_evict=False)
    with pytest.raises(HeldElsewhere):
        local.claim(CLUSTER, "db2", FakeLease(6), LONG)
    other.stop_receiver(LONG)
    other.release()
    mine = local.claim(CLUSTER, "db2", FakeLease(6), LONG)
    local.claim(CLUSTER, "db2", FakeLease(7), LONG).start_receiver()
    with pytest.raises(ServerError):
        mine.read()


def test_nothing_is_changed_without_a_living_lease(world: World) -> None:
    lease = FakeLease(5)
    claimed = world.servers().claim(CLUSTER, "db2", lease, LONG)
    lease.why = "the session is gone"
    with pytest.raises(LockLost):
        claimed.open_writes()
    with pytest.raises(LockLost):
        claimed.stop_receiver(LONG)
    assert not claimed.read().writable
    with pytest.raises(LockLost):
        world.servers().claim(CLUSTER, "db3", lease, LONG)


def test_lock_names_ignore_case(world: World) -> None:
    old = claim(world, "db2", 5)
    assert CLUSTER.lower() != CLUSTER
    new = claim(world, "db2", 6)
    with pytest.raises(ServerError):
        old.read()
    assert new.name == "db2"


# --- receivers and sources


def test_a_receiver_stops_at_once_its_applier_goes_on_and_it_starts_again(world: World) -> None:
    claimed = claim(world, "db2")
    claimed.stop_receiver(LONG)
    claimed.stop_receiver(LONG)
    main = claimed.read().main
    assert main is not None
    assert (main.receiver, main.applier) == (Thread.NO, Thread.YES)
    claimed.start_receiver()
    within(LONG, lambda: _main(claimed).receiver is Thread.YES, "the receiver ran again")


def test_stopping_a_receiver_that_is_not_there_is_fine(world: World) -> None:
    claim(world, "db1").stop_receiver(LONG)


def _main(claimed: ClaimedServer) -> Channel:
    main = claimed.read().main
    assert main is not None
    return main


def test_following_another_source_keeps_what_the_replica_has(world: World) -> None:
    world.write("db1", 3)
    claimed = claim(world, "db3")
    within(LONG, lambda: len(claimed.read().executed) == 3, "db3 caught up")
    within(LONG, lambda: len(world.executed("db2")) == 3, "db2 caught up")
    claimed.follow(world.endpoint("db2"), unasked)
    within(LONG, lambda: _main(claimed).receiver is Thread.YES, "the new source was reached")
    main = _main(claimed)
    assert main.source == world.endpoint("db2")
    assert main.applier is Thread.YES
    world.write("db1", 1)
    within(LONG, lambda: claimed.read().executed == world.executed("db1"), "a write came through the chain")


def test_a_server_without_a_source_begins_to_follow(world: World) -> None:
    claimed = claim(world, "db3")
    claimed.forget_source()
    assert claimed.read().main is None
    claimed.follow(world.endpoint("db1"), unasked)
    world.write("db1", 2)
    within(LONG, lambda: claimed.read().executed == world.executed("db1"), "it replicated")
    assert _main(claimed).auto_position


@pytest.mark.parametrize("change", ["disarm", "follow", "forget"])
def test_relay_logs_of_a_stopped_applier_are_never_thrown_away(world: World, change: str) -> None:
    everything = unapplied(world, "db2")
    claimed = claim(world, "db2")
    source = _main(claimed).source
    with pytest.raises(StepFailed):
        {
            "disarm": claimed.disarm_source,
            "follow": lambda: claimed.follow(world.endpoint("db3"), unasked),
            "forget": claimed.forget_source,
        }[change]()
    state = claimed.read()
    assert state.main is not None
    assert state.main.source == source
    assert everything <= state.holds
    claimed.start_applier("")
    within(LONG, lambda: everything <= claimed.read().executed, "it was applied from the relay logs")


def test_a_disarmed_source_is_nowhere_and_disarming_twice_is_fine(world: World) -> None:
    world.write("db1", 2)
    claimed = claim(world, "db2")
    within(LONG, lambda: len(claimed.read().executed) == 2, "db2 caught up")
    claimed.disarm_source()
    claimed.disarm_source()
    main = _main(claimed)
    assert (main.source.host, main.receiver, main.applier) == (NOWHERE.host, Thread.NO, Thread.YES)
    claimed.forget_source()
    claimed.forget_source()
    assert claimed.read().main is None
    claimed.disarm_source()


def test_only_our_own_channels_are_started(world: World) -> None:
    with pytest.raises(StepFailed):
        claim(world, "db2").start_applier("of somebody else")


def test_dropping_a_splice_channel_that_is_not_there_is_fine(world: World) -> None:
    claimed = claim(world, "db2")
    claimed.drop_spliced()
    assert _main(claimed).receiver is Thread.YES


# --- sets and writes


def test_waiting_for_transactions_says_whether_they_came(world: World) -> None:
    world.write("db1", 2)
    claimed = claim(world, "db2")
    there = world.executed("db1")
    assert claimed.wait_executed(there, LONG)
    assert claimed.wait_executed(GtidSet(), 0.0)
    uuid = next(iter(there.uuids()))
    assert not claimed.wait_executed(GtidSet.parse(f"{uuid}:1-99"), 0.1)
    assert not claimed.wait_executed(GtidSet.parse(f"{uuid}:1-99"), 0.0)


def test_a_server_is_opened_and_closed(world: World) -> None:
    claimed = claim(world, "db2")
    claimed.open_writes()
    assert claimed.read().writable
    claimed.open_writes()
    claimed.close_writes(1.0)
    claimed.close_writes(1.0)
    assert claimed.read().super_read_only


def test_a_closed_server_is_told_to_start_closed_and_can_be_opened_all_the_same(world: World) -> None:
    claimed = claim(world, "db2")
    claimed.open_writes()
    with pytest.raises(StepFailed):
        claimed.stay_closed()
    claimed.close_writes(1.0)
    before = claimed.read().executed
    claimed.stay_closed()
    state = claimed.read()
    assert state.settings.read_only_at_start is True
    assert state.super_read_only
    assert before.without_uuid(state.server_uuid) <= state.executed
    assert not state.executed.of_uuid(state.server_uuid), "it is no transaction"
    assert claimed.open_writes().settings.read_only_at_start is True, "what it starts with outlives an opening"
    claimed.close_writes(1.0)


def test_a_table_lock_does_not_keep_a_server_open(world: World) -> None:
    claimed = claim(world, "db1")
    with world.client("db1") as client:
        client.lock_tables()
        claimed.close_writes(1.0)
        assert not client.lives()
    state = claimed.read()
    assert state.super_read_only
    assert not state.offline_mode


def test_clients_are_ended_and_replicas_are_not(world: World) -> None:
    monitoring = world.servers()
    monitoring.look(CLUSTER, "db1", LONG)
    replica = claim(world, "db2")
    within(LONG, lambda: _main(replica).receiver is Thread.YES, "db2 attached")
    claimed = claim(world, "db1")
    with world.client("db1") as first, world.client("db1") as second:
        assert first.lives()
        assert claimed.end_clients() == 2
        assert not first.lives()
        assert not second.lives()
    assert world.bell.wait(0.2) == frozenset()
    assert _main(replica).receiver is Thread.YES


def test_a_server_without_a_half_received_transaction_has_nothing_to_kill(world: World) -> None:
    claimed = claim(world, "db2")
    assert claimed.kill_partial() == 0
    claimed.stop_receiver(LONG)
    assert claimed.kill_partial() == 0
    assert _main(claimed).applier is Thread.YES


def test_the_dead_cannot_be_claimed(world: World) -> None:
    world.kill("db3")
    with pytest.raises(ServerError):
        claim(world, "db3")


def test_following_nobody_known_leaves_the_receiver_trying(world: World) -> None:
    claimed = claim(world, "db2")
    claimed.follow(Endpoint("127.0.0.1", 9), unasked)
    within(LONG, lambda: _main(claimed).receiver is Thread.CONNECTING, "the receiver tried")
    assert _main(claimed).applier is Thread.YES


class EndingLease(FakeLease):
    """A lease that ends at its n-th check: a manager frozen just before it."""

    def __init__(self, epoch: int, ends_at: int) -> None:
        super().__init__(epoch)
        self._left = ends_at

    def check(self) -> None:
        """Raise LockLost from the n-th time on."""
        self._left -= 1
        if self._left <= 0:
            self.why = "frozen for too long"
        super().check()


@pytest.mark.parametrize("ends_at", [1, 2])
def test_a_lease_that_ended_before_the_eviction_kills_nobody(world: World, ends_at: int) -> None:
    active = claim(world, "db2", 5)
    with pytest.raises(LockLost):
        world.servers("m2").claim(CLUSTER, "db2", EndingLease(6, ends_at), LONG)
    active.stop_receiver(LONG)


def test_a_lease_that_ended_while_the_lock_was_taken_leaves_no_claim(world: World) -> None:
    with pytest.raises(LockLost):
        world.servers("m2").claim(CLUSTER, "db2", EndingLease(9, 3), LONG)

    def free() -> bool:
        with contextlib.suppress(FencedOut):  # a server notices a moment later that a session has gone
            claim(world, "db2", 5).stop_receiver(LONG)
            return True
        return False

    within(LONG, free, "the end of the half-taken claim")
