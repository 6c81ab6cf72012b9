"""Appliers that are held up while the primary dies: the session in the way is named, and ended where policy says so.

Remedy: `Drainage._release`; without it (`failover.kill_blockers: false`) the failover is refused and the session named.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import (
    Rehearsal,
    eventually,
    executed,
    inside,
    received,
    rehearsal,
    replication,
    writable,
)

LOCKS = {"table": "LOCK TABLES app.numbered READ", "global": "FLUSH TABLES WITH READ LOCK"}


def held_up(play: Rehearsal, statement: str) -> None:
    """Every replica has received what it cannot execute, and then the primary's host is gone."""
    for server in play.replicas():
        play.lab.fault.hold_lock(server, statement)
    play.go_on(60)
    play.writer.pause()
    wanted = executed(play.lab, "db1")
    for server in play.replicas():
        eventually(lambda server=server: received(play.lab, server, wanted), bool, f"{server} with all that db1 has")  # type: ignore[misc]
        assert not inside(play.lab, server, wanted)
    play.lab.fault.poweroff("db1")
    play.writer.resume()


@pytest.mark.parametrize("lock", LOCKS)
def test_the_session_in_the_way_of_the_elect_is_ended_and_nothing_is_lost(lab: LabFactory, lock: str) -> None:
    with rehearsal(lab(performance_schema=True)) as play:
        play.begin()
        held_up(play, LOCKS[lock])
        shown = play.ended()
        elect = shown["new_primary"]
        (other,) = set(play.replicas()) - {elect}
        assert "ended session" in details(shown)
        assert shown["lost"]["transactions"] == 0
        play.lab.fault.heal()  # also lets the other one go on, whose blocker is nobody's business
        play.settled(elect, (other,))


def test_where_policy_forbids_it_the_session_is_named_and_the_failover_refused(lab: LabFactory) -> None:
    settings = {"clusters": {"shop": {"failover": {"kill_blockers": False, "drain_timeout": "3s"}}}}
    with rehearsal(lab(performance_schema=True, settings=settings)) as play:
        play.begin()
        held_up(play, LOCKS["table"])
        _, shown = play.last()
        assert shown["outcome"] == "refused"
        (refusal,) = shown["refusals"]
        assert refusal["id"] == "recovery-incomplete"
        assert "root@localhost holds a lock on table app.numbered" in refusal["sentence"]
        assert writable(play.lab) == ()
        assert all(replication(play.lab, server)["Replica_SQL_Running"] == "Yes" for server in play.replicas())
        play.lab.fault.heal()
        eventually(lambda: play.operations()[0]["outcome"], lambda found: found == "done", "the next attempt", 120.0)
        (elect,) = writable(play.lab)
        play.settled(elect, tuple(set(play.replicas()) - {elect}))


def details(shown: Any) -> str:
    """What the steps say they found and did."""
    return "; ".join(step["detail"] for step in shown["steps"])
