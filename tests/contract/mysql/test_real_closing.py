"""Closing a real server: transactions, XA, privileged sessions, and a statement that is not answered in time."""

from __future__ import annotations

import contextlib
import time

import pymysql
import pytest

from failoverd.model.errors import ServerError, StepFailed, TimedOut
from failoverd.ports import ClaimedServer
from tests.contract.mysql.worlds import RealWorld, within
from tests.fakes.coordination import FakeLease

CLUSTER, LONG = "Shop", 5.0


def claimed(real: RealWorld) -> ClaimedServer:
    return real.servers().claim(CLUSTER, "db1", FakeLease(1), LONG)


def test_an_open_transaction_is_the_same_work_in_every_look(real: RealWorld) -> None:
    claim = claimed(real)
    with real.client("db1") as client:
        client.say("BEGIN")  # type: ignore[attr-defined]
        client.say("INSERT INTO app.t (body) VALUES ('x')")  # type: ignore[attr-defined]
        within(LONG, lambda: claim.work() != (), "the sight of it")
        (first,) = claim.work()
        assert "changed 1 row" in first.what
        time.sleep(0.2)  # the server lists transactions anew only when nobody asked for 0.1 s
        assert claim.work() == (first,)
        client.say("COMMIT")  # type: ignore[attr-defined]
        time.sleep(0.2)
        assert claim.work() == ()


def test_what_is_prepared_is_named_and_keeps_the_set_from_being_final(real: RealWorld) -> None:
    claim, mysqld = claimed(real), real.mysqlds["db1"]
    mysqld.rows("XA START 'x'", "INSERT INTO app.t (body) VALUES ('x')", "XA END 'x'", "XA PREPARE 'x'")
    assert claim.prepared() == ("x",)
    assert claim.try_close(LONG)
    with pytest.raises(StepFailed, match="1 prepared"):
        claim.final_set()
    mysqld.rows("XA COMMIT 'x'")  # through super_read_only: this is why
    assert claim.final_set() == real.executed("db1")


def test_a_close_that_is_not_answered_in_time_has_ended_once_the_server_is_claimed_again(real: RealWorld) -> None:
    claim, mysqld = claimed(real), real.mysqlds["db1"]
    with real.client("db1") as client:
        client.lock_tables()
        with pytest.raises(TimedOut):
            claim.try_close(0.3)
        again = claimed(real)
        assert not again.read().super_read_only
        waiting = "SELECT COUNT(*) AS n FROM information_schema.processlist WHERE INFO LIKE 'SET GLOBAL super%'"
        assert mysqld.rows(waiting) == [{"n": 0}]
    time.sleep(0.3)  # the lock is gone: what was still waiting for it would take effect now
    assert not again.read().super_read_only


def test_sessions_with_the_right_to_stay_are_ended_too(real: RealWorld) -> None:
    claim, mysqld = claimed(real), real.mysqlds["db1"]
    mysqld.rows("CREATE USER boss@'%' IDENTIFIED BY 'boss'")
    mysqld.rows("GRANT ALL ON *.* TO boss@'%'")
    try:
        with contextlib.suppress(pymysql.Error), real.client("db1", "boss", "boss") as client:
            claim.try_close(LONG)
            claim.keep_out()
            within(LONG, lambda: not client.lives(), "the end of the session")
    finally:
        claim.let_in()
        claim.open_writes()
        mysqld.rows("DROP USER boss@'%'")


def test_peoples_own_query_only_reads_and_is_ended_in_time(real: RealWorld) -> None:
    claim, mysqld = claimed(real), real.mysqlds["db1"]
    mysqld.rows(
        "SET GLOBAL log_bin_trust_function_creators = ON",
        "CREATE FUNCTION app.writes() RETURNS INT BEGIN INSERT INTO app.t (body) VALUES ('x'); RETURN 1; END",
        "GRANT EXECUTE ON app.* TO failoverd@'%'",
    )
    before = real.executed("db1")
    with pytest.raises(ServerError, match="READ ONLY") as refused:
        claim.asked("SELECT app.writes()", 1.0)
    assert refused.value.code == 1792
    long = (
        "SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b, information_schema.columns c"
    )
    with pytest.raises(ServerError) as late:
        claim.asked(long, 0.2)
    assert late.value.code == 3024
    for query, says in (("SELECT 7.5", 7.5), ("select NULL", 0), ("SELECT 1 FROM DUAL WHERE 0 LIKE '1%'", 0)):
        assert claim.asked(query, 1.0) == says
    with pytest.raises(StepFailed, match="'later' is no number"):
        claim.asked("SELECT 'later'", 1.0)
    assert real.executed("db1") == before
    assert claim.try_close(LONG), "nothing of a transaction is left"


def test_an_event_that_came_by_replication_is_asleep(real: RealWorld) -> None:
    real.mysqlds["db1"].rows(
        "GRANT EVENT ON app.* TO failoverd@'%'", "CREATE EVENT app.hourly ON SCHEDULE EVERY 1 HOUR DO SELECT 1"
    )
    assert claimed(real).events_asleep() == ()
    replica = real.servers().claim(CLUSTER, "db2", FakeLease(1), LONG)
    within(LONG, lambda: replica.events_asleep() != (), "the event on the replica")
    (event,) = replica.events_asleep()
    assert (str(event), event.definer) == ("app.hourly", "root@localhost")
    real.mysqlds["db2"].rows("SET GLOBAL super_read_only = OFF", "SET sql_log_bin = OFF", event.enabling())
    assert replica.events_asleep() == ()
