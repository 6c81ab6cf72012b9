"""Managers of two releases side by side over a real ZooKeeper: each reads what the other one wrote, and refuses by name
what is of a shape that it cannot know. What docs/upgrade.md says of managers is tried here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kazoo.client import KazooClient

from failoverd.drivers.journal_codec import VERSION
from failoverd.drivers.zookeeper.coordination import ZooKeeperCoordination
from failoverd.model.errors import CoordinationError
from failoverd.model.history import Pause, Recorded
from failoverd.model.plans import Kind, Request
from tests.contract.coordination_worlds import ZooKeeperWorld, active
from tests.contract.operations import PERSON, UUID, intent, operation, report
from tests.contract.zookeeper_server import ZooKeeperServer

Data = dict[str, object]
RECORD = Recorded("db1", UUID, 1)
PAUSE = Pause("ann", "moving racks", server="db2")
WISH = Request("shop", Kind.FAILOVER, PERSON, "db2")


@pytest.fixture
def world(zookeeper: ZooKeeperServer, tmp_path: Path) -> Iterator[ZooKeeperWorld]:
    made = ZooKeeperWorld(zookeeper, f"/releases/{tmp_path.name}")
    yield made
    made.close()


def written(world: ZooKeeperWorld) -> ZooKeeperCoordination:
    """A manager that has written a record of every kind, and is still active."""
    first, op = world.manager("mgr1"), operation("op-1")
    lease = active(first)
    first.publish_primary(lease, "shop", RECORD)
    first.publish_status(lease, "shop", {"name": "shop", "verdict": "healthy"})
    first.pause("shop", PAUSE)
    first.report_failing(lease, "shop", 1000.0)
    first.ask(WISH)
    first.begin(lease, op)
    first.write(lease, op, intent(1), wait=True)
    return first


def rewritten(world: ZooKeeperWorld, version: int) -> int:
    """Give every record of the cluster another version and fields that we do not know; how many there are."""
    client = KazooClient(world.server.address)
    client.start(timeout=10)
    try:
        return _rewritten(client, f"{world.root}/shop", version)
    finally:
        client.stop()
        client.close()


def _rewritten(client: KazooClient, path: str, version: int) -> int:
    count = sum(_rewritten(client, f"{path}/{name}", version) for name in client.get_children(path))
    data, _ = client.get(path)
    if not data.startswith(b"{"):
        return count
    client.set(path, json.dumps(more(json.loads(data)) | {"v": version}).encode())
    return count + 1


def more(record: Data) -> Data:
    """A record with unknown fields, in what it holds as a noun of its own, too."""
    known = {key: more(value) if isinstance(value, dict) else value for key, value in record.items()}
    return known | {"of another release": {"unheard": "of"}}


def test_records_of_another_release_are_read_and_its_operation_is_finished(world: ZooKeeperWorld) -> None:
    first, second = written(world), world.manager("mgr2")
    assert rewritten(world, VERSION - 1) >= 8
    assert second.recorded("shop") == RECORD
    assert second.pauses("shop") == (PAUSE,)
    assert second.failing() == {"shop": 1000.0}
    assert [wish for _, wish in second.requests("shop")] == [WISH]
    status = second.status("shop")
    assert status is not None
    assert status["verdict"] == "healthy"
    first.resign("shop")
    lease = active(second)
    open_one = second.unfinished("shop")
    assert open_one is not None
    assert open_one.operation == operation("op-1")
    assert [entry.body["number"] for entry in open_one.entries] == [1]
    second.end(lease, open_one.operation, report(open_one.operation))
    assert [one["outcome"] for one in second.operations("shop")] == ["done"]


@pytest.mark.parametrize(
    "read",
    [
        lambda manager: manager.recorded("shop"),
        lambda manager: manager.pauses("shop"),
        lambda manager: manager.unfinished("shop"),
        lambda manager: manager.status("shop"),
    ],
    ids=["the primary", "pauses", "an open operation", "status"],
)
def test_records_of_a_shape_that_comes_later_are_refused_by_place(
    world: ZooKeeperWorld, read: Callable[[ZooKeeperCoordination], object]
) -> None:
    written(world)
    rewritten(world, VERSION + 1)
    with pytest.raises(CoordinationError, match=rf"record {world.root}/shop/\S+ has shape {VERSION + 1}") as refused:
        read(world.manager("mgr2"))
    assert refused.value.hint == "run the newest installed failoverd"
