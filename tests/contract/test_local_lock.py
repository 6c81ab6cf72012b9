"""What is special about the file lock: processes that die, files that are removed, epochs that are lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from failoverd.model.errors import CoordinationError, LockLost, LockRefused
from failoverd.model.history import Recorded
from tests.contract.coordination_worlds import LocalWorld, active, until
from tests.contract.operations import intent, operation, report

TREE = Path(__file__).resolve().parents[2]
HOLD = (
    "import sys, pathlib\n"
    "from tests.contract.coordination_worlds import LocalWorld, active\n"
    "print(active(LocalWorld(pathlib.Path(sys.argv[1])).manager('mgr1')).epoch, flush=True)\n"
    "sys.stdin.read()\n"
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LocalWorld]:
    made = LocalWorld(tmp_path / "state")
    yield made
    made.close()


@pytest.fixture
def holder(world: LocalWorld) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", HOLD, str(world.folder)]
    process = subprocess.Popen(argv, cwd=TREE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"
    yield process
    process.kill()
    process.communicate()


def test_another_process_sees_the_lock_held_and_gets_it_when_the_holder_dies(
    world: LocalWorld, holder: subprocess.Popen[str]
) -> None:
    second = world.manager("mgr2")
    second.campaign("shop")
    assert second.lease("shop") is None
    assert second.holder("shop") == "mgr1"
    holder.kill()
    holder.wait()
    until(lambda: second.lease("shop") is not None, "the lock")
    lease = second.lease("shop")
    assert lease is not None
    assert lease.epoch == 2
    assert second.holder("shop") == "mgr2"


def test_a_lock_file_removed_by_hand_ends_the_lease(world: LocalWorld) -> None:
    manager = world.manager("mgr1")
    lease = active(manager)
    (world.folder / "shop.lock").unlink()
    with pytest.raises(LockLost):
        manager.begin(lease, operation("op-1"))
    again = active(manager)
    assert again.epoch == lease.epoch + 1
    with pytest.raises(LockLost):
        lease.check()


def test_a_missing_epoch_is_refused_with_what_to_do(world: LocalWorld) -> None:
    manager = world.manager("mgr1")
    lease = active(manager)
    manager.publish_primary(lease, "shop", Recorded("db1", "u", lease.epoch))
    manager.resign("shop")
    (world.folder / "shop.epoch").unlink()
    manager.campaign("shop")
    with pytest.raises(CoordinationError, match="init"):
        manager.lease("shop")
    (world.folder / "shop.epoch").write_text("41")
    assert active(manager).epoch == 42


def test_a_line_torn_by_a_crash_is_passed_over(world: LocalWorld) -> None:
    manager = world.manager("mgr1")
    lease, op = active(manager), operation("op-1")
    manager.begin(lease, op)
    manager.write(lease, op, intent(1), wait=True)
    with (world.folder / "operations" / "shop" / "op-1.jsonl").open("ab") as journal:
        journal.write(b'{"v":1,"kind":"int')
    assert manager.open_operation("shop") == "op-1"
    told = manager.operation("op-1")
    assert told is not None
    assert len(told["entries"]) == 1  # type: ignore[arg-type]
    manager.write(lease, op, intent(2), wait=True)
    told = manager.operation("op-1")
    assert told is not None
    assert len(told["entries"]) == 2  # type: ignore[arg-type]


def test_old_operations_are_trimmed(world: LocalWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("failoverd.drivers.journal_codec.KEPT", 3)
    manager = world.manager("mgr1")
    lease = active(manager)
    for number in range(5):
        op = operation(f"op-{number}", started=1000.0 + number)
        manager.begin(lease, op)
        manager.end(lease, op, report(op))
    assert [told["operation"] for told in manager.operations("shop")] == ["op-4", "op-3", "op-2"]


def test_a_folder_that_cannot_be_written_is_told_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    manager = LocalWorld(tmp_path / "file" / "state").manager("mgr1")
    manager.campaign("shop")
    with pytest.raises(LockRefused, match="cannot be written") as raised:
        manager.lease("shop")
    assert str(tmp_path) in str(raised.value)
    assert "manager.state_dir" in raised.value.hint
