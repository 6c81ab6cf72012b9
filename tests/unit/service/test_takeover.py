"""A manager that takes over: from one with other settings, and under an epoch that the agents have left behind."""

from __future__ import annotations

from dataclasses import replace

import pytest
import structlog
from structlog.testing import capture_logs

from failoverd.decide.measures import RETRY_PAUSE
from failoverd.model.errors import CoordinationError, FailoverdError, LockRefused
from failoverd.model.history import EPOCHS_UNSEEN
from failoverd.model.plans import Kind, Request, Requester
from failoverd.model.sight import Thread
from failoverd.ports import Lease
from failoverd.service import desk
from failoverd.service.desk import initialise
from failoverd.service.phases import Phase
from tests.fakes.coordination import FakeCoordination
from tests.fakes.whole import CLUSTER, Manager, Whole


def writable(whole: Whole) -> list[str]:
    return [m.name for m in whole.mysqlds.values() if m.alive and not m.read_only and not m.super_read_only]


def test_other_settings_are_said_for_a_minute_before_anything_is_done() -> None:
    whole = Whole()
    manager = whole.manager("m2")
    whole.store.of(CLUSTER).other_settings = "m1"
    manager.turns(4)
    whole.mysqlds["db1"].kill()
    manager.turns(5)
    assert writable(whole) == []
    assert manager.memory.verdict is not None
    assert [r.id for r in manager.memory.verdict.refusals] == ["config-differs"]
    whole.clock.sleep(60.0)
    manager.turns(3)
    assert writable(whole) == ["db2"]


def test_an_operation_that_was_begun_is_ended_whatever_the_settings_say() -> None:
    whole = Whole()
    first, second = whole.manager("m1").turns(4), whole.manager("m2").turns(2)
    whole.mysqlds["db1"].kill()
    whole.mysqlds["db3"].frozen = True
    first.turns(1)
    whole.store.of(CLUSTER).other_settings = "m1"
    whole.store.depose(CLUSTER)
    second.turns(3)
    assert writable(whole) == ["db2"]


@pytest.mark.parametrize("record", ["recorded", "pauses", "open_operation"])
def test_nobody_acts_before_the_records_can_be_read(monkeypatch: pytest.MonkeyPatch, record: str) -> None:
    whole = Whole()
    whole.manager("m1").turns(4)
    second = whole.manager("m2")
    whole.store.depose(CLUSTER)

    def unreadable(_: FakeCoordination, __: str) -> None:
        raise CoordinationError("shop.primary cannot be read", "no JSON", "look at the servers")

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(FakeCoordination, record, unreadable)
        whole.mysqlds["db1"].kill()
        second.turns(20)
    assert (writable(whole), second.memory.phase) == ([], Phase.STANDBY)
    said = [line for line in logs if line["event"] == "nobody acts"]
    assert [(line["why"], line["hint"]) for line in said] == [
        ("the records cannot be read: shop.primary cannot be read: no JSON", "look at the servers")
    ]
    second.turns(20)
    assert writable(whole) == ["db2"]


def test_nobody_acts_under_an_epoch_that_agents_have_left_behind_until_it_is_adopted() -> None:
    whole = Whole()
    for host in whole.hosts.values():
        host.epoch, host.remembered = 40, True
    manager = whole.manager("m1").turns(4)
    assert manager.memory.phase is Phase.WATCHING
    assert manager.coordination.recorded(CLUSTER) is None
    whole.mysqlds["db1"].kill()
    manager.turns(4)
    assert writable(whole) == []
    assert "40" in manager.memory.left.problem
    whole.mysqlds["db1"].alive = True
    with pytest.raises(FailoverdError, match="remember epoch 40"):
        initialise(manager.world, adopt=False)
    told = initialise(manager.world, adopt=True)
    assert told["epoch"] == 40 + EPOCHS_UNSEEN
    manager.turns(4)
    recorded = manager.coordination.recorded(CLUSTER)
    assert recorded is not None
    assert (recorded.name, recorded.epoch) == ("db1", 41 + EPOCHS_UNSEEN)


def test_where_the_records_are_gone_an_epoch_as_low_as_the_agents_is_not_trusted() -> None:
    """The lock of an empty ensemble begins at 1, and the only failover so far may have been under 1, too."""
    whole = Whole()
    for host in whole.hosts.values():
        host.epoch, host.remembered = 1, True
    manager = whole.manager("m1").turns(4)
    assert (manager.memory.epoch, manager.coordination.recorded(CLUSTER)) == (1, None)
    assert "epoch 1" in manager.memory.left.problem
    initialise(manager.world, adopt=True)
    manager.turns(4)
    assert manager.coordination.recorded(CLUSTER) is not None


def test_a_person_without_a_manager_does_not_act_under_an_epoch_that_agents_have_seen() -> None:
    whole = Whole()
    for host in whole.hosts.values():
        host.epoch, host.remembered = 1, True
    manager = whole.manager("m1")
    manager.coordination.resign(CLUSTER)
    whole.mysqlds["db1"].kill()
    request = Request(CLUSTER, Kind.FAILOVER, Requester("person", "anna"), overrides=frozenset({"blind"}))
    with pytest.raises(FailoverdError, match="remember epoch 1, coordination gave us 1"):
        desk.failover(manager.world, request, lambda _: None)
    assert manager.coordination.recorded(CLUSTER) is None
    assert writable(whole) == []


def test_a_server_that_another_manager_has_keeps_us_away_from_all_where_nobody_may_be_evicted() -> None:
    whole = Whole()
    other = whole.manager("host1").turns(4)
    ours = elsewhere(whole, "host2").turns(4)
    held = other.servers.claim(CLUSTER, "db2", leased(other), 1.0)
    whole.mysqlds["db1"].kill()
    before = dict(whole.mysqlds["db2"].locks)
    ours.turns(4)
    assert writable(whole) == []
    assert whole.mysqlds["db2"].locks == before
    assert [whole.mysqlds[name].channels[""].receiver for name in ("db2", "db3")] == [Thread.CONNECTING] * 2
    assert whole.hosts["db1"].fenced is None
    (ended,) = ours.coordination.operations(CLUSTER)
    assert ended["outcome"] == "undone"
    held.release()
    whole.clock.sleep(RETRY_PAUSE)
    ours.turns(3)
    assert writable(whole) == ["db2"]


def elsewhere(whole: Whole, name: str) -> Manager:
    """A manager on another host that knows nothing of the first one: it has a file lock and records of its own."""
    shared, whole.store = whole.store, Whole().store
    manager = whole.manager(name)
    manager.servers.may_evict = False
    whole.store = shared
    return manager


def leased(manager: Manager) -> Lease:
    """The lease of the active manager."""
    lease = manager.coordination.lease(CLUSTER)
    assert lease is not None
    return lease


def test_a_lock_that_the_records_forbid_to_take_is_said_once_and_aloud() -> None:
    whole = Whole()
    manager = whole.manager("m1").turns(4)
    hint = "write it with `failoverd init --adopt`"

    class Refusing(FakeCoordination):
        def lease(self, cluster: str) -> Lease | None:
            raise LockRefused("the lock is not taken", f"the epoch of {cluster} went back from 1 to 0", hint)

    manager.world = replace(manager.world, coordination=Refusing(whole.store, "m1"), log=structlog.get_logger())
    whole.mysqlds["db1"].kill()
    with capture_logs() as told:
        manager.turns(4)
    why = f"the lock is not taken: the epoch of {CLUSTER} went back from 1 to 0"
    assert [(t["log_level"], t["why"], t["hint"]) for t in told if t["event"] == "nobody acts"] == [
        ("warning", why, hint)
    ]
    assert writable(whole) == []


def test_a_cluster_is_initialised_once() -> None:
    whole = Whole()
    manager = whole.manager("m1").turns(4)
    with pytest.raises(FailoverdError, match="initialised already"):
        initialise(manager.world, adopt=False)
