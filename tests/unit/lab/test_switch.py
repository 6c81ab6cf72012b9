"""The switch on pretended devices: pairs of sockets that keep the borders of frames, as devices do."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from failoverd.lab.switch import Switch

A, B, C = (bytes([2, 0, 0, 0, 0, number]) for number in (1, 2, 3))
ALL = b"\xff" * 6


@dataclass(frozen=True, slots=True)
class Bench:
    """A switch with three ports, and the hosts' ends of these."""

    switch: Switch
    hosts: dict[str, int]

    def send(self, host: str, target: bytes, source: bytes, text: bytes = b"x") -> None:
        """A frame from a host, read by the switch at once."""
        os.write(self.hosts[host], target + source + text)
        self.switch._read(self.switch.ports[host])

    def got(self, host: str) -> list[bytes]:
        """All frames that have reached a host, without their addresses."""
        frames = []
        while True:
            try:
                frames.append(os.read(self.hosts[host], 2000)[12:])
            except BlockingIOError:
                return frames


@pytest.fixture
def bench() -> Iterator[Bench]:
    pairs = {name: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for name in ("a", "b", "c")}
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    for pair in pairs.values():
        for end in pair:
            end.setblocking(False)
    yield Bench(
        Switch({name: pair[0].fileno() for name, pair in pairs.items()}, listener),
        {name: pair[1].fileno() for name, pair in pairs.items()},
    )
    listener.close()
    for pair in pairs.values():
        for end in pair:
            end.close()


def test_a_frame_for_all_reaches_all_but_its_sender(bench: Bench) -> None:
    bench.send("a", ALL, A)
    assert (bench.got("a"), bench.got("b"), bench.got("c")) == ([], [b"x"], [b"x"])


def test_a_learned_address_is_reached_alone(bench: Bench) -> None:
    bench.send("b", ALL, B)
    bench.got("a"), bench.got("c")
    bench.send("a", B, A)
    assert (bench.got("b"), bench.got("c")) == ([b"x"], [])


def test_a_slow_pair_holds_frames_back_in_one_direction_and_in_order(bench: Bench) -> None:
    bench.send("b", ALL, B)
    bench.send("a", ALL, A)
    for host in ("a", "b", "c"):
        bench.got(host)
    bench.switch._answer({"op": "slow", "from": "a", "to": "b", "delay": 0.05, "jitter": 0.04})
    for number in range(20):
        bench.send("a", B, A, bytes([number]))
    bench.switch._deliver()
    assert bench.got("b") == []
    bench.send("b", A, B)
    assert bench.got("a") == [b"x"]
    time.sleep(0.1)
    bench.switch._deliver()
    assert bench.got("b") == [bytes([number]) for number in range(20)]
    bench.switch._answer({"op": "clear"})
    bench.send("a", B, A)
    assert bench.got("b") == [b"x"]


def test_an_unplugged_host_neither_sends_nor_receives(bench: Bench) -> None:
    bench.switch._answer({"op": "link", "host": "b", "up": False})
    bench.send("b", ALL, B)
    assert bench.got("a") == []
    bench.send("a", ALL, A)
    assert (bench.got("b"), bench.got("c")) == ([], [b"x"])
    bench.switch._answer({"op": "link", "host": "b", "up": True})
    bench.send("a", ALL, A)
    assert bench.got("b") == [b"x"]


def test_a_host_that_moved_is_learned_anew(bench: Bench) -> None:
    bench.send("b", ALL, B)
    bench.send("c", ALL, B)
    for host in ("a", "b", "c"):
        bench.got(host)
    bench.send("a", B, A)
    assert (bench.got("b"), bench.got("c")) == ([], [b"x"])
