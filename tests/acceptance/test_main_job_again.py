"""What is not a failover, what must not be the second one by itself, and a manager that works alone."""

from __future__ import annotations

import os
import signal

from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import (
    NOTHING_LOST,
    PATIENCE,
    ends_of,
    eventually,
    prepared,
    rehearsal,
    replication,
    supervisor,
    takes_writes,
    writable,
)


@supervisor
def test_an_orderly_restart_of_the_primary_is_waited_for(lab: LabFactory, supervised: bool) -> None:
    # an orderly stop takes seconds, many of them on a busy machine
    grace = {"clusters": {"shop": {"detection": {"shutdown_grace": "60s"}}}}
    with rehearsal(lab(supervised=supervised, settings=grace)) as play:
        before = play.begin()
        pid = play.lab.mysqld_pid("db1")
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: play.lab.mysqld_pid("db1"), lambda now: now != pid, "the end of the old process")
        if not supervised:
            play.lab.start_mysqld("db1")
        shown = play.ended("reopen")
        play.settled("db1", ("db2", "db3"))
        assert [o["kind"] for o in play.operations()] == ["reopen"]
        assert (shown["old_primary"], shown["new_primary"], shown["epoch"]) == ("db1", "db1", before["epoch"])
        assert shown["fenced"] is None
        assert shown["lost"] == NOTHING_LOST
        assert shown["requested_by"]["kind"] == "automatic"


def test_a_second_failover_in_a_row_needs_a_person(lab: LabFactory) -> None:
    with rehearsal(lab(replicas=3)) as play:
        play.begin()
        play.kill_primary()
        second = play.ended()["new_primary"]
        play.go_on()
        play.lab.fault.kill(second)
        told = play.managers.wait_for("a dead primary", lambda s: s["verdict"] == "primary-dead", PATIENCE)
        assert "cooldown" in {refusal["id"] for refusal in told["refusals"]}
        assert all(refusal.keys() >= {"id", "sentence", "measured", "limit"} for refusal in told["refusals"])

        code, document, said = play.command("failover", "shop", "--yes")
        assert code == 1
        assert "cooldown" in {refusal["id"] for refusal in document["refusals"]}
        assert "cooldown" in said
        assert len(play.operations()) == 1
        assert writable(play.lab) == ()

        code, document, _ = play.command("failover", "shop", "--yes", "--override", "cooldown", "--reason", "again")
        assert (code, document["outcome"]) == (0, "done"), document
        assert document["requested_by"]["kind"] == "person"
        assert document["requested_by"]["reason"] == "again"
        third = document["new_primary"]
        (other,) = set(play.replicas()) - {second, third}
        play.settled(third, (other,))
        assert [o["new_primary"] for o in play.operations()] == [third, second]
        assert document["lost"] == NOTHING_LOST
        assert ends_of(document)[other] == (True, None)


@supervisor
def test_a_manager_without_zookeeper_fails_over_too(lab: LabFactory, supervised: bool) -> None:
    with rehearsal(prepared(lab, supervised=supervised, zookeepers=0, managers=1), at="mgr1") as play:
        status = play.begin(("mgr1",))
        assert (status["coordination"], status["standby_managers"]) == ("local", [])
        play.deaf("db2", "db3")
        play.kill_primary()
        shown = play.ended()
        elect = shown["new_primary"]
        (other,) = set(play.replicas()) - {elect}
        play.settled(elect, (other,))
        assert shown["lost"] == NOTHING_LOST
        assert not takes_writes(play.lab, "db1")


def test_a_replica_that_is_not_listed_is_never_touched(lab: LabFactory) -> None:
    one = lab()
    address = {name: host.address for name, host in one.hosts.items()}
    listed = [{"name": n, "host": address[n], "agent": {"dir": str(one.hosts[n].agent_dir)}} for n in ("db1", "db2")]
    one.configure({"clusters": {"shop": {"servers": listed}}})
    with rehearsal(one) as play:
        play.begin()
        before = play.untouched()["db3"][1:]
        play.kill_primary()
        shown = play.ended()
        assert shown["new_primary"] == "db2"
        play.settled("db2", ())
        assert shown["replicas"] == [] or set(ends_of(shown)) == {"db1"}
        row = replication(one, "db3")
        assert (row["Source_Host"], row["Replica_IO_Running"]) == (address["db1"], "Connecting")
        assert before[0] == (address["db1"], 3306, "Yes", "Yes", 1)
        assert one.sql("db3", "SELECT @@super_read_only") == ((1,),)
