"""A server that swallows every packet costs one look its time-out; it is asked beside from then on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import pytest

from failoverd.model.sight import ServerState, Sight, Unreachable, Why
from failoverd.observe.awaited import Awaited
from failoverd.observe.look import Interest, look
from tests.fakes.whole import InTurn, Manager, Whole, uuid_of

T = TypeVar("T")
PRIMARY = Interest("db1")


class Beside(InTurn):
    """What nobody waits for stays under way until it is `done`, as on threads."""

    def __init__(self) -> None:
        self.under_way: list[Callable[[], object]] = []

    def gather(self, calls: Mapping[str, Callable[[], T]], deadline: float) -> Mapping[str, T | Exception]:
        if deadline > 0.0:
            return super().gather(calls, deadline)
        self.under_way.extend(calls.values())
        return {}

    def done(self) -> None:
        calls, self.under_way = self.under_way, []
        for call in calls:
            call()


class Looks:
    """Looks at a cluster of which db3 swallows every packet, as one manager takes them."""

    def __init__(self) -> None:
        self.whole = Whole()
        self.manager: Manager = self.whole.manager().turns(2)
        self.tasks = Beside()
        self.eyes = replace(self.manager.world.eyes, tasks=self.tasks)
        self.awaited = Awaited()
        self.manager.servers.cut.add("db3")

    def look(self, interest: Interest = PRIMARY) -> tuple[Mapping[str, Sight], float]:
        begun = self.whole.clock.now()
        sights = look(self.eyes, self.whole.policy, interest, self.awaited).sights
        return sights, self.whole.clock.now() - begun


@pytest.fixture
def looks() -> Looks:
    return Looks()


def test_a_silent_server_delays_the_look_that_meets_it_and_no_other(looks: Looks) -> None:
    timeout = looks.whole.policy.detection.timeout
    assert looks.look()[1] == pytest.approx(timeout)
    for _ in range(3):
        looks.whole.clock.sleep(1.0)
        sights, took = looks.look()
        assert took == 0.0
        assert list(sights) == ["db1", "db2", "db3"]
        assert all(isinstance(sights[name], ServerState) for name in ("db1", "db2"))
        silent = sights["db3"]
        assert isinstance(silent, Unreachable)
        assert (silent.why, silent.read_at) == (Why.TIMED_OUT, looks.whole.clock.now())


def test_no_server_is_asked_twice_at_once(looks: Looks) -> None:
    for _ in range(4):
        looks.look()
    assert len(looks.tasks.under_way) == 1
    looks.tasks.done()
    looks.look()
    assert len(looks.tasks.under_way) == 1


def test_what_answers_again_is_read_by_the_next_look(looks: Looks) -> None:
    looks.look()
    looks.look()
    looks.manager.servers.cut.clear()
    assert isinstance(looks.look()[0]["db3"], Unreachable), "its probe has not come back"
    looks.tasks.done()
    db3 = looks.whole.mysqlds["db3"]
    db3.read_only = db3.super_read_only = False
    state = looks.look()[0]["db3"]
    assert isinstance(state, ServerState)
    assert state.writable, "what the probe read is old by now"
    assert looks.tasks.under_way == []


def test_a_refusal_ends_it_too(looks: Looks) -> None:
    looks.look()
    looks.manager.servers.cut.clear()
    looks.whole.mysqlds["db3"].kill()
    looks.look()
    looks.tasks.done()
    refused = looks.look()[0]["db3"]
    assert isinstance(refused, Unreachable)
    assert refused.why is Why.REFUSED


def test_a_call_that_breaks_is_no_silence(looks: Looks) -> None:
    looks.look()
    looks.look()
    looks.manager.servers.cut.clear()
    db3 = looks.manager.servers.mysqlds.pop("db3")  # type: ignore[attr-defined]
    looks.tasks.done()
    looks.manager.servers.mysqlds["db3"] = db3  # type: ignore[index]
    assert isinstance(looks.look()[0]["db3"], ServerState)


def test_while_the_primary_is_missed_everybody_is_waited_for(looks: Looks) -> None:
    """Whoever may veto is heard to the end, as the rules expect it."""
    looks.look()
    looks.manager.servers.cut.clear()
    assert isinstance(looks.look(Interest("db1", misses=1))[0]["db3"], ServerState)


def test_an_old_primary_that_fell_silent_is_awaited_after_its_failover(looks: Looks) -> None:
    looks.manager.servers.cut = {"db1"}
    looks.look()
    assert looks.look(Interest("db2"))[1] == 0.0


def test_the_primary_itself_is_always_waited_for(looks: Looks) -> None:
    looks.manager.servers.cut = {"db1"}
    timeout = looks.whole.policy.detection.timeout
    assert [looks.look()[1] for _ in range(3)] == pytest.approx([timeout] * 3)


def test_the_service_looks_at_the_others_each_interval(looks: Looks) -> None:
    """With a time-out of four intervals: the turns after the first take nothing and rest a whole interval."""
    policy = looks.whole.policy
    slow = replace(policy, detection=replace(policy.detection, timeout=4 * policy.detection.interval))
    looks.manager.world = replace(looks.manager.world, eyes=looks.eyes, policy=slow)
    looks.manager.turns()
    begun = looks.whole.clock.now()
    looks.manager.turns(4)
    assert looks.whole.clock.now() - begun == pytest.approx(4 * policy.detection.interval)
    assert looks.manager.memory.verdict is not None
    assert [(p.id, p.server) for p in looks.manager.memory.verdict.problems] == [("unreachable", "db3")]


def test_a_primary_is_read_by_a_login_where_that_is_asked_for(looks: Looks) -> None:
    looks.manager.servers.cut.clear()
    before = dict(looks.manager.servers.monitoring)
    sights, _ = looks.look(replace(PRIMARY, anew=True))
    after = looks.manager.servers.monitoring
    assert {name for name in after if after[name] != before[name]} == {"db1"}
    state = sights["db1"]
    assert isinstance(state, ServerState)
    assert state.server_uuid == uuid_of("db1")
    looks.look(replace(PRIMARY, anew=True, misses=1))
    assert looks.manager.servers.monitoring["db2"] == before["db2"]
    assert looks.manager.servers.monitoring["db1"] not in {before["db1"], None}
