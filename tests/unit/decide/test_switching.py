"""Every row of what stands against a planned change, and who takes over."""

from __future__ import annotations

import dataclasses
import string

import pytest

from failoverd.decide.situation import Situation
from failoverd.decide.switching import SWITCHING, switching
from failoverd.gtid import GtidSet
from failoverd.model.plans import Kind, Request, Requester
from failoverd.model.policy import Promote
from failoverd.model.snapshot import TopologySnapshot
from tests.scenarios.world import build

GOOD = ("db1 up", "db2 replica", "db3 replica")


def situation(*lines: str, to: str = "") -> Situation:
    request = Request("shop", Kind.SWITCHOVER, Requester("person"), to)
    return dataclasses.replace(build(list(lines)).situation(), request=request)


def altered(s: Situation, name: str, **values: object) -> Situation:
    """The same with other values of one server's state."""
    state = s.snapshot.state(name)
    assert state is not None
    sights = {**s.snapshot.sights, name: dataclasses.replace(state, **values)}  # type: ignore[arg-type]
    snapshot: TopologySnapshot = dataclasses.replace(s.snapshot, sights=sights)
    return dataclasses.replace(s, snapshot=snapshot)


def lossless(s: Situation, wait_count: int) -> Situation:
    semi_sync = dataclasses.replace(s.policy.semi_sync, wait_count=wait_count)
    policy = dataclasses.replace(s.policy, durability="lossless", semi_sync=semi_sync)
    return dataclasses.replace(s, policy=policy)


def unrecorded(s: Situation) -> Situation:
    return dataclasses.replace(s, history=dataclasses.replace(s.history, recorded=None))


def busy(s: Situation) -> Situation:
    return dataclasses.replace(s, history=dataclasses.replace(s.history, open_operation="op1"))


def behind(s: Situation) -> Situation:
    return dataclasses.replace(s, history=dataclasses.replace(s.history, epoch=3, agents_epoch=7))


STRANGE = GtidSet.parse("00000000-0000-0000-0000-00000000000f:1")
CASES = {
    "not-recorded": unrecorded(situation(*GOOD)),
    "primary-dead": situation("db1 down", *GOOD[1:], "history misses=1 down=0"),
    "primary-closed": altered(situation(*GOOD), "db1", read_only=True),
    "two-writable": altered(situation(*GOOD), "db3", read_only=False, super_read_only=False),
    "operation-open": busy(situation(*GOOD)),
    "epoch-behind": behind(situation(*GOOD)),
    "already-primary": situation(*GOOD, to="db1"),
    "no-candidate": situation("db1 up", "db2 down", "db3 down"),
    "not-following": situation("db1 up", "db2 replica receiver=no", "db3 replica", to="db2"),
    "purged-logs": altered(situation(*GOOD), "db2", purged=STRANGE),
    "no-ackers": lossless(situation(*GOOD), 3),
}


def test_nothing_stands_against_a_healthy_cluster() -> None:
    ranking, found = switching(situation(*GOOD))
    assert (ranking.elect, found) == ("db2", ())


@pytest.mark.parametrize("row", [row.id for row in SWITCHING])
def test_each_row_speaks_in_its_own_case(row: str) -> None:
    assert row in [refusal.id for refusal in switching(CASES[row])[1]]
    without = tuple(other for other in SWITCHING if other.id != row)
    assert row not in [refusal.id for refusal in switching(CASES[row], without)[1]]


def test_sentences_name_only_what_they_are_given() -> None:
    for row in SWITCHING:
        assert {name for _, name, _, _ in string.Formatter().parse(row.sentence) if name} <= {"primary", "detail"}


def preferring(name: str, promote: Promote) -> Situation:
    s = situation(*GOOD)
    servers = tuple(dataclasses.replace(x, promote=promote) if x.name == name else x for x in s.policy.servers)
    return dataclasses.replace(s, policy=dataclasses.replace(s.policy, servers=servers))


def test_preference_counts_more_than_a_moments_lead() -> None:
    assert switching(preferring("db3", Promote.PREFER))[0].elect == "db3"
    assert switching(preferring("db2", Promote.AVOID))[0].elect == "db3"
    assert switching(preferring("db2", Promote.NEVER))[0].elect == "db3"


def test_who_cannot_follow_now_takes_over_last() -> None:
    assert switching(situation("db1 up", "db2 replica receiver=no applier=no", "db3 replica"))[0].elect == "db3"
