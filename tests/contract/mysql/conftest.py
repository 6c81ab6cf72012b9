"""The worlds of the Servers suite: three real mysqlds for the whole run, servers in memory, and simulated ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.contract.mysql.worlds import CLUSTER, NAMES, FakeWorld, RealWorld, World, in_memory
from tests.simulation.worlds import SimulatedServers


@pytest.fixture(scope="session")
def mysqlds() -> Iterator[RealWorld]:
    """Three running mysqlds."""
    home = in_memory()
    world = RealWorld(home)
    yield world
    world.end()
    shutil.rmtree(home)


@pytest.fixture
def real(mysqlds: RealWorld) -> Iterator[RealWorld]:
    """The real world, in order."""
    mysqlds.restore()
    yield mysqlds
    mysqlds.forget_managers()


@pytest.fixture(params=["real", "fake", "simulated"])
def world(request: pytest.FixtureRequest) -> World:
    """All worlds, one after the other."""
    if request.param == "fake":
        return FakeWorld()
    if request.param == "simulated":
        return SimulatedServers(CLUSTER, NAMES)
    found: RealWorld = request.getfixturevalue("real")
    return found
