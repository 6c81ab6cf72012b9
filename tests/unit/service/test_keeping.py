"""What a replica made for itself is kept by the active manager: once, later where it grows, never without limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.errors import AgentError
from failoverd.model.history import Pause
from failoverd.service import keeping
from tests.fakes.archive import FakeArchive
from tests.fakes.whole import Manager, Whole, uuid_of
from tests.unit.service.test_divergence import with_archive


@pytest.fixture
def archive() -> FakeArchive:
    return FakeArchive()


@pytest.fixture
def whole() -> Whole:
    return Whole()


def alone_on(whole: Whole, name: str, count: int) -> GtidSet:
    """Transactions that a person makes on one server only; all that it has of its own by now."""
    mysqld = whole.mysqlds[name]
    own = GtidSet.parse(f"{uuid_of(name)}:1-{len(mysqld.executed.of_uuid(uuid_of(name))) + count}")
    mysqld.executed |= own
    return own


def kept(archive: FakeArchive) -> list[tuple[str, GtidSet]]:
    return [(order.server, order.gtids) for order in archive.orders]


def watching(whole: Whole, archive: FakeArchive) -> Manager:
    return with_archive(whole.manager(), archive).turns(4)


def test_it_is_kept_at_the_first_look_and_once(whole: Whole, archive: FakeArchive) -> None:
    manager = watching(whole, archive)
    assert kept(archive) == []
    own = alone_on(whole, "db3", 3)
    manager.turns(1)
    assert kept(archive) == [("db3", own)]
    assert archive.orders[0].primary == "db1"
    manager.turns(20)
    assert len(archive.orders) == 1


def test_another_manager_keeps_its_own_copy_but_never_two(whole: Whole, archive: FakeArchive) -> None:
    alone_on(whole, "db3", 3)
    watching(whole, archive)
    again = with_archive(whole.manager("m1"), archive)
    again.turns(4)
    assert len(archive.orders) == 1, "after a restart it finds what is on its disk"


def test_where_it_grows_the_next_export_comes_later_and_later(whole: Whole, archive: FakeArchive) -> None:
    manager = watching(whole, archive)
    for _ in range(300):
        alone_on(whole, "db3", 1)
        manager.turns(1)
    passed = 300 * manager.world.policy.detection.interval
    assert 2 <= len(archive.orders) <= 2 + passed / keeping.PAUSE_FIRST


def test_one_server_after_the_other(whole: Whole, archive: FakeArchive) -> None:
    manager = watching(whole, archive)
    both = {"db2": alone_on(whole, "db2", 1), "db3": alone_on(whole, "db3", 1)}
    manager.turns(1)
    assert len(archive.orders) == 1
    manager.turns(1)
    assert dict(kept(archive)) == both


def test_neither_many_nor_much_is_kept_without_being_asked_for(
    whole: Whole, archive: FakeArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "MOST_KEPT", 2)
    manager = watching(whole, archive)
    alone_on(whole, "db3", 5)
    manager.turns(3)
    ((_, gtids),) = kept(archive)
    assert gtids == GtidSet.parse(f"{uuid_of('db3')}:1-2")
    assert archive.orders[0].most_bytes == keeping.MOST_BYTES


def test_what_fails_is_tried_again_after_a_pause(whole: Whole, archive: FakeArchive) -> None:
    archive.error = AgentError("the agent went away")
    manager = watching(whole, archive)
    own = alone_on(whole, "db3", 1)
    manager.turns(2)
    archive.error = None
    manager.turns(2)
    assert kept(archive) == []
    whole.clock.sleep(keeping.PAUSE_FIRST)
    manager.turns(1)
    assert kept(archive) == [("db3", own)]


@pytest.mark.parametrize("why", ["paused", "maintenance", "primary gone"])
def test_it_is_left_alone(whole: Whole, archive: FakeArchive, why: str) -> None:
    manager = watching(whole, archive)
    policy = manager.world.policy
    if why == "paused":
        manager.coordination.pause(policy.name, Pause("anna", "hands off"))
        manager.turns(30)
        assert manager.memory.history.paused is not None
    elif why == "maintenance":
        servers = tuple(replace(spec, maintenance=spec.name == "db3") for spec in policy.servers)
        manager.world = replace(manager.world, policy=replace(policy, servers=servers))
    else:
        whole.mysqlds["db1"].kill()
    alone_on(whole, "db3", 1)
    manager.turns(1)
    assert kept(archive) == []
