"""The control socket of an operation: who may, what is answered, and that nothing of it stays behind."""

from __future__ import annotations

import os
import queue
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from failoverd.drivers.clock import SystemClock
from failoverd.drivers.control import Room, SocketRooms, Visitor
from failoverd.drivers.keyboard import Keyboard
from failoverd.model.control import Standing, Wishes
from failoverd.model.errors import FailoverdError
from failoverd.model.plans import Kind
from failoverd.model.policy import SwitchoverPolicy

STANDING = Standing("shop-1", "shop", Kind.SWITCHOVER, (), "db2", ("db1", "db2"), SwitchoverPolicy())


@pytest.fixture
def warned() -> list[str]:
    return []


@pytest.fixture
def rooms(tmp_path: Path, warned: list[str]) -> SocketRooms:
    # deeper than a socket's name may be long
    return SocketRooms(
        tmp_path / ("deep" * 20) / "run", SystemClock(), lambda what, why: warned.append(f"{what} {why}")
    )


@pytest.fixture
def room(rooms: SocketRooms) -> Iterator[Room]:
    opened = rooms.open("shop-1", STANDING, Wishes())
    yield opened
    opened.close()


def folder(rooms: SocketRooms) -> Path:
    return rooms.run_dir / "shop"


def test_what_is_said_is_wanted_and_answered(rooms: SocketRooms, room: Room) -> None:
    visitor = Visitor(rooms.run_dir)
    assert visitor.say("shop", "hold")["state"] == "held"
    assert room.wishes() == Wishes(held=True)
    assert visitor.say("shop", "nonsense")["ok"] is False
    assert room.wishes() == Wishes(held=True)


def test_a_plain_socket_tool_is_answered_in_text(rooms: SocketRooms, room: Room) -> None:
    here = os.open(folder(rooms), os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as talking:
        talking.settimeout(10)
        talking.connect(f"/proc/self/fd/{here}/shop-1.sock")
        talking.sendall(b"max-lag-ms=?\nthrottle\n")
        with talking.makefile() as answers:
            assert answers.readline() == "max-lag-ms=5000\n"
            assert answers.readline() == "throttle: noted\n"
    os.close(here)
    assert room.wishes().throttled


def test_nobody_else_may_and_nothing_is_left(rooms: SocketRooms) -> None:
    room = rooms.open("shop-1", STANDING, Wishes())
    (path,) = folder(rooms).iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert rooms.give_up("Ctrl-C")
    room.close()
    room.close()
    assert list(folder(rooms).iterdir()) == []
    assert rooms.give_up("Ctrl-C") == ()
    with pytest.raises(FailoverdError, match="no operation of shop runs on this host"):
        Visitor(rooms.run_dir).say("shop", "status")


def test_what_a_dead_process_left_is_passed_over_and_cleared_away(rooms: SocketRooms) -> None:
    folder(rooms).mkdir(parents=True)
    here = os.open(folder(rooms), os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(f"/proc/self/fd/{here}/zzz.sock")
    os.close(here)
    living = rooms.open("shop-1", STANDING, Wishes())
    other = SocketRooms(rooms.run_dir, SystemClock(), lambda *_: None).open("shop-2", STANDING, Wishes())
    assert sorted(path.name for path in folder(rooms).iterdir()) == ["shop-1.sock", "shop-2.sock"]
    for one in (living, other):
        one.close()


def test_an_operation_runs_also_where_no_socket_can_be_had(rooms: SocketRooms, warned: list[str]) -> None:
    rooms.run_dir.parent.mkdir(parents=True)
    rooms.run_dir.write_text("in the way")
    room = rooms.open("shop-1", STANDING, Wishes())
    assert "no control socket" in warned[0]
    assert rooms.give_up("Ctrl-C") == ("abort: noted",)
    assert room.wishes() == Wishes(given_up_by="Ctrl-C")
    room.close()


def test_what_was_accepted_before_the_choice_counts_and_nothing_after_it(room: Room) -> None:
    chosen = Standing("shop-1", "shop", Kind.SWITCHOVER, (), "db2", ("db1", "db2"), SwitchoverPolicy(), chosen=True)
    assert room.hear("abort", "anna")[0].ok
    assert room.stands_unless(chosen, lambda wishes: wishes.against("db2")) == "anna wants it taken back"
    assert room.hear("status", "")[1]["chosen"] is False


def test_the_choice_closes_the_door(room: Room) -> None:
    chosen = Standing("shop-1", "shop", Kind.SWITCHOVER, (), "db2", ("db1", "db2"), SwitchoverPolicy(), chosen=True)
    assert room.stands_unless(chosen, lambda wishes: wishes.against("db2")) == ""
    assert not room.hear("abort", "anna")[0].ok
    assert room.wishes() == Wishes()


def test_an_interrupt_gives_up_what_this_process_is_at_and_nothing_else(rooms: SocketRooms) -> None:
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    before = signal.getsignal(signal.SIGINT)
    with rooms.interruptible(told.put):
        room = rooms.open("shop-1", STANDING, Wishes())
        signal.raise_signal(signal.SIGINT)
        assert told.get(timeout=10) == "Ctrl-C: abort: noted"
        assert room.wishes() == Wishes(given_up_by="Ctrl-C")
        room.close()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_lines_are_typed_one_by_one_and_silence_is_no_end() -> None:
    reading, writing = os.pipe()
    keyboard = Keyboard(reading)
    assert keyboard.line(0.01) is None
    os.write(writing, b"hold\ngo\nab")
    assert [keyboard.line(5), keyboard.line(5), keyboard.line(0.01)] == ["hold\n", "go\n", None]
    os.write(writing, b"ort\n")
    os.close(writing)
    assert [keyboard.line(5), keyboard.line(5)] == ["abort\n", ""]
    os.close(reading)
