"""`make remedies`: the cases of recovery on real servers with their remedy left out; each must show the symptom that
the remedy is there for. A case that passes without it would prove nothing.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import pymysql
import pytest

from failoverd.gtid import GtidSet
from failoverd.model.sight import ServerState, Thread
from tests.contract.mysql.test_real_recovery import lay_out
from tests.contract.mysql.test_real_stall import LOCKS, LONG, held_up, locked, prepared
from tests.contract.mysql.troubles import half_received
from tests.contract.mysql.worlds import CLUSTER, RealWorld, within
from tests.fakes.coordination import FakeLease

SHORT = 2.0  # long enough for anything healthy here


def test_without_ending_its_worker_a_half_received_transaction_fails_the_new_primarys_clients(real: RealWorld) -> None:
    half_received(real, "db2")
    claimed = real.servers().claim(CLUSTER, "db2", FakeLease(5), LONG)
    claimed.stop_receiver(LONG)
    claimed.open_writes()
    with pytest.raises(pymysql.Error) as refused:
        real.mysqlds["db2"].rows("SET innodb_lock_wait_timeout = 1", "UPDATE app.t SET body = 'z'")
    assert refused.value.args[0] == 1205
    assert claimed.kill_partial() == 1  # or the servers of the next case could not be stopped for a minute


@pytest.mark.parametrize("lock", LOCKS)
def test_without_ending_the_session_in_the_way_nothing_is_executed(real: RealWorld, lock: str) -> None:
    claimed = prepared(real, "db2")
    with locked(real, "db2", *LOCKS[lock]):
        real.mysqlds["db1"].rows("UPDATE app.t SET body = 'q'")
        assert held_up(claimed).blockers
        assert not claimed.wait_executed(real.executed("db1"), SHORT)


def test_without_copied_filters_a_splice_brings_what_the_replica_leaves_out(real: RealWorld) -> None:
    """The splice by hand, its applier started before anybody has said the filters."""
    db1, db2 = real.mysqlds["db1"], real.mysqlds["db2"]
    change = "CHANGE REPLICATION FILTER REPLICATE_IGNORE_TABLE = ({}) FOR CHANNEL ''"
    db2.rows("STOP REPLICA FOR CHANNEL ''", change.format("app.s"), "START REPLICA FOR CHANNEL ''")
    try:
        claimed = prepared(real, "db2")
        claimed.stop_receiver(LONG)
        db1.rows("CREATE TABLE app.s (id INT PRIMARY KEY)")
        everything = real.executed("db1")
        real.kill("db1")
        adopt_by_hand(real, lay_out(real, "db1", "db2"))
        db2.rows("START REPLICA SQL_THREAD FOR CHANNEL 'fo_recover'")
        assert claimed.wait_executed(everything, LONG)
        assert db2.rows("SHOW TABLES IN app LIKE 's'")
    finally:
        db2.rows("STOP REPLICA", change.format(""))
        claimed.drop_spliced()


def adopt_by_hand(world: RealWorld, relay_log_file: str) -> None:
    """A splice channel, with nothing else done for it."""
    world.mysqlds["db2"].rows(
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'failoverd.invalid', SOURCE_USER = 'nobody',"
        f" SOURCE_AUTO_POSITION = 0, RELAY_LOG_FILE = '{relay_log_file}', RELAY_LOG_POS = 4 FOR CHANNEL 'fo_recover'"
    )


def test_a_change_of_a_splice_channel_that_is_left_deletes_its_files(real: RealWorld) -> None:
    """Why a channel that an interrupted splice left is removed whole, and the files laid out again."""
    claimed = prepared(real, "db2")
    claimed.stop_receiver(LONG)
    real.write("db1", 5)
    real.kill("db1")
    first = lay_out(real, "db1", "db2")
    adopt_by_hand(real, first)
    state = claimed.read()
    folder = Path(state.files.relay_basename).parent
    size = (folder / first).stat().st_size
    assert spliced_set(state)
    real.mysqlds["db2"].rows("CHANGE REPLICATION SOURCE TO SOURCE_CONNECT_RETRY = 3 FOR CHANNEL 'fo_recover'")
    assert spliced_set(claimed.read()) == GtidSet()
    assert not (folder / first).exists() or (folder / first).stat().st_size < size
    claimed.drop_spliced()


def spliced_set(state: ServerState) -> GtidSet:
    """What the splice channel holds."""
    return next(channel.received for channel in state.channels if channel.name == "fo_recover")


def test_without_a_start_an_applier_whose_lock_wait_ran_out_stays_stopped(real: RealWorld) -> None:
    replica = real.mysqlds["db2"]
    claimed = prepared(real, "db2")
    before = replica.rows(
        "SELECT @@GLOBAL.innodb_lock_wait_timeout AS lock_wait, @@GLOBAL.replica_transaction_retries AS n"
    )
    try:
        replica.rows("SET GLOBAL innodb_lock_wait_timeout = 1", "SET GLOBAL replica_transaction_retries = 0")
        replica.rows("STOP REPLICA SQL_THREAD FOR CHANNEL ''", "START REPLICA SQL_THREAD FOR CHANNEL ''")
        with locked(real, "db2", *LOCKS["row locks"]):
            real.mysqlds["db1"].rows("UPDATE app.t SET body = 'q'")
            within(LONG, lambda: stopped(claimed.read()), "the applier stopped")
        assert not claimed.wait_executed(real.executed("db1"), SHORT)
        assert stopped(claimed.read())
    finally:
        replica.rows(f"SET GLOBAL innodb_lock_wait_timeout = {before[0]['lock_wait']}")
        replica.rows(f"SET GLOBAL replica_transaction_retries = {before[0]['n']}")


def stopped(state: ServerState) -> bool:
    """Whether the default channel's applier is off."""
    return state.main is not None and state.main.applier is Thread.NO


def test_without_waiting_for_sets_an_opened_replica_leaves_out_what_it_holds(real: RealWorld) -> None:
    """The state of its threads says that all is read, and the server opens at once: with a row missing."""
    claimed = prepared(real, "db2")
    with locked(real, "db2", "BEGIN", "SELECT * FROM app.t FOR UPDATE"):
        real.mysqlds["db1"].rows("UPDATE app.t SET body = 'acknowledged'")
        assert held_up(claimed).blockers
        claimed.stop_receiver(LONG)
        (row,) = real.mysqlds["db2"].rows("SHOW REPLICA STATUS")
        assert str(row["Replica_SQL_Running_State"]).startswith("Replica has read all relay log")
        claimed.open_writes()
        assert real.mysqlds["db2"].value("SELECT body FROM app.t") != str(b"acknowledged")
    with contextlib.suppress(pymysql.Error):
        within(LONG, lambda: real.executed("db2") == real.executed("db1"), "the rest, too late")
