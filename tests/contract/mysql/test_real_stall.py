"""What only real servers can show about appliers that are held up: who is named, who is ended, and who never is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from failoverd.model.errors import StepFailed
from failoverd.model.sight import Thread
from failoverd.model.stall import Stall
from failoverd.ports import ClaimedServer
from tests.contract.mysql.test_real_recovery import lay_out
from tests.contract.mysql.worlds import CLOCK, CLUSTER, RealWorld, within
from tests.fakes.coordination import FakeLease

LONG = 10.0
LOCKS = {
    "a table lock for reading": ("LOCK TABLES app.t READ",),
    "a table lock for writing": ("LOCK TABLES app.t WRITE",),
    "the global read lock": ("FLUSH TABLES WITH READ LOCK",),
    "row locks": ("BEGIN", "SELECT * FROM app.t FOR UPDATE"),
}


@contextlib.contextmanager
def locked(world: RealWorld, server: str, *statements: str) -> Iterator[Any]:
    """A session that has said this, on a server that lets it."""
    world.mysqlds[server].rows("SET GLOBAL read_only = OFF")  # or nobody could hold such locks there
    session = world.mysqlds[server].connect()
    try:
        with session.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        yield session
    finally:
        with contextlib.suppress(Exception):
            session.close()


def prepared(world: RealWorld, server: str) -> ClaimedServer:
    """A row that both have, and a claim."""
    world.write("db1", 1)
    within(LONG, lambda: world.executed(server) == world.executed("db1"), "the replica caught up")
    return world.servers().claim(CLUSTER, server, FakeLease(5), LONG)


def held_up(claimed: ClaimedServer) -> Stall:
    """The first stall with a blocker in it; InnoDB's list of transactions stands still for whoever asks too often."""
    end = CLOCK.now() + LONG
    while not (found := claimed.stalled_by()).blockers:
        assert CLOCK.now() < end, f"nobody was seen: {found}"
        CLOCK.sleep(0.2)
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_the_session_that_holds_an_applier_up_is_named_and_ended(real: RealWorld, lock: str) -> None:
    claimed = prepared(real, "db2")
    with locked(real, "db2", *LOCKS[lock]) as session, locked(real, "db2", "BEGIN", "SELECT 1 FROM mysql.user"):
        real.mysqlds["db1"].rows("UPDATE app.t SET body = 'q'")
        (blocker,) = held_up(claimed).blockers
        assert blocker.session == session.thread_id()
        assert blocker.account == "root@localhost"
        assert blocker.may_end
        assert blocker.holds
        assert claimed.end_blocker(blocker)
        assert claimed.wait_executed(real.executed("db1"), LONG)
        assert not claimed.end_blocker(blocker), "nobody is ended who holds nothing up any more"
        assert claimed.stalled_by().blockers == ()


def test_who_waits_before_the_applier_is_in_its_way_too(real: RealWorld) -> None:
    claimed = prepared(real, "db2")
    with locked(real, "db2", "BEGIN", "SELECT * FROM app.t") as reading, locked(real, "db2") as altering:
        altering.query_sent = altering._execute_command(3, "ALTER TABLE app.t ADD COLUMN extra INT")
        waits = "SELECT COUNT(*) FROM performance_schema.metadata_locks WHERE LOCK_STATUS = 'PENDING'"
        within(LONG, lambda: real.mysqlds["db2"].value(waits) != "0", "the ALTER waited")
        real.write("db1", 1)
        found = held_up(claimed)
        assert {b.session for b in found.blockers} == {reading.thread_id(), altering.thread_id()}
        for blocker in found.blockers:
            claimed.end_blocker(blocker)
        assert claimed.wait_executed(real.executed("db1"), LONG)


def test_without_performance_schema_a_lone_holder_of_row_locks_is_named(real: RealWorld) -> None:
    claimed = prepared(real, "db3")
    with locked(real, "db3", *LOCKS["row locks"]) as session:
        real.mysqlds["db1"].rows("UPDATE app.t SET body = 'q'")
        (blocker,) = held_up(claimed).blockers
        assert blocker.session == session.thread_id()
        assert claimed.end_blocker(blocker)
        assert claimed.wait_executed(real.executed("db1"), LONG)


def test_without_performance_schema_other_locks_are_said_and_nobody_is_ended(real: RealWorld) -> None:
    claimed = prepared(real, "db3")
    with locked(real, "db3", *LOCKS["the global read lock"]):
        real.write("db1", 1)
        within(LONG, lambda: claimed.stalled_by().waiting != (), "the applier waited")
        stall = claimed.stalled_by()
        assert stall.blockers == ()
        assert "Waiting for global read lock" in stall.explained(claimed.read())
        assert "performance_schema is off" in stall.explained(claimed.read())


def test_an_idle_applier_is_held_up_by_nobody(real: RealWorld) -> None:
    claimed = prepared(real, "db2")
    with locked(real, "db2", *LOCKS["a table lock for reading"]):
        assert claimed.stalled_by() == Stall()


def test_an_applier_whose_lock_wait_ran_out_stops_with_an_error_that_a_start_heals(real: RealWorld) -> None:
    replica = real.mysqlds["db2"]
    before = [
        replica.value(f"SELECT @@GLOBAL.{name}") for name in ("innodb_lock_wait_timeout", "replica_transaction_retries")
    ]
    claimed = prepared(real, "db2")
    try:
        replica.rows("SET GLOBAL innodb_lock_wait_timeout = 1", "SET GLOBAL replica_transaction_retries = 0")
        replica.rows("STOP REPLICA SQL_THREAD FOR CHANNEL ''", "START REPLICA SQL_THREAD FOR CHANNEL ''")
        with locked(real, "db2", *LOCKS["row locks"]):
            real.mysqlds["db1"].rows("UPDATE app.t SET body = 'q'")
            within(LONG, lambda: _applier(claimed) is Thread.NO, "the applier stopped")
            main = claimed.read().main
            assert main is not None
            assert main.applier_trouble.code == 1205
        claimed.start_applier("")
        assert claimed.wait_executed(real.executed("db1"), LONG)
    finally:
        replica.rows(
            f"SET GLOBAL innodb_lock_wait_timeout = {before[0]}",
            f"SET GLOBAL replica_transaction_retries = {before[1]}",
        )


def _applier(claimed: ClaimedServer) -> Thread | None:
    main = claimed.read().main
    return main.applier if main else None


FILTERS = (
    "REPLICATE_IGNORE_DB = (other, `with space`), REPLICATE_WILD_IGNORE_TABLE = ('app.tmp%', 'app.x\\\\_y'),"
    " REPLICATE_IGNORE_TABLE = (app.left_out), REPLICATE_REWRITE_DB = ((a, b), (c, d))"
)
NONE = ", ".join(f"REPLICATE_{name} = ()" for name in ("IGNORE_DB", "WILD_IGNORE_TABLE", "IGNORE_TABLE", "REWRITE_DB"))
LISTED = (
    "SELECT FILTER_NAME, FILTER_RULE FROM performance_schema.replication_applier_filters"
    " WHERE CHANNEL_NAME = '{}' ORDER BY FILTER_NAME"
)


def test_the_splice_channel_has_the_filters_of_the_default_channel(real: RealWorld) -> None:
    db1, db2 = real.mysqlds["db1"], real.mysqlds["db2"]
    filtered = "STOP REPLICA FOR CHANNEL ''", f"CHANGE REPLICATION FILTER {FILTERS} FOR CHANNEL ''"
    db2.rows(*filtered, "START REPLICA FOR CHANNEL ''")
    try:
        claimed = prepared(real, "db2")
        claimed.stop_receiver(LONG)
        db1.rows(
            "CREATE TABLE app.s (id INT PRIMARY KEY)", "CREATE TABLE app.tmp1 (id INT)", "INSERT INTO app.s VALUES (1)"
        )
        everything = real.executed("db1")
        real.kill("db1")
        assert claimed.adopt_spliced(lay_out(real, "db1", "db2")) == everything
        assert db2.rows(LISTED.format("fo_recover")) == db2.rows(LISTED.format(""))
        assert len(db2.rows(LISTED.format("fo_recover"))) == 4
        assert claimed.wait_executed(everything, LONG)
        claimed.drop_spliced()
        assert [row["Tables_in_app"] for row in db2.rows("SHOW TABLES IN app")] == ["s", "t"]
    finally:
        db2.rows("STOP REPLICA FOR CHANNEL ''", f"CHANGE REPLICATION FILTER {NONE} FOR CHANNEL ''")
        db2.rows("SET sql_log_bin = 0", "SET GLOBAL read_only = OFF", "DROP TABLE IF EXISTS app.s")
        db1.start()
        db1.rows("SET sql_log_bin = 0", "DROP TABLE IF EXISTS app.tmp1")


def test_a_splice_that_was_interrupted_is_done_again(real: RealWorld) -> None:
    claimed = prepared(real, "db2")
    claimed.stop_receiver(LONG)
    real.write("db1", 30)
    everything = real.executed("db1")
    real.kill("db1")
    with locked(real, "db2", "LOCK TABLES app.t READ"):
        claimed.adopt_spliced(lay_out(real, "db1", "db2"))
        again = real.servers("m2").claim(CLUSTER, "db2", FakeLease(6), LONG)  # the first manager is gone
        assert [channel.name for channel in again.read().channels] == ["", "fo_recover"]
        (blocker,) = held_up(again).blockers
        again.end_blocker(blocker)
    again.drop_spliced()
    again.adopt_spliced(lay_out(real, "db1", "db2"))
    assert again.wait_executed(everything, LONG)
    again.drop_spliced()
    assert again.read().executed == everything


@contextlib.contextmanager
def forgetful(world: RealWorld, server: str) -> Iterator[None]:
    """The server is set up to throw its relay logs away when it starts, as many are."""
    mysqld = world.mysqlds[server]
    plain = mysqld.extra
    try:
        for extra in ((*plain, "--relay-log-recovery=ON"), plain):
            mysqld.extra = extra
            mysqld.kill()
            mysqld.start()
            if extra != plain:
                yield
    finally:
        mysqld.extra = plain


def test_a_splice_works_where_relay_logs_are_thrown_away_at_a_start(real: RealWorld) -> None:
    real.mysqlds["db2"].rows("STOP REPLICA FOR CHANNEL ''")
    with forgetful(real, "db2"):
        real.write("db1", 5)
        everything = real.executed("db1")
        claimed = real.servers().claim(CLUSTER, "db2", FakeLease(5), LONG)
        with pytest.raises(StepFailed, match="lay the files out"):
            claimed.adopt_spliced("relay-fo_recover.000001")
        assert claimed.adopt_spliced(lay_out(real, "db1", "db2")) in (everything, type(everything)())
        assert claimed.wait_executed(everything, LONG)
        claimed.drop_spliced()
