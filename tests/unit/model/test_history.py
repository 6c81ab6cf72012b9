"""What the memory keeps, forgets, and never mistakes for a miss."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.history import DiskTrouble, History, Pause, Recorded
from failoverd.model.host import HostFacts
from failoverd.model.sight import Endpoint, ServerState, Sight, Unreachable, Waits, Why
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


def waiting(at: float, **waits: int) -> ServerState:
    return replace(state(at=at), waits=Waits(**waits))


def facts(at: float, **values: object) -> TopologySnapshot:
    said = HostFacts("db1", True, (1,), "S", UUID, at, disk_free=10**9)
    host = replace(said, **values)  # type: ignore[arg-type]
    return TopologySnapshot("shop", at, MappingProxyType({"db1": state(at=at)}), MappingProxyType({"db1": host}))


def test_standing_still_is_counted_from_the_first_look_in_which_somebody_waited() -> None:
    memory = after(waiting(5.0, read_lock=1), waiting(6.0, read_lock=2), waiting(7.0, acknowledgement=1))
    assert memory.stuck_since == 5.0
    assert after(waiting(8.0), history=memory).stuck_since is None, "nobody waits"
    assert after(state(at=8.0), history=memory).stuck_since is None, "commits came through"


def test_crashes_are_counted_and_orderly_stops_are_not() -> None:
    once = after(state(started=1.0), missed(Why.RESET, 6.0), state(at=7.0, started=6.5, writable=False))
    assert once.crashes == (7.0,)
    assert after(state(at=8.0, started=6.9, writable=False), history=once).crashes == (7.0,), "the same start"
    told = after(missed(Why.LEAVING, 9.0), missed(Why.REFUSED, 9.5), state(at=12.0, started=11.0), history=once)
    assert told.crashes == (7.0,)
    assert after(state(at=20.0, started=19.0), history=told).crashes == (7.0, 20.0), "and then a crash again"


def test_what_the_agent_saw_of_an_orderly_end_counts_too() -> None:
    ended = TopologySnapshot(
        "shop",
        6.0,
        MappingProxyType({"db1": missed(Why.REFUSED, 6.0)}),
        MappingProxyType({"db1": HostFacts("db1", False, (), "", UUID, 6.0, orderly=True)}),
    )
    memory = after(state()).after(ended)
    assert after(state(at=9.0, started=8.0), history=memory).crashes == ()


def test_a_crash_of_another_server_at_the_address_is_not_counted() -> None:
    stranger = replace(state(at=9.0, started=8.0), server_uuid=OTHER)
    memory = after(state(), stranger)
    assert (memory.crashes, memory.last_executed) == ((), GtidSet.parse(f"{UUID}:1-10"))


def test_a_disk_is_in_trouble_when_a_second_word_says_the_same() -> None:
    memory = History(recorded=Recorded("db1", UUID, 3)).after(facts(5.0, disk_free=0))
    assert memory.disk == DiskTrouble("full", 5.0, 5.0)
    again = memory.after(facts(5.0, disk_free=0))
    assert again.disk is not None
    assert not again.disk.confirmed, "the same word is no second one"
    later = again.after(facts(10.0, disk_free=0))
    assert later.disk is not None
    assert (later.disk.since, later.disk.confirmed) == (5.0, True)
    other = later.after(facts(11.0, disk_read_only=True))
    assert other.disk == DiskTrouble("read-only", 11.0, 11.0)
    assert other.after(facts(12.0)).disk is None
    assert after(state(at=12.0), history=later).disk == later.disk, "nobody asked the agent"


def test_a_set_that_went_back_is_not_taken_for_the_last_one() -> None:
    memory = after(state(), state(f"{UUID}:1-7", at=9.0))
    assert memory.last_executed == GtidSet.parse(f"{UUID}:1-10")
    assert after(state(f"{UUID}:1-12", at=9.5), history=memory).last_executed == GtidSet.parse(f"{UUID}:1-12")
