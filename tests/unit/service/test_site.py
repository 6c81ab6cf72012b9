"""Several clusters that fail at once: counted from coordination, never from one manager's memory."""

from __future__ import annotations

from dataclasses import replace

import structlog

from failoverd.model.errors import CoordinationError
from failoverd.model.policy import SiteGuard
from failoverd.service.phases import Phase
from tests.fakes.coordination import FakeCoordination
from tests.fakes.whole import CLUSTER, Manager, Whole


def watching(whole: Whole, guard: SiteGuard) -> Manager:
    whole.policy = replace(whole.policy, site_guard=guard)
    manager = whole.manager().turns(4)
    assert manager.memory.phase is Phase.WATCHING
    return manager


def others_fail(whole: Whole, *clusters: str, ago: float = 0.0) -> None:
    """Another manager tells of its own clusters."""
    other = FakeCoordination(whole.store, "m9")
    for cluster in clusters:
        other.campaign(cluster)
        lease = other.lease(cluster)
        assert lease is not None
        other.report_failing(lease, cluster, whole.clock.wall().timestamp() - ago)


def writable(whole: Whole) -> list[str]:
    return [m.name for m in whole.mysqlds.values() if m.alive and not m.read_only and not m.super_read_only]


def test_more_clusters_than_the_guard_allows_wait_for_a_person() -> None:
    whole = Whole()
    manager = watching(whole, SiteGuard(2, 60.0))
    others_fail(whole, "blog", "mail")
    whole.mysqlds["db1"].kill()
    manager.turns(20)
    assert writable(whole) == []
    assert manager.coordination.operations(CLUSTER) == ()
    verdict = manager.memory.verdict
    assert verdict is not None
    (refusal,) = verdict.refusals
    assert (refusal.id, refusal.measured, refusal.limit) == ("site-guard", "3 clusters", "2")
    assert "blog, mail" in refusal.sentence
    assert manager.coordination.failing().keys() == {CLUSTER, "blog", "mail"}


def test_as_many_as_it_allows_fail_over() -> None:
    whole = Whole()
    manager = watching(whole, SiteGuard(3, 60.0))
    others_fail(whole, "blog", "mail")
    whole.mysqlds["db1"].kill()
    manager.turns(4)
    assert writable(whole) == ["db2"]


def test_what_failed_earlier_is_not_at_once() -> None:
    whole = Whole()
    manager = watching(whole, SiteGuard(1, 60.0))
    others_fail(whole, "blog", "mail", ago=61.0)
    whole.mysqlds["db1"].kill()
    manager.turns(4)
    assert writable(whole) == ["db2"]


def test_the_next_outage_of_a_cluster_is_told_anew() -> None:
    whole = Whole(cooldown=0.0)
    manager = watching(whole, SiteGuard(1, 60.0))
    whole.mysqlds["db1"].kill()
    manager.turns(4)
    first = manager.coordination.failing()[CLUSTER]
    assert manager.memory.history.failing_since is None
    whole.clock.sleep(100.0)
    whole.mysqlds["db2"].kill()
    manager.turns(4)
    assert manager.coordination.failing()[CLUSTER] >= first + 100.0


def test_where_nobody_can_be_counted_nobody_acts() -> None:
    whole = Whole()
    manager = watching(whole, SiteGuard())

    class Deaf(FakeCoordination):
        def failing(self) -> dict[str, float]:
            raise CoordinationError("coordination is away", "fake")

    manager.world = replace(manager.world, coordination=Deaf(whole.store, "m1"), log=structlog.get_logger())
    whole.mysqlds["db1"].kill()
    manager.turns(4)
    assert writable(whole) == []
