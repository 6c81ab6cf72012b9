"""The write probe: who writes, where, and when; and that a hang is found by it alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failoverd.model.history import Pause
from failoverd.model.policy import DetectionPolicy, Reaction, Reactions
from failoverd.model.verdict import VerdictName
from failoverd.model.writing import WriteProbe
from tests.fakes.whole import Manager, Whole


def probing(whole: Whole, name: str = "m1") -> Manager:
    """A manager of a cluster with a write probe."""
    probe = WriteProbe("failoverd.heartbeat", 1.0)
    whole.policy = replace(whole.policy, detection=replace(whole.policy.detection, write_probe=probe))
    return whole.manager(name)


@pytest.fixture
def whole() -> Whole:
    return Whole()


def test_only_the_active_manager_writes_and_only_on_the_primary(whole: Whole) -> None:
    active, standby = probing(whole).turns(3), probing(whole, "m2").turns(3)
    assert set(active.servers.written) == {"db1"}
    assert standby.servers.written == []


def test_nobody_writes_without_being_asked_to(whole: Whole) -> None:
    assert whole.manager().turns(3).servers.written == []


def closed(whole: Whole) -> None:
    whole.mysqlds["db1"].super_read_only = True


def another(whole: Whole) -> None:
    whole.mysqlds["db1"].server_uuid = "00000000-0000-0000-0000-000000000099"


def second(whole: Whole) -> None:
    whole.mysqlds["db2"].read_only = whole.mysqlds["db2"].super_read_only = False


@pytest.mark.parametrize("change", [closed, another, second])
def test_nothing_is_written_where_it_could_be_an_errant_transaction(whole: Whole, change: object) -> None:
    manager = probing(whole).turns(3)
    change(whole)  # type: ignore[operator]
    manager.servers.written.clear()
    manager.turns(3)
    assert manager.servers.written == []


def test_nothing_is_written_while_the_cluster_is_paused(whole: Whole) -> None:
    manager = probing(whole).turns(3)
    manager.coordination.pause("shop", Pause("anna", "looks at it"))
    manager.turns(12)
    manager.servers.written.clear()
    manager.turns(3)
    assert manager.servers.written == []


def verdict_after(manager: Manager, turns: int) -> tuple[VerdictName, str]:
    """The verdict and its rule after so many turns."""
    found = manager.turns(turns).memory.verdict
    assert found is not None
    return found.name, found.rule


@pytest.mark.parametrize(("reaction", "primary"), [(Reaction.ALERT, "db1"), (Reaction.FAILOVER, "db2")])
def test_a_hang_that_no_session_shows_is_found(whole: Whole, reaction: Reaction, primary: str) -> None:
    whole.policy = replace(
        whole.policy,
        detection=DetectionPolicy(hung_after=3.0),
        failover=replace(whole.policy.failover, on=Reactions(hung=reaction)),
    )
    manager = probing(whole).turns(3)
    whole.mysqlds["db1"].writes_hang = True
    assert verdict_after(manager, 3) == (VerdictName.HEALTHY, "healthy"), "not yet for long enough"
    seen = [verdict_after(manager, 1) for _ in range(9)]
    assert (VerdictName.PRIMARY_HUNG, "write-probe") in seen
    recorded = manager.coordination.recorded("shop")
    assert recorded is not None
    assert recorded.name == primary


def test_without_the_probe_the_same_hang_is_not_seen(whole: Whole) -> None:
    whole.policy = replace(whole.policy, detection=DetectionPolicy(hung_after=3.0))
    manager = whole.manager().turns(3)
    whole.mysqlds["db1"].writes_hang = True
    assert verdict_after(manager, 20) == (VerdictName.HEALTHY, "healthy")
