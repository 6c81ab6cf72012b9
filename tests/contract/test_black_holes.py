"""Servers that swallow every packet, and the looks at all others: production's rota, looks and sessions on servers that
speak MySQL's protocol.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from failoverd.bootstrap.build import Built, build
from failoverd.config.load import load
from failoverd.model.sight import Sight
from failoverd.observe.awaited import Awaited
from failoverd.observe.look import Interest, look
from tests.acceptance.real_mysqld import free_port
from tests.bench.many import Place, configuration, listed, swallowing
from tests.contract.test_rota import until

SIZE, CLEAR, HOLED = 3, 6, 10
TIMEOUT = 2.0  # seconds: long enough for many looks at the others on a busy machine
REST = 0.05


@contextlib.contextmanager
def answering(home: Path, places: list[Place]) -> Iterator[None]:
    """A process in which these servers answer looks."""
    told = home / "servers.json"
    told.write_text(json.dumps(listed(places)), encoding="utf-8")
    argv = [sys.executable, "-m", "tests.bench.pretended", str(told)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout is not None
            assert served.stdout.readline() == "ready\n"
            yield
        finally:
            served.kill()


def first_of(count: int) -> int:
    """The first of so many ports in a row that are free, below those that any connection may be given."""
    for first in range(10000 + os.getpid() % 200 * count, 32000, count):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
    raise AssertionError("no row of ports is free")


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Built]:
    """Clusters whose servers all answer, and more clusters whose last server is a hole."""
    first = first_of((CLEAR + HOLED) * SIZE)
    places = [
        Place(f"c{cluster}", f"c{cluster}-{rank + 1}", first + cluster * SIZE + rank, rank == 0)
        for cluster in range(CLEAR + HOLED)
        for rank in range(SIZE)
    ]
    holes = [place for place in places if int(place.cluster[1:]) >= CLEAR and place.name.endswith(f"-{SIZE}")]
    file = configuration(tmp_path, places, f"127.0.0.1:{free_port()}")
    document = json.loads(file.read_text(encoding="utf-8"))
    for cluster in document["clusters"].values():
        cluster["detection"]["timeout"] = f"{TIMEOUT:g}s"
    file.write_text(json.dumps(document), encoding="utf-8")
    with contextlib.ExitStack() as stack:
        for hole in holes:
            stack.enter_context(swallowing(hole.port))
        stack.enter_context(answering(tmp_path, [place for place in places if place not in holes]))
        built = build(load(file))
        stack.callback(built.close)
        yield built


class Looks:
    """When looks at one cluster began and ended, and how many of its servers the last one reached."""

    def __init__(self, ground: Built, cluster: str, awaited: Awaited | None = None) -> None:
        self.world = ground.world(cluster)
        self.awaited = awaited
        self.times: list[tuple[float, float]] = []
        self.reached = 0
        self.enough = False
        self.ended = False

    def round(self) -> float | None:
        if self.enough:
            self.ended = True
            return None
        begun = time.monotonic()
        found = look(self.world.eyes, self.world.policy, Interest(self.world.policy.servers[0].name), self.awaited)
        self.reached = len(found.reached())
        self.times.append((begun, time.monotonic()))
        return REST

    def within(self, begin: float, end: float) -> int:
        """How many looks lie between two moments."""
        return sum(1 for one, other in self.times if begin <= one and other <= end)


def test_a_black_hole_never_delays_the_looks_at_others(ground: Built) -> None:
    looks = [Looks(ground, f"c{number}") for number in range(CLEAR + HOLED)]
    clear, holed = looks[:CLEAR], looks[CLEAR:]
    for number, one in enumerate(looks):
        ground.rota.start(f"c{number}", one.round)
    until(lambda: all(len(one.times) >= 2 for one in holed), "two looks at each cluster with a hole")
    for one in looks:
        one.enough = True
    until(lambda: all(one.ended for one in looks), "the end of all rounds")
    assert [one.reached for one in looks] == [SIZE] * CLEAR + [SIZE - 1] * HOLED
    for one in holed:
        begin, end = one.times[1]
        assert end - begin >= TIMEOUT * 0.9, "the hole took the whole time-out"
        assert all(other.within(begin, end) >= 5 for other in clear), "all others were looked at again and again"


def test_a_black_hole_delays_one_look_at_the_others_of_its_own_cluster(ground: Built) -> None:
    """One that remembers who is silent: as many looks as the rest allows, while the hole is asked once at a time."""
    looks = Looks(ground, f"c{CLEAR}", Awaited())
    hole = looks.world.policy.servers[-1].name
    asked: list[tuple[float, float]] = []
    ask = looks.world.eyes.servers.look

    def timed(cluster: str, server: str, timeout: float) -> Sight:
        begun = time.monotonic()
        try:
            return ask(cluster, server, timeout)
        finally:
            if server == hole:
                asked.append((begun, time.monotonic()))

    looks.world.eyes.servers.look = timed  # type: ignore[method-assign]
    ground.rota.start(looks.world.cluster, looks.round)
    until(lambda: len(asked) >= 3, "three calls to the hole")
    looks.enough = True
    until(lambda: looks.ended, "the end of the rounds")
    first, second, third = asked[:3]
    assert looks.times[0][1] >= first[1], "the look that met the hole waited for it"
    assert all(looks.within(begin, end) >= 5 for begin, end in (second, third)), "those after it did not"
    assert second[0] >= first[1]
    assert third[0] >= second[1], "nobody is asked twice at once"
    assert looks.reached == SIZE - 1
