"""The main job on real servers: the primary dies, the most advanced replica takes over, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest

from failoverd.lab import Lab, keeping
from failoverd.lab.demo import parse
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import (
    ends_of,
    eventually,
    executed,
    inside,
    rehearsal,
    replication,
    saved_count,
    writable,
)

supervisor = pytest.mark.parametrize("supervised", [False, True], ids=["bare", "supervised"])
# A supervisor that is quicker than a busy machine's manager makes the death a restart, which is opened again: that has
# tests of its own. Here it comes late enough for the death to be seen, and while the failover is under way.
RESTART_AFTER = 1.0
NOTHING_LOST = {"transactions": 0, "gtids": "", "at_least": False}


def prepared(lab: LabFactory, *, supervised: bool, never: str = "", **options: Any) -> Lab:
    """A lab, in which one server must never be promoted, or none; its first primary may have a supervisor."""
    one = lab(**options)
    if never:
        one.configure({"clusters": {"shop": {"servers": {never: {"promote": "never"}}}}})
    if supervised:
        keeping.ask(one.hosts["db1"], "supervise", service="mysqld", restart=RESTART_AFTER)
    return one


def starts(lab: Lab, server: str) -> int:
    """How often that server's mysqld was started."""
    services: Any = keeping.ask(lab.hosts[server], "status")["services"]
    return int(services["mysqld"]["starts"])


@supervisor
def test_the_primary_is_killed(lab: LabFactory, supervised: bool) -> None:
    with rehearsal(prepared(lab, supervised=supervised)) as play:
        play.begin()
        killed_at = play.kill_primary()
        shown = play.ended()
        elect = shown["new_primary"]
        (other,) = set(play.replicas()) - {elect}
        account = play.settled(elect, (other,))
        assert shown["old_primary"] == "db1"
        assert shown["lost"] == NOTHING_LOST
        assert shown["fenced"]["server"] == "db1"
        assert "UNFENCED" not in shown["fenced"]["how"]
        assert ends_of(shown)[other] == (True, None)
        assert shown["requested_by"]["kind"] == "automatic"
        assert {step["stage"] for step in shown["steps"]} >= {"CHECK", "FENCE", "FREEZE", "PROMOTE", "REPOINT"}
        assert parse(shown["detected"]) >= killed_at - 0.001
        assert {ack.server for ack in account.acks if ack.at > parse(shown["writable"])} == {elect}
        if supervised:
            eventually(lambda: starts(play.lab, "db1"), lambda n: n > 2, "attempts of the supervisor")
            assert writable(play.lab) == (elect,), "the fence holds"


@supervisor
def test_what_no_replica_received_comes_from_the_dead_primarys_host(lab: LabFactory, supervised: bool) -> None:
    with rehearsal(prepared(lab, supervised=supervised)) as play:
        play.begin()
        play.deaf(*play.replicas())
        play.kill_primary()
        shown = play.ended()
        elect = shown["new_primary"]
        (other,) = set(play.replicas()) - {elect}
        play.settled(elect, (other,))
        assert saved_count(shown) >= 50
        assert {saved["from"] for saved in shown["saved"]} == {"db1"}
        assert shown["lost"] == NOTHING_LOST
        assert ends_of(shown)[other] == (True, None)


@supervisor
def test_a_candidate_behind_its_peer_gets_the_rest(lab: LabFactory, supervised: bool) -> None:
    with rehearsal(prepared(lab, never="db2", supervised=supervised)) as play:
        play.begin()
        play.deaf("db3")
        play.kill_primary()
        shown = play.ended()
        assert shown["new_primary"] == "db3"
        play.settled("db3", ("db2",))
        assert saved_count(shown) >= 50
        assert {saved["from"] for saved in shown["saved"]} <= {"db1", "db2"}
        assert shown["lost"] == NOTHING_LOST
        assert ends_of(shown)["db2"] == (True, None)


@supervisor
def test_an_up_to_date_replica_that_must_never_be_promoted_stays_one(lab: LabFactory, supervised: bool) -> None:
    with rehearsal(prepared(lab, never="db2", supervised=supervised)) as play:
        play.begin()
        play.kill_primary()
        shown = play.ended()
        assert shown["new_primary"] == "db3"
        play.settled("db3", ("db2",))
        assert shown["lost"] == NOTHING_LOST
        assert ends_of(shown)["db2"] == (True, None)


def test_with_the_primarys_host_off_the_peers_logs_give_the_rest(lab: LabFactory) -> None:
    with rehearsal(prepared(lab, never="db2", supervised=False)) as play:
        play.begin()
        play.deaf("db3")
        play.writer.pause()  # what nobody but the lost host holds cannot be given back: here nothing is
        wanted = executed(play.lab, "db1")
        eventually(lambda: inside(play.lab, "db2", wanted), bool, "db2 with all that db1 has")
        play.lab.fault.poweroff("db1")
        play.writer.resume()
        shown = play.ended()
        assert shown["new_primary"] == "db3"
        play.settled("db3", ("db2",))
        assert saved_count(shown) >= 50
        assert {saved["from"] for saved in shown["saved"]} == {"db2"}
        assert shown["fenced"] == {"server": "db1", "how": "UNFENCED"}
        assert (shown["lost"]["transactions"], shown["lost"]["at_least"]) == (0, True)


@supervisor
def test_a_replica_that_dies_at_the_same_time_is_reported(lab: LabFactory, supervised: bool) -> None:
    with rehearsal(prepared(lab, supervised=supervised)) as play:
        play.begin()
        play.lab.fault.kill("db3")
        play.kill_primary()
        shown = play.ended()
        assert shown["new_primary"] == "db2"
        play.settled("db2", ())
        assert shown["lost"] == NOTHING_LOST
        attached, problem = ends_of(shown)["db3"]
        assert not attached
        assert problem
        assert "unreachable" in play.problems("db3")


@supervisor
def test_an_errant_transaction_is_never_spread(lab: LabFactory, supervised: bool) -> None:
    with rehearsal(prepared(lab, supervised=supervised)) as play:
        play.begin()
        stray = "SET GLOBAL super_read_only = OFF; CREATE TABLE app.stray (n INT PRIMARY KEY); "
        play.lab.sql("db3", stray + "SET GLOBAL super_read_only = ON")
        play.deaf("db2")  # so that the errant server is the most advanced one
        ((uuid,),) = play.lab.sql("db3", "SELECT @@server_uuid")
        play.kill_primary()
        shown = play.ended()
        assert shown["new_primary"] == "db2"
        play.settled("db2", ())
        assert play.lab.sql("db2", "SHOW TABLES IN app LIKE 'stray'") == ()
        assert not inside(play.lab, "db2", f"{uuid}:1")
        assert shown["lost"] == NOTHING_LOST
        attached, problem = ends_of(shown)["db3"]
        assert not attached
        assert f"{uuid}:1" in str(problem) or "errant" in str(problem)
        assert f"{uuid}:1" in play.problems("db3")["errant"]
        assert replication(play.lab, "db3")["Replica_IO_Running"] != "Yes"
        assert replication(play.lab, "db3")["Source_Host"] != play.lab.hosts["db2"].address
        assert writable(play.lab) == ("db2",)
