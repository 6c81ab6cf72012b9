"""What another manager reads of an operation without an end, whichever coordination keeps it; and lost epochs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.history import Recorded
from failoverd.model.host import LogKind
from failoverd.model.journal import Intent
from failoverd.model.plans import Entry, EntryKind
from failoverd.model.settings import Settings
from failoverd.model.sight import Endpoint
from failoverd.model.steps import ClaimServer, FenceHost, OpenWrites, Repoint, Splice, Step, StopReceiver
from tests.contract.coordination_worlds import FakeWorld, LocalWorld, World, ZooKeeperWorld, active, until
from tests.contract.operations import UUID, intent, long_set, operation, report
from tests.contract.zookeeper_server import ZooKeeperServer


@pytest.fixture(params=["zookeeper", "local", "fake"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made: World
    if request.param == "zookeeper":
        server: ZooKeeperServer = request.getfixturevalue("zookeeper")
        made = ZooKeeperWorld(server, f"/contract/{tmp_path.name}")
    else:
        made = LocalWorld(tmp_path / "state") if request.param == "local" else FakeWorld()
    yield made
    made.close()


STEPS: tuple[Step, ...] = (
    ClaimServer("db2"),
    FenceHost("db1", UUID, "guard"),
    StopReceiver("db2"),
    Splice("db2", "db1", LogKind.BINARY, long_set(), 900),
    Repoint("db3", "db2", Endpoint("db2", 3306)),
)


def outcome(step: Step, result: str) -> Entry:
    told = {
        "stage": str(step.stage), "title": step.title(), "server": step.server, "outcome": result,
        "started": "2026-03-14T09:30:12.100Z", "seconds": 0.25, "detail": "so it was", "act": step,
    }  # fmt: skip
    return Entry(EntryKind.OUTCOME, 1002.0, told)


def test_everything_that_is_needed_to_go_on_comes_back(world: World) -> None:
    first, second = world.manager("mgr1"), world.manager("mgr2")
    lease = active(first)
    begun = replace(
        operation("op-1"), to="db2", accept_loss=3, overrides=frozenset({"blind"}), old=Recorded("db1", UUID, 6),
        seen=long_set(), detected=999.5, decided=999.75,
    )  # fmt: skip
    assert second.unfinished("shop") is None
    first.begin(lease, begun)
    entries = (
        Entry(EntryKind.INTENT, 1001.0, {"acts": STEPS}),
        *(outcome(step, "done") for step in STEPS[:2]),
        outcome(STEPS[2], "already"),
        Entry(EntryKind.PROMOTE_INTENT, 1003.0, {"elect": "db2", "server_uuid": UUID, "own": GtidSet()}),
        outcome(OpenWrites("db2"), "done"),
    )
    for entry in entries:
        first.write(lease, begun, entry, wait=False)
    first.settle(lease, begun, 10.0)
    first.resign("shop")
    found = second.unfinished("shop")
    assert found is not None
    assert found.operation == begun
    assert found.begun() == (STEPS[0], STEPS[1], STEPS[3], STEPS[4])
    assert found.intent() == Intent("db2", UUID)
    fence = found.fence()
    assert fence is not None
    assert (fence.server, fence.how, fence.proven) == ("db1", "so it was", True)
    assert found.opened_at("db2") == pytest.approx(1773480612.35)
    later = active(second)
    second.write(later, begun, Entry(EntryKind.WITHDRAWN, 1004.0, {"elect": "db2"}), wait=True)
    again = second.unfinished("shop")
    assert again is not None
    assert again.intent() is None
    second.end(later, begun, report(begun))
    assert second.unfinished("shop") is None


def test_whoever_takes_it_up_again_hides_no_record_of_the_one_between(world: World) -> None:
    first, second = world.manager("mgr1"), world.manager("mgr2")
    op = operation("op-1")
    first.begin(active(first), op)
    first.write(active(first), op, intent(1), wait=True)
    first.resign("shop")
    second.write(active(second), op, intent(2), wait=True)
    second.resign("shop")
    lease = active(first)
    assert first.unfinished("shop") is not None
    first.write(lease, op, intent(3), wait=True)
    found = first.unfinished("shop")
    assert found is not None
    assert [entry.body["number"] for entry in found.entries] == [1, 2, 3]


def test_an_adopted_epoch_is_above_what_agents_remember(world: World) -> None:
    person, manager = world.manager("cli"), world.manager("mgr1")
    person.adopt("shop", 57)
    assert active(manager).epoch == 58
    manager.resign("shop")
    person.adopt("shop", 3)
    assert active(manager).epoch == 59


def test_whoever_is_active_takes_the_lock_anew_after_an_adoption(zookeeper: ZooKeeperServer, tmp_path: Path) -> None:
    world = ZooKeeperWorld(zookeeper, f"/contract/{tmp_path.name}")
    manager, person = world.manager("mgr1"), world.manager("cli")
    old = active(manager)
    person.adopt("shop", 30)
    until(lambda: (lease := manager.lease("shop")) is not None and lease.epoch == 31, "the new epoch")
    assert old.epoch == 1
    world.close()


def test_settings_that_differ_from_those_in_force_are_known(zookeeper: ZooKeeperServer, tmp_path: Path) -> None:
    world = ZooKeeperWorld(zookeeper, f"/contract/{tmp_path.name}")
    first, second, same = world.manager("mgr1"), world.manager("mgr2"), world.manager("mgr3")
    for manager, digest in ((first, "a"), (second, "b"), (same, "b")):
        manager.tell_settings({"shop": Settings(digest)})
    active(first)
    assert first.other_settings("shop") == ""
    first.resign("shop")
    lease = active(second)
    assert second.other_settings("shop") == "mgr1"
    second.tell_settings({"shop": Settings("c")})
    lease.check()
    second.resign("shop")
    same.tell_settings({"shop": Settings("c")})
    active(same)
    assert same.other_settings("shop") == ""
    world.close()


def test_managers_that_start_together_share_the_clusters(zookeeper: ZooKeeperServer, tmp_path: Path) -> None:
    world = ZooKeeperWorld(zookeeper, f"/contract/{tmp_path.name}")
    managers, clusters = [world.manager("mgr1"), world.manager("mgr2")], ["a", "b", "c", "d"]
    for cluster in clusters:
        for manager in managers:
            manager.campaign(cluster)
    until(lambda: all(managers[0].contenders(cluster) for cluster in clusters), "everybody in every line")

    def held() -> list[int]:
        return [sum(manager.lease(cluster) is not None for cluster in clusters) for manager in managers]

    until(lambda: sum(held()) == len(clusters), "an owner for each lock")
    assert min(held()) >= 1  # two and two where both are equally fast; nobody has all
    managers[0].close()
    until(lambda: all(managers[1].lease(cluster) is not None for cluster in clusters), "the rest of the locks")
    world.close()
