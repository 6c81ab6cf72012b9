"""What the memory keeps, forgets, and never mistakes for a miss."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.history import History, Pause, Recorded
from failoverd.model.sight import Endpoint, ServerState, Sight, Unreachable, Why
from failoverd.model.snapshot import TopologySnapshot

UUID = "00000000-0000-0000-0000-000000000001"
OTHER = "00000000-0000-0000-0000-000000000002"


def state(
    executed: str = f"{UUID}:1-10", *, at: float = 5.0, writable: bool = True, started: float = 1.0
) -> ServerState:
    return ServerState(
        name="db1",
        endpoint=Endpoint("10.0.0.1", 3306),
        version="9.7.4",
        server_uuid=UUID,
        server_id=1,
        read_only=not writable,
        super_read_only=not writable,
        executed=GtidSet.parse(executed),
        purged=GtidSet(),
        channels=(),
        started_at=started,
        read_at=at,
    )


def missed(why: Why, at: float) -> Unreachable:
    return Unreachable("db1", why, str(why), at)


def seen(sight: Sight) -> TopologySnapshot:
    return TopologySnapshot("shop", 5.0, MappingProxyType({"db1": sight}))


def after(*sights: Sight, history: History | None = None) -> History:
    memory = history or History(recorded=Recorded("db1", UUID, 3))
    for sight in sights:
        memory = memory.after(seen(sight))
    return memory


def test_a_look_at_it_writable_is_kept() -> None:
    memory = after(state(at=5.0, started=1.0))
    assert (memory.last_writable_at, memory.last_started_at) == (5.0, 1.0)
    assert memory.last_executed == GtidSet.parse(f"{UUID}:1-10")
    assert memory.holdings() == {"db1": GtidSet.parse(f"{UUID}:1-10")}


def test_a_look_at_it_closed_keeps_what_was_seen_before() -> None:
    memory = after(state(at=5.0), state(f"{UUID}:1-20", at=6.0, writable=False, started=5.9))
    assert (memory.last_writable_at, memory.last_started_at) == (5.0, 1.0)
    assert memory.last_executed == GtidSet.parse(f"{UUID}:1-10")
    assert memory.holdings()["db1"] == GtidSet.parse(f"{UUID}:1-20")


def test_misses_in_a_row_are_counted_from_the_first() -> None:
    memory = after(
        missed(Why.TIMED_OUT, 6.0), missed(Why.REFUSED, 7.0), missed(Why.LEAVING, 8.0), missed(Why.RESET, 9.0)
    )
    assert (memory.misses, memory.down_since) == (4, 6.0)
    assert (memory.refused_since, memory.leaving_since) == (7.0, 8.0)


@pytest.mark.parametrize("sight", [state(), missed(Why.ALIVE, 7.0), missed(Why.ACCESS_DENIED, 7.0)])
def test_a_sign_of_life_ends_the_row(sight: Sight) -> None:
    memory = after(missed(Why.REFUSED, 6.0), missed(Why.LEAVING, 6.5), sight)
    assert (memory.misses, memory.down_since, memory.refused_since, memory.leaving_since) == (0, None, None, None)


@pytest.mark.parametrize("why", [Why.OWN_SIDE, Why.NOT_ASKED])
def test_a_fault_on_our_side_changes_nothing(why: Why) -> None:
    before = after(missed(Why.TIMED_OUT, 6.0))
    assert after(missed(why, 7.0), history=before) == before


def test_another_primary_starts_with_an_empty_memory() -> None:
    memory = replace(after(state(), missed(Why.REFUSED, 6.0)), last_failover_at=9.0, paused=Pause("anna", "x"))
    moved = replace(memory, recorded=Recorded("db2", OTHER, 4)).after(seen(state()))
    assert (moved.misses, moved.last_writable_at, moved.last_executed) == (0, None, GtidSet())
    assert (moved.last_failover_at, moved.paused) == (9.0, Pause("anna", "x"))
    assert moved.holdings() == memory.holdings()


def test_without_a_record_only_holdings_are_kept() -> None:
    memory = History().after(seen(state()))
    assert list(memory.holdings()) == ["db1"]
    assert (memory.last_writable_at, memory.misses) == (None, 0)
