"""One suite for every Balancers: a real HAProxy by its runtime socket, and the fake for other tests."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from failoverd.agent.processes import state_of
from failoverd.drivers.haproxy import HaproxyBalancers
from failoverd.model.errors import BalancerError, LockLost
from failoverd.model.traffic import Steering
from failoverd.ports import Balancers
from tests.contract.coordination_worlds import until
from tests.fakes.balancers import FakeBalancers
from tests.fakes.coordination import FakeLease

NAMES = ("db1", "db2", "db3", "sorry")
OURS = frozenset(NAMES[:3])
TEXT = """
global
    stats socket {place} mode 600 level {level}
defaults
    mode tcp
    timeout connect 1s
    timeout client 1s
    timeout server 1s
backend shop
    server db1 127.0.0.1:1
    server db2 127.0.0.1:1 disabled
    server db3 127.0.0.1:1 disabled
    server sorry 127.0.0.1:1
"""


class World(Protocol):
    """One balancer that leads to db1 and to a server that is not ours."""

    balancers: Balancers
    place: str

    def close(self) -> None:
        """End it."""


class Fake:
    def __init__(self) -> None:
        self.place = "10.0.0.5:9999"
        self.balancers: Balancers = FakeBalancers(NAMES, {self.place: {"db1", "sorry"}}, {"10.0.0.6:9999"})

    def close(self) -> None:
        """Nothing runs."""


class Real:
    def __init__(self, folder: Path, level: str = "admin") -> None:
        self.place = str(folder / "s")
        self.balancers: Balancers = HaproxyBalancers()
        file = folder / "haproxy.cfg"
        file.write_text(TEXT.format(place=self.place, level=level))
        self._process = subprocess.Popen(["haproxy", "-db", "-q", "-f", str(file)])
        until(lambda: not self.balancers.look(self.place, "shop", 5.0).problem, "an answer")

    def close(self) -> None:
        self._process.kill()
        self._process.wait(10)


@pytest.fixture(params=["real", "fake"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made: World = Real(tmp_path) if request.param == "real" else Fake()
    yield made
    made.close()


def towards(world: World, server: str) -> Steering:
    return Steering(world.place, "shop", server, OURS - {server})


def ready(world: World) -> frozenset[str]:
    found = world.balancers.look(world.place, "shop", 5.0)
    assert (found.problem, found.ready | found.shut) == ("", frozenset(NAMES))
    return found.ready


def test_it_leads_to_one_server_alone_and_leaves_what_is_not_ours(world: World) -> None:
    assert ready(world) == {"db1", "sorry"}
    assert world.balancers.steer(towards(world, "db2"), FakeLease(1), 5.0) == 2
    assert ready(world) == {"db2", "sorry"}
    assert world.balancers.steer(towards(world, "db2"), FakeLease(1), 5.0) == 0
    assert world.balancers.steer(towards(world, "db1"), FakeLease(1), 5.0) == 2
    assert ready(world) == {"db1", "sorry"}


def test_nothing_is_changed_without_the_lease(world: World) -> None:
    lost = FakeLease(1)
    lost.why = "frozen too long"
    with pytest.raises(LockLost):
        world.balancers.steer(towards(world, "db2"), lost, 5.0)
    assert ready(world) == {"db1", "sorry"}


def test_one_that_is_not_there_is_a_problem_and_an_error(world: World) -> None:
    nowhere = "/nonexistent/s" if world.place.startswith("/") else "10.0.0.6:9999"
    assert "cannot be asked" in world.balancers.look(nowhere, "shop", 1.0).problem
    with pytest.raises(BalancerError, match="cannot be asked"):
        world.balancers.steer(Steering(nowhere, "shop", "db2", OURS), FakeLease(1), 1.0)


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Real]:
    made = Real(tmp_path)
    yield made
    made.close()


def test_an_unknown_backend_and_an_unknown_server_are_named(real: Real) -> None:
    assert "does not show backend nope" in real.balancers.look(real.place, "nope", 5.0).problem
    with pytest.raises(BalancerError, match="has no server db9"):
        real.balancers.steer(Steering(real.place, "shop", "db9", OURS), FakeLease(1), 5.0)


@pytest.mark.parametrize(("level", "why"), [("admin", ""), ("operator", "permission denied")])
def test_the_right_to_change_is_asked_without_changing(tmp_path: Path, level: str, why: str) -> None:
    made = Real(tmp_path, level)
    try:
        assert HaproxyBalancers().may_change(made.place, "shop", 5.0) == why
        assert ready(made) == {"db1", "sorry"}
        if why:
            with pytest.raises(BalancerError, match="refused"):
                made.balancers.steer(towards(made, "db2"), FakeLease(1), 5.0)
    finally:
        made.close()


def test_one_that_hangs_is_given_up_in_time(real: Real) -> None:
    real._process.send_signal(signal.SIGSTOP)
    until(lambda: state_of(real._process.pid) == "T", "its stop")
    began = time.monotonic()
    found = real.balancers.look(real.place, "shop", 0.3)
    assert "no answer in time" in found.problem
    assert time.monotonic() - began < 5.0
