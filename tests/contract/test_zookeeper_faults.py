"""What happens to the lock, the lease and the calls when managers and ZooKeeper itself freeze, die and return."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError

from failoverd.drivers.clock import SystemClock
from failoverd.drivers.identity import Identity
from failoverd.drivers.tasks import ThreadTasks
from failoverd.drivers.wakeups import Bell
from failoverd.drivers.zookeeper.coordination import ZooKeeperCoordination
from failoverd.drivers.zookeeper.settings import Digest, ZooKeeperSettings
from failoverd.model.errors import ConfigError, CoordinationError, LockLost
from failoverd.model.history import Recorded
from failoverd.model.plans import Entry, EntryKind, Kind, Request
from tests.contract.coordination_worlds import PATIENT, SESSION, ZooKeeperWorld, active, until, zookeeper_manager
from tests.contract.operations import PERSON, intent, operation, report
from tests.contract.zookeeper_server import ZooKeeperServer

# Seconds on top of what a take-over takes on an idle machine; without a hand-over it would not come at all.
LATE = 4.0

TREE = Path(__file__).resolve().parents[2]


class Contender:
    """A manager in a process of its own."""

    def __init__(self, address: str, root: str, name: str, session: float) -> None:
        argv = [sys.executable, "-m", "tests.contract.contender", address, root, name, str(session)]
        self.process = subprocess.Popen(argv, cwd=TREE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.epoch = int(self.answer()["epoch"])

    def answer(self) -> dict[str, str]:
        """The next line it says."""
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        assert isinstance(told, dict)
        return told

    def do(self, act: str) -> dict[str, str]:
        """Let it act and say what came of it."""
        self.send(act)
        return self.answer()

    def send(self, act: str) -> None:
        """Let it act, without waiting."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{act}\n")
        self.process.stdin.flush()


@contextmanager
def contender(server: ZooKeeperServer, root: str, name: str = "mgr1", session: float = SESSION) -> Iterator[Contender]:
    made = Contender(server.address, root, name, session)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.communicate()


@pytest.fixture
def quick(zookeeper: ZooKeeperServer, tmp_path: Path) -> Iterator[ZooKeeperWorld]:
    made = ZooKeeperWorld(zookeeper, f"/quick/{tmp_path.name}", SESSION)
    yield made
    made.close()


@pytest.fixture
def world(zookeeper: ZooKeeperServer, tmp_path: Path) -> Iterator[ZooKeeperWorld]:
    made = ZooKeeperWorld(zookeeper, f"/faults/{tmp_path.name}")
    yield made
    made.close()


@contextmanager
def admin(server: ZooKeeperServer) -> Iterator[KazooClient]:
    client = KazooClient(hosts=server.address, timeout=4.0)
    client.start()
    yield client
    client.stop()
    client.close()


def lock_entries(client: KazooClient, root: str) -> list[str]:
    return [f"{root}/shop/lock/{name}" for name in client.get_children(f"{root}/shop/lock")]


def test_a_frozen_manager_loses_and_wakes_up_harmless(quick: ZooKeeperWorld) -> None:
    with contender(quick.server, quick.root) as frozen:
        waiting = quick.manager("mgr2")
        waiting.campaign("shop")
        until(lambda: waiting.contenders("shop") == ("mgr2",), "the line")
        frozen.process.send_signal(signal.SIGSTOP)
        frozen.send("publish")
        took = until(lambda: waiting.lease("shop") is not None, "the take-over")
        print(f"take-over {took:.3f} s after the freeze")
        assert took < SESSION + quick.server.tick + LATE
        lease = waiting.lease("shop")
        assert lease is not None
        assert lease.epoch > frozen.epoch
        waiting.publish_primary(lease, "shop", Recorded("db2", "u2", lease.epoch))
        frozen.process.send_signal(signal.SIGCONT)
        assert frozen.answer()["error"] == "LockLost"  # the publishing it was asked for while it slept
        for act in ("check", "publish", "begin"):
            assert frozen.do(act)["error"] == "LockLost"
        assert waiting.recorded("shop") == Recorded("db2", "u2", lease.epoch)
        assert waiting.open_operation("shop") == ""


def test_zookeeper_itself_refuses_what_a_deposed_manager_sends(quick: ZooKeeperWorld) -> None:
    with contender(quick.server, quick.root) as frozen:
        waiting = quick.manager("mgr2")
        waiting.campaign("shop")
        frozen.process.send_signal(signal.SIGSTOP)
        until(lambda: waiting.lease("shop") is not None, "the take-over")
        frozen.process.send_signal(signal.SIGCONT)
        answers: list[dict[str, Any]] = []

        def refused() -> bool:
            answers.append(frozen.do("force"))
            return "our lock entry is gone" in answers[-1].get("text", "")

        until(refused, "the refusal, when it is connected again")
        assert answers[-1]["error"] == "LockLost"
        assert not any("did" in answer for answer in answers)
        with admin(quick.server) as client:
            assert client.exists(f"{quick.root}/shop/forced") is None


def test_a_freeze_within_the_lease_changes_nothing(world: ZooKeeperWorld) -> None:
    with contender(world.server, world.root, session=3.5) as short:
        short.process.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        short.process.send_signal(signal.SIGCONT)
        assert short.do("check") == {"did": "check"}
        assert short.do("publish") == {"did": "publish"}


def test_a_killed_manager_is_replaced(quick: ZooKeeperWorld) -> None:
    with contender(quick.server, quick.root) as killed:
        waiting = quick.manager("mgr2")
        waiting.campaign("shop")
        until(lambda: waiting.contenders("shop") == ("mgr2",), "the line")
        killed.process.kill()
        took = until(lambda: waiting.lease("shop") is not None, "the take-over")
        print(f"take-over {took:.3f} s after the kill")
        assert took < SESSION + quick.server.tick + LATE


def test_a_clean_hand_over_rings_at_once(world: ZooKeeperWorld) -> None:
    first, second = world.manager("mgr1"), world.manager("mgr2")
    active(first)
    second.campaign("shop")
    until(lambda: second.contenders("shop") == ("mgr2",), "the line")
    begun = time.monotonic()
    first.resign("shop")
    while second.lease("shop") is None:
        assert world.bells["mgr2"].wait(5.0), "nothing rang"
    took = time.monotonic() - begun
    print(f"hand-over {took * 1000:.1f} ms")
    assert took < PATIENT / 2


def test_a_request_rings_the_active_manager(world: ZooKeeperWorld) -> None:
    first, person = world.manager("mgr1"), world.manager("cli")
    active(first)
    until(lambda: not world.bells["mgr1"].wait(0.3), "silence")
    for _ in range(2):
        person.ask(Request("shop", Kind.FAILOVER, PERSON))
        assert "request" in world.bells["mgr1"].wait(5.0)
        until(lambda: not world.bells["mgr1"].wait(0.3), "silence")


def test_a_request_is_found_although_the_word_of_it_was_lost(
    world: ZooKeeperWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failoverd.drivers.zookeeper.election._LISTEN", 0.2)
    manager, person = world.manager("mgr1"), world.manager("cli")
    active(manager)
    until(lambda: manager._elections["shop"].unasked, "a watch on requests")
    manager._session._client._child_watchers.clear()
    asked = person.ask(Request("shop", Kind.REOPEN, PERSON))
    until(lambda: [name for name, _ in manager.requests("shop")] == [asked], "the request", 10)


def test_a_lock_entry_removed_by_hand_ends_the_lease_and_starts_over(world: ZooKeeperWorld) -> None:
    manager = world.manager("mgr1")
    lease = active(manager)
    with admin(world.server) as client:
        for path in lock_entries(client, world.root):
            client.delete(path)
    with pytest.raises(LockLost):
        manager.begin(lease, operation("op-1"))
    until(lambda: manager.lease("shop") is not None, "a new lease")
    later = manager.lease("shop")
    assert later is not None
    assert later.epoch > lease.epoch
    with pytest.raises(LockLost):
        lease.check()
    later.check()


def test_a_missing_epoch_is_refused_with_what_to_do(world: ZooKeeperWorld) -> None:
    manager = world.manager("mgr1")
    active(manager)
    manager.resign("shop")
    with admin(world.server) as client:
        client.delete(f"{world.root}/shop/epoch")
        other = world.manager("mgr2")
        other.campaign("shop")
        refused = wait_for_refusal(other)
        assert "init" in refused.hint
        assert "missing" in refused.detail
        client.create(f"{world.root}/shop/epoch", b"41")
        lease = active_at_last(other)
        assert lease == 42


def wait_for_refusal(manager: ZooKeeperCoordination) -> CoordinationError:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            assert manager.lease("shop") is None
        except CoordinationError as refused:
            return refused
        time.sleep(0.01)
    raise AssertionError("the lock was not refused")


def active_at_last(manager: ZooKeeperCoordination) -> int:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            lease = manager.lease("shop")
        except CoordinationError:
            lease = None
        if lease is not None:
            return lease.epoch
        time.sleep(0.01)
    raise AssertionError("the lock was not taken")


def test_another_negotiated_timeout_is_refused(zookeeper: ZooKeeperServer) -> None:
    begun = time.monotonic()
    with pytest.raises(ConfigError, match="negotiated a session time-out of 4 s") as caught:
        zookeeper_manager(zookeeper.address, "/faults", "mgr1", Bell(), session=60.0)
    assert "tickTime" in caught.value.hint
    assert time.monotonic() - begun < 10


def test_without_zookeeper_every_call_fails_soon_and_nobody_is_active() -> None:
    settings = ZooKeeperSettings(("127.0.0.1:1",), session_timeout=1.0, connect_timeout=0.2)
    manager = ZooKeeperCoordination(settings, Identity.mine("mgr1"), SystemClock(), ThreadTasks(), Bell())
    manager.campaign("shop")
    assert manager.state() == "lost"
    assert manager.lease("shop") is None
    begun = time.monotonic()
    for call in (manager.holder, manager.recorded, manager.pauses, manager.operations, manager.status):
        with pytest.raises(CoordinationError, match="away"):
            call("shop")
    assert time.monotonic() - begun < 1.0
    manager.close()


def test_a_frozen_zookeeper_holds_nobody_up_and_stops_every_act(mortal_zookeeper: ZooKeeperServer) -> None:
    world = ZooKeeperWorld(mortal_zookeeper, "/faults", SESSION)
    manager = world.manager("mgr1")
    lease, op = active(manager), operation("op-1")
    manager.begin(lease, op)
    mortal_zookeeper.signal(signal.SIGSTOP)
    begun = time.monotonic()
    with pytest.raises(CoordinationError):
        manager.recorded("shop")
    with pytest.raises(LockLost):
        lease.check()
    with pytest.raises(LockLost):
        manager.write(lease, op, intent(1), wait=True)
    assert time.monotonic() - begun < 6.0
    until(lambda: manager.state() == "lost", "the loss")
    mortal_zookeeper.signal(signal.SIGCONT)
    until(lambda: manager.state() == "ok", "the return")
    until(lambda: manager.lease("shop") is not None, "a new lease")
    assert manager.open_operation("shop") == "op-1"
    world.close()


def test_after_a_restart_of_zookeeper_everything_goes_on(mortal_zookeeper: ZooKeeperServer) -> None:
    world = ZooKeeperWorld(mortal_zookeeper, "/faults", SESSION)
    manager = world.manager("mgr1")
    lease = active(manager)
    manager.publish_primary(lease, "shop", Recorded("db1", "u1", lease.epoch))
    mortal_zookeeper.kill()
    until(lambda: manager.state() == "lost", "the loss")
    with pytest.raises(LockLost):
        lease.check()
    mortal_zookeeper.start()
    until(lambda: manager.state() == "ok", "the return")
    until(lambda: manager.lease("shop") is not None, "a new lease")
    later = manager.lease("shop")
    assert later is not None
    assert later.epoch > lease.epoch
    assert manager.recorded("shop") == Recorded("db1", "u1", lease.epoch)
    world.close()


def test_a_short_absence_of_zookeeper_only_makes_acts_wait(patient_zookeeper: ZooKeeperServer) -> None:
    manager = zookeeper_manager(patient_zookeeper.address, "/faults", "mgr1", Bell(), session=30.0)
    lease, op = active(manager), operation("op-1")
    manager.begin(lease, op)
    patient_zookeeper.kill()
    until(lambda: manager.state() == "lost", "the loss")
    patient_zookeeper.start()
    lease.check()
    manager.write(lease, op, intent(1), wait=False)
    manager.end(lease, op, report(op))
    assert manager.lease("shop") is lease
    told = manager.operation("op-1")
    assert told is not None
    assert len(told["entries"]) == 1  # type: ignore[arg-type]
    manager.close()


def test_records_sent_while_zookeeper_was_away_are_settled(patient_zookeeper: ZooKeeperServer) -> None:
    manager = zookeeper_manager(patient_zookeeper.address, "/faults", "mgr1", Bell(), session=30.0)
    lease, op = active(manager), operation("op-1")
    manager.begin(lease, op)
    patient_zookeeper.signal(signal.SIGSTOP)
    for number in range(5):
        manager.write(lease, op, intent(number), wait=False)
    patient_zookeeper.kill()
    patient_zookeeper.start()
    manager.settle(lease, op, 40.0)
    told = manager.operation("op-1")
    assert told is not None
    assert [entry["body"]["number"] for entry in told["entries"]] == list(range(5))  # type: ignore[attr-defined]
    manager.close()


def test_a_zookeeper_rebuilt_empty_is_reached_again_and_not_trusted(mortal_zookeeper: ZooKeeperServer) -> None:
    world = ZooKeeperWorld(mortal_zookeeper, "/faults", SESSION)
    manager = world.manager("mgr1")
    active(manager)
    manager.resign("shop")
    active(manager)
    mortal_zookeeper.kill()
    mortal_zookeeper.wipe()
    mortal_zookeeper.start()
    took = until(lambda: manager.state() == "ok", "the return", deadline=60)
    print(f"back after {took:.1f} s")
    refused = wait_for_refusal(manager)
    assert "went back" in refused.detail
    assert "init" in refused.hint
    world.close()


def test_a_record_longer_than_zookeeper_takes_is_kept_in_parts(world: ZooKeeperWorld) -> None:
    manager = world.manager("mgr1")
    lease, op = active(manager), operation("op-1")
    manager.begin(lease, op)
    noise = "".join(chr(0x4E00 + (number * 7919 + number**3) % 20000) for number in range(600_000))
    manager.write(lease, op, Entry(EntryKind.FREEZE, 1.0, {"noise": noise}), wait=True)
    with admin(world.server) as client:
        assert len(client.get_children(f"{world.root}/shop/ops/op-1/parts")) > 1
    told = manager.operation("op-1")
    assert told is not None
    assert told["entries"][0]["body"]["noise"] == noise  # type: ignore[index]


def test_with_an_account_strangers_can_neither_read_nor_delete(zookeeper: ZooKeeperServer) -> None:
    settings = ZooKeeperSettings(
        (zookeeper.address,), root="/guarded/deep", session_timeout=SESSION, auth=Digest("failoverd", "canary"),
        connect_timeout=10.0,
    )  # fmt: skip
    assert "canary" not in repr(settings)
    manager = ZooKeeperCoordination(settings, Identity.mine("mgr1"), SystemClock(), ThreadTasks(), Bell())
    lease = active(manager)
    manager.publish_primary(lease, "shop", Recorded("db1", "u1", lease.epoch))
    with admin(zookeeper) as stranger:
        for path in ("/guarded", "/guarded/deep", "/guarded/deep/shop", "/guarded/deep/shop/lock"):
            with pytest.raises(NoAuthError):
                stranger.get_children(path)
        for path in ("/guarded/deep/shop/primary", "/guarded/deep/shop/epoch"):
            with pytest.raises(NoAuthError):
                stranger.get(path)
            with pytest.raises(NoAuthError):
                stranger.delete(path)
    manager.close()


def test_old_operations_are_trimmed(world: ZooKeeperWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("failoverd.drivers.journal_codec.KEPT", 5)
    manager = world.manager("mgr1")
    lease = active(manager)
    for number in range(8):
        op = operation(f"op-{number}", started=1000.0 + number)
        manager.begin(lease, op)
        manager.write(lease, op, intent(1), wait=False)
        manager.end(lease, op, report(op))
    assert [one["operation"] for one in manager.operations("shop")] == [f"op-{number}" for number in (7, 6, 5, 4, 3)]
    assert manager.operation("op-1") is None


def test_who_resigns_while_zookeeper_is_away_is_gone_when_it_returns(patient_zookeeper: ZooKeeperServer) -> None:
    first = zookeeper_manager(patient_zookeeper.address, "/faults", "mgr1", Bell(), session=30.0)
    second = zookeeper_manager(patient_zookeeper.address, "/faults", "mgr2", Bell(), session=30.0)
    active(first)
    second.campaign("shop")
    until(lambda: second.contenders("shop") == ("mgr2",), "the line")
    patient_zookeeper.kill()
    until(lambda: first.state() == "lost", "the loss")
    first.resign("shop")
    patient_zookeeper.start()
    until(lambda: second.lease("shop") is not None, "the hand-over", deadline=25)  # before the session would expire
    first.close()
    second.close()


def test_an_account_that_may_not_in_is_told_so(zookeeper: ZooKeeperServer, tmp_path: Path) -> None:
    def manager(password: str) -> ZooKeeperCoordination:
        settings = ZooKeeperSettings(
            (zookeeper.address,),
            f"/owned-{tmp_path.name}",
            SESSION,
            Digest("failoverd", password),
            connect_timeout=10.0,
        )
        return ZooKeeperCoordination(settings, Identity.mine("mgr"), SystemClock(), ThreadTasks(), Bell())

    owner, stranger = manager("right"), manager("wrong")
    active(owner)
    stranger.campaign("shop")
    refused = wait_for_refusal(stranger)
    assert "account" in refused.what
    assert "zookeeper.auth" in refused.hint
    owner.close()
    stranger.close()


def test_a_member_that_accepts_and_says_nothing_is_left_for_another(zookeeper: ZooKeeperServer, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as mute:
        members = (f"127.0.0.1:{mute.getsockname()[1]}", zookeeper.address)
        begun = time.monotonic()
        for number in range(4):  # kazoo shuffles the members: four times in a row the mute one first is rare
            settings = ZooKeeperSettings(members, f"/mute/{tmp_path.name}", PATIENT, connect_timeout=20.0)
            bell = Bell()
            manager = ZooKeeperCoordination(settings, Identity.mine(f"mgr{number}"), SystemClock(), ThreadTasks(), bell)
            assert manager.state() == "ok"
            manager.close()
        assert time.monotonic() - begun < 4 * PATIENT / 2
