"""The virtual address on a host: what the neighbours are told, what is refused, what a fenced host loses."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from failoverd.agent import addresses, door, fields, guard
from failoverd.agent.deadline import Deadline
from failoverd.agent.faults import DOOR, NOT_FOUND, Fault

MAC = bytes.fromhex("02fc00000001")
HERE = bytes((10, 0, 0, 100))
VIP = {"address": "10.0.0.100", "prefix": 24, "interface": "lo"}


def test_the_frame_says_to_everybody_where_the_address_is_now() -> None:
    frame = addresses.gratuitous(MAC, HERE, 2)
    assert len(frame) == 42
    assert frame[:14] == b"\xff" * 6 + MAC + b"\x08\x06"
    assert frame[14:22] == bytes((0, 1, 8, 0, 6, 4, 0, 2))
    assert (frame[22:28], frame[28:32]) == (frame[32:38], frame[38:42]) == (MAC, HERE)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"address": "10.0.0"}, "IPv4"),
        ({"address": "fe80::1"}, "IPv4"),
        ({"prefix": 0}, "from 1 to 32"),
        ({"interface": "eth0; reboot"}, "interface"),
        ({"interface": "a" * 16}, "interface"),
        ({"via": "x"}, "unknown field"),
    ],
)
def test_only_an_address_with_its_place_is_taken(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        addresses.vip({**VIP, **wrong})


def test_a_host_without_the_interface_says_which_ones_it_has() -> None:
    with pytest.raises(Fault) as caught:
        addresses.take({**VIP, "interface": "nope0"}, Deadline(1.0))
    assert (caught.value.code, "lo" in caught.value.detail) == (NOT_FOUND, True)


class Kernel:
    """The addresses of a host, as the kernel and `ip` would have them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *here: str) -> None:
        self.here = {"10.0.0.1", *here}
        self.told: list[str] = []
        self.stubborn = False
        monkeypatch.setattr(addresses, "held", lambda: sorted(self.here))
        monkeypatch.setattr(addresses, "announce", lambda address, _: self.told.append(address))
        monkeypatch.setattr(addresses, "_announce_again", lambda *_: None)
        monkeypatch.setattr(addresses, "_ip", self.change)

    def change(self, _: Deadline, *words: str) -> None:
        address = words[2].partition("/")[0]
        if words[1] == "add":
            self.here.add(address)
        elif not self.stubborn:
            self.here.discard(address)


def test_it_is_brought_once_and_announced_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch)
    assert addresses.take(VIP, Deadline(1.0)) == {"taken": True}
    assert addresses.take(VIP, Deadline(1.0)) == {"taken": False}
    assert kernel.told == ["10.0.0.100"] * 2
    assert addresses.leave(VIP, Deadline(1.0)) == {"left": True}
    assert addresses.leave(VIP, Deadline(1.0)) == {"left": False}


def test_an_address_that_stays_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, "10.0.0.100")
    kernel.stubborn = True
    with pytest.raises(Fault) as caught:
        addresses.leave(VIP, Deadline(1.0))
    assert caught.value.code == DOOR


@pytest.mark.parametrize(("vip", "left"), [(VIP, {"10.0.0.1"}), (None, {"10.0.0.1", "10.0.0.100"})])
def test_a_fenced_host_loses_an_address_that_somebody_brings_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vip: object, left: set[str]
) -> None:
    kernel = Kernel(monkeypatch, "10.0.0.100")
    mark = tmp_path / "shop.db1.fenced"
    mark.write_text(json.dumps({"vip": vip, "since": time.time()}))
    guard.shed_address(str(mark))
    assert kernel.here == left


def test_a_mark_that_cannot_be_read_ends_no_guard(tmp_path: Path) -> None:
    (tmp_path / "mark").write_text("{")
    guard.shed_address(str(tmp_path / "mark"))
    guard.shed_address(str(tmp_path / "nothing"))


@pytest.mark.parametrize("op", ["take_address", "leave_address", "prove_address"])
def test_the_door_checks_what_it_is_given(op: str) -> None:
    given: Mapping[str, Any] = {**VIP, "address": "10.0.0.100; true"}
    with pytest.raises(Fault, match="IPv4"):
        fields.read(door.OPS[op].fields, given, op)
