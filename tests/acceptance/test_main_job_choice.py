"""Who takes over and who does not: shunned, dead and errant replicas."""

from __future__ import annotations

from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import (
    NOTHING_LOST,
    ends_of,
    inside,
    prepared,
    rehearsal,
    replication,
    supervisor,
    writable,
)


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
