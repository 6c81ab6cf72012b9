"""A lossless cluster under the production service, in memory: kept, failed over, let go on, and recorded."""

from __future__ import annotations

from dataclasses import replace

from failoverd.decide.acknowledging import DEGRADE_AFTER
from failoverd.model.plans import EntryKind
from failoverd.model.policy import SemiSyncPolicy
from failoverd.model.sight import Thread
from tests.fakes.whole import CLUSTER, Manager, Whole


def lossless(replicas: int = 2, **semi_sync: object) -> Whole:
    """A cluster whose configuration asks for it; no server is set up for it yet."""
    whole = Whole(replicas=replicas)
    policy = SemiSyncPolicy(**semi_sync)  # type: ignore[arg-type]
    whole.policy = replace(whole.policy, durability="lossless", semi_sync=policy)
    return whole


def watched(whole: Whole) -> Manager:
    """A manager that has had the time to set everything up."""
    manager = whole.manager()
    for _ in range(6):
        manager.turns(1)
        whole.clock.sleep(6.0)
    return manager


def ready(whole: Whole, name: str) -> bool:
    """Whether that server's commits wait for somebody who is there."""
    return whole.mysqlds[name].semi_sync.ready(whole.policy.semi_sync.wait_count)


def waits(whole: Whole) -> bool:
    """Whether the primary's commits wait for anybody."""
    return whole.mysqlds["db1"].semi_sync.source_on


def test_the_manager_sets_it_up_replicas_first_and_records_them() -> None:
    whole = lossless()
    manager = watched(whole)
    assert ready(whole, "db1")
    recorded = manager.coordination.recorded(CLUSTER)
    assert recorded is not None
    assert recorded.ackers == ("db2", "db3")
    assert not recorded.degraded


def test_the_primary_does_not_wait_before_somebody_acknowledges() -> None:
    whole = lossless()
    for name in ("db2", "db3"):
        mysqld = whole.mysqlds[name]
        mysqld.semi_sync = replace(mysqld.semi_sync, replica_plugin=False)
    watched(whole)
    assert not whole.mysqlds["db1"].semi_sync.source_on


def test_a_failover_keeps_it() -> None:
    whole = lossless()
    manager = watched(whole)
    whole.mysqlds["db1"].kill()
    manager.turns(8)
    recorded = manager.coordination.recorded(CLUSTER)
    assert recorded is not None
    assert recorded.name != "db1"
    assert ready(whole, recorded.name)
    other = next(iter({"db2", "db3"} - {recorded.name}))
    assert not whole.mysqlds[other].semi_sync.source_on
    kinds = [entry["kind"] for operation in operations(manager) for entry in operation["entries"]]  # type: ignore[attr-defined]
    assert EntryKind.ACKNOWLEDGERS in kinds


def operations(manager: Manager) -> list[dict[str, object]]:
    """Every operation of the journal, whole."""
    ids = [str(found["operation"]) for found in manager.coordination.operations(CLUSTER)]
    return [dict(manager.coordination.operation(one) or {}) for one in ids]


def test_commits_wait_for_ever_where_the_configuration_says_so() -> None:
    whole = lossless(replicas=1)
    manager = watched(whole)
    whole.mysqlds["db2"].change("", receiver=Thread.NO)
    for _ in range(8):
        manager.turns(1)
        whole.clock.sleep(DEGRADE_AFTER)
    assert whole.mysqlds["db1"].semi_sync.source_on


def test_commits_go_on_without_after_a_while_where_it_says_that_and_wait_again_later() -> None:
    whole = lossless(replicas=1, on_no_ackers="degrade")
    manager = watched(whole)
    whole.mysqlds["db2"].change("", receiver=Thread.NO)
    manager.turns(2)
    assert waits(whole), "a restart of the replica is not the end"
    for _ in range(3):
        whole.clock.sleep(DEGRADE_AFTER)
        manager.turns(1)
    assert not waits(whole)
    recorded = manager.coordination.recorded(CLUSTER)
    assert recorded is not None
    assert recorded.degraded
    whole.mysqlds["db2"].change("", receiver=Thread.CONNECTING)
    for _ in range(4):
        manager.turns(1)
        whole.clock.sleep(6.0)
    assert ready(whole, "db1")
    recorded = manager.coordination.recorded(CLUSTER)
    assert recorded is not None
    assert not recorded.degraded


def test_it_is_recorded_before_it_is_done() -> None:
    whole = lossless(replicas=1, on_no_ackers="degrade")
    manager = watched(whole)
    whole.mysqlds["db2"].change("", receiver=Thread.NO)
    seen: list[bool] = []
    publish = manager.coordination.publish_primary

    def watching(lease: object, cluster: str, record: object) -> None:
        seen.append(whole.mysqlds["db1"].semi_sync.source_on)
        publish(lease, cluster, record)  # type: ignore[arg-type]

    manager.coordination.publish_primary = watching  # type: ignore[method-assign]
    for _ in range(4):
        manager.turns(1)
        whole.clock.sleep(DEGRADE_AFTER)
    assert seen[0], "the primary still waited when it was recorded that it would not"
    assert not whole.mysqlds["db1"].semi_sync.source_on
