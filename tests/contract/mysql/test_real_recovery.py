"""What only real servers can show: splicing, half-received transactions, and that we never make a transaction."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.durability import RELAXED, Durability
from failoverd.model.errors import ServerError, StepFailed
from failoverd.model.sight import ServerState, Thread
from failoverd.model.steps import SPLICE_CHANNEL
from failoverd.ports import ClaimedServer
from tests.contract.mysql.narrow import narrow
from tests.contract.mysql.troubles import half_received
from tests.contract.mysql.worlds import CLUSTER, RealWorld, unasked, within
from tests.fakes.coordination import FakeLease

LONG = 5.0


def lay_out(world: RealWorld, origin: str, target: str) -> str:
    """Put the binary logs of one server beside another's relay logs, as an agent would; the first file's name."""
    state = world.servers().look(CLUSTER, target, LONG)
    assert isinstance(state, ServerState)
    base = Path(f"{state.files.relay_basename}-{SPLICE_CHANNEL}")
    source = world.mysqlds[origin].datadir
    files = [source / Path(line.strip()).name for line in (source / "binlog.index").read_text().splitlines()]
    laid = [base.with_name(f"{base.name}.{number:06d}") for number in range(1, len(files) + 1)]
    for file, place in zip(files, laid, strict=True):
        shutil.copy(file, place)
    base.with_name(f"{base.name}.index").write_text("".join(f"{place}\n" for place in laid))
    return laid[0].name


def test_laid_out_files_are_applied_beside_the_default_channel(real: RealWorld) -> None:
    real.write("db1", 3)
    within(LONG, lambda: len(real.executed("db2")) == 3, "db2 caught up")
    claimed = real.servers().claim(CLUSTER, "db2", FakeLease(5), LONG)
    claimed.stop_receiver(LONG)
    real.write("db1", 5)
    everything = real.executed("db1")
    real.kill("db1")
    held = claimed.adopt_spliced(lay_out(real, "db1", "db2"))
    assert held == everything
    assert claimed.wait_executed(everything, LONG)
    state = claimed.read()
    assert state.main is not None
    assert (state.main.receiver, state.main.applier) == (Thread.NO, Thread.YES)
    for refused in (
        claimed.disarm_source,
        lambda: claimed.follow(real.endpoint("db3"), unasked),
        lambda: claimed.adopt_spliced("x"),
    ):
        with pytest.raises(StepFailed):
            refused()
    claimed.drop_spliced()
    assert [channel.name for channel in claimed.read().channels] == [""]
    claimed.disarm_source()
    assert claimed.read().executed == everything


def test_files_that_are_not_there_are_refused_and_leave_the_default_channel_alone(real: RealWorld) -> None:
    claimed = real.servers().claim(CLUSTER, "db2", FakeLease(5), LONG)
    for name in ("relay-fo_recover.000001", "relay-fo_recover.000007"):
        with pytest.raises((ServerError, StepFailed)):
            claimed.adopt_spliced(name)
        claimed.drop_spliced()
    state = claimed.read()
    assert [channel.name for channel in state.channels] == [""]
    assert state.main is not None
    assert state.main.receiver is Thread.YES


@pytest.mark.parametrize("server", ["db2", "db3"])
def test_a_half_received_transaction_is_ended_and_its_locks_are_free(real: RealWorld, server: str) -> None:
    name = half_received(real, server)
    claimed = real.servers().claim(CLUSTER, server, FakeLease(5), LONG)
    claimed.stop_receiver(LONG)
    claimed.disarm_source()
    assert claimed.kill_partial() <= 1  # nothing is held where no event of it had reached a worker
    assert claimed.kill_partial() == 0
    claimed.open_writes()
    claimed.forget_source()
    real.mysqlds[server].rows("SET innodb_lock_wait_timeout = 1", "UPDATE app.t SET body = 'z'")
    assert not GtidSet.parse(name) <= real.executed(server)


@pytest.mark.parametrize("server", ["db2", "db3"])
def test_only_the_half_received_transaction_is_ended_while_others_wait(real: RealWorld, server: str) -> None:
    replica = real.mysqlds[server]
    real.mysqlds["db1"].rows("CREATE TABLE app.s (id INT PRIMARY KEY)", "INSERT INTO app.s VALUES (1)")
    within(LONG, lambda: real.executed(server) == real.executed("db1"), "the replica caught up")
    replica.rows("SET GLOBAL read_only = OFF")  # or nobody could hold a row lock there
    blocker = replica.connect()
    try:
        with blocker.cursor() as cursor:
            for statement in ("BEGIN", "SELECT * FROM app.s FOR UPDATE"):
                cursor.execute(statement)
        name = half_received(real, server, first="UPDATE app.s SET id = 2")
        claimed = real.servers().claim(CLUSTER, server, FakeLease(5), LONG)
        claimed.stop_receiver(LONG)
        waiting = claimed.read()
        assert len(waiting.received - waiting.executed) == 1
        killed = claimed.kill_partial()
        assert killed <= 1
    finally:
        blocker.close()
    if killed:
        within(LONG, lambda: _applier(claimed) is Thread.NO, "the applier stopped")
        claimed.start_applier("")
    assert claimed.wait_executed(waiting.received, LONG)
    claimed.forget_source()
    assert not GtidSet.parse(name) <= real.executed(server)


def _applier(claimed: ClaimedServer) -> Thread:
    main = claimed.read().main
    assert main is not None
    return main.applier


def test_forgetting_the_source_of_a_half_received_transaction_does_not_hang(real: RealWorld) -> None:
    half_received(real, "db2")
    claimed = real.servers().claim(CLUSTER, "db2", FakeLease(5), LONG)
    claimed.forget_source()
    assert claimed.read().main is None


def cut_off_within(real: RealWorld, server: str, *statements: str) -> ClaimedServer:
    """A claim of a server whose receiver is off, and has the first MiB of what db1 executes with these."""
    replica, source = real.mysqlds[server], real.mysqlds["db1"]
    with narrow(source.port) as line:
        replica.rows("STOP REPLICA", f"CHANGE REPLICATION SOURCE TO SOURCE_PORT={line.port}", "START REPLICA")
        real.write("db1")
        within(LONG, lambda: real.executed(server) == real.executed("db1"), "the replica caught up")
        line.left = 1 << 20
        source.rows(*statements)
        within(LONG, lambda: line.left == 0, "the beginning arrived")
        claimed = real.servers().claim(CLUSTER, server, FakeLease(5), LONG)
        claimed.stop_receiver(LONG)
    return claimed


@pytest.mark.parametrize("server", ["db2", "db3"])
def test_forgetting_a_source_does_not_hang_where_no_worker_has_begun_what_was_half_received(
    real: RealWorld, server: str
) -> None:
    # its text is an event, and goes ahead of the rows: the coordinator alone has what arrives before that
    text = f"INSERT INTO app.t (body) VALUES ('y') /* {'y' * (8 << 20)} */"
    claimed = cut_off_within(real, server, "SET binlog_rows_query_log_events = ON", text)
    state = claimed.read()
    assert state.main is not None
    assert state.main.queueing
    assert claimed.kill_partial() == 0
    claimed.disarm_source()
    claimed.open_writes()
    claimed.forget_source()
    after = claimed.read()
    assert after.main is None
    assert after.executed == state.executed


@pytest.mark.parametrize("server", ["db2", "db3"])
def test_a_worker_that_has_taken_the_name_and_no_row_is_ended_and_the_rest_is_brought(
    real: RealWorld, server: str
) -> None:
    # one event, which never comes whole: what goes ahead of it names the transaction and its table
    claimed = cut_off_within(real, server, f"INSERT INTO app.t (body) VALUES ('{'y' * (8 << 20)}')")
    everything = real.executed("db1")
    real.kill("db1")
    within(LONG, lambda: claimed.kill_partial() >= 1, "a worker has taken it, and is ended")
    claimed.adopt_spliced(lay_out(real, "db1", server))
    assert claimed.wait_executed(everything, LONG), "nobody holds the name any more"
    claimed.drop_spliced()
    claimed.forget_source()


def delay(real: RealWorld, seconds: int) -> None:
    """Let the applier of db2 run and wait that long before each transaction."""
    stop, start = (f"{verb} REPLICA SQL_THREAD FOR CHANNEL ''" for verb in ("STOP", "START"))
    real.mysqlds["db2"].rows(stop, f"CHANGE REPLICATION SOURCE TO SOURCE_DELAY = {seconds} FOR CHANNEL ''", start)


def behind(real: RealWorld) -> tuple[ClaimedServer, GtidSet]:
    """A claim of a server whose applier runs, and has four transactions before it that all others have."""
    claimed = real.servers().claim(CLUSTER, "db2", FakeLease(5), LONG)
    delay(real, 3600)
    real.write("db1", 4)
    within(LONG, lambda: len(claimed.read().unapplied) == 4, "the receiver got it all")
    within(LONG, lambda: real.executed("db3") == real.executed("db1"), "db3 caught up")
    return claimed, real.executed("db1")


def test_no_source_is_changed_before_what_is_not_executed_was_kept(real: RealWorld) -> None:
    claimed, everything = behind(real)
    kept: list[str] = []

    def nobody_keeps() -> None:
        raise StepFailed("its agent does not answer")

    with pytest.raises(StepFailed, match="its agent"):
        claimed.follow(real.endpoint("db3"), nobody_keeps)
    main = claimed.read().main
    assert main is not None
    assert (main.source, main.receiver is Thread.NO) == (real.endpoint("db1"), False), "as it was"
    assert not claimed.follow(real.endpoint("db3"), lambda: kept.append("db2"))
    assert kept == ["db2"]
    assert everything <= claimed.read().holds
    delay(real, 0)
    within(LONG, lambda: everything <= real.executed("db2"), "it was applied from the relay logs")


def test_what_goes_with_an_applier_that_dies_before_the_change_is_fetched_anew(real: RealWorld) -> None:
    claimed, everything = behind(real)
    lost = claimed.follow(real.endpoint("db3"), lambda: real.stop_applier("db2"))
    assert (lost.count(), lost <= everything) == (4, True), "with both threads stopped its relay logs go"
    delay(real, 0)
    within(LONG, lambda: real.executed("db2") == everything, "it was received anew")


def test_nothing_we_do_makes_a_transaction(real: RealWorld) -> None:
    real.write("db1", 2)
    within(LONG, lambda: real.executed("db2") == real.executed("db1"), "db2 caught up")
    claimed = real.servers().claim(CLUSTER, "db2", FakeLease(5), LONG)
    with contextlib.suppress(ServerError, StepFailed):
        claimed.adopt_spliced("relay-fo_recover.000001")
    claimed.drop_spliced()
    claimed.stop_receiver(LONG)
    claimed.kill_partial()
    claimed.start_receiver()
    claimed.follow(real.endpoint("db3"), unasked)
    claimed.disarm_source()
    had = claimed.durability()
    for wanted in (RELAXED, Durability(), had):
        claimed.set_durability(wanted)
        assert claimed.durability() == wanted
    claimed.open_writes()
    claimed.end_clients()
    claimed.forget_source()
    with real.client("db2") as client:
        client.lock_tables()
        claimed.close_writes(1.0)
    claimed.follow(real.endpoint("db1"), unasked)
    claimed.start_applier("")
    claimed.read()
    claimed.release()
    assert real.executed("db2") == real.executed("db1")


def test_a_statement_that_timed_out_ends_the_claim_and_another_claim_ends_the_statement(real: RealWorld) -> None:
    servers = real.servers()
    claimed = servers.claim(CLUSTER, "db2", FakeLease(5), LONG)
    real.freeze("db2")
    try:
        missing = GtidSet.parse("3e11fa47-71ca-11e1-9e33-c80aa9429562:1")
        with pytest.raises(ServerError, match="unknown"):
            claimed.wait_executed(missing, 0.1)
        with pytest.raises(ServerError):
            claimed.open_writes()
    finally:
        real.thaw("db2")
    again = servers.claim(CLUSTER, "db2", FakeLease(5), LONG)
    assert again.read().super_read_only
    again.stop_receiver(LONG)


def test_the_locks_have_the_names_that_every_version_must_use(real: RealWorld) -> None:
    claimed = real.servers().claim(CLUSTER, "db2", FakeLease(5), LONG)
    names = ("failoverd/shop", "failoverd/shop/5")
    holders = {real.mysqlds["db2"].value(f"SELECT IS_USED_LOCK('{name}')") for name in names}
    assert len(holders) == 1
    assert holders != {"None"}
    claimed.release()
    assert {real.mysqlds["db2"].value(f"SELECT IS_USED_LOCK('{name}')") for name in names} == {"None"}


def test_stopping_puts_the_servers_own_limit_back(real: RealWorld) -> None:
    server = real.mysqlds["db2"]
    before = server.value("SELECT @@GLOBAL.rpl_stop_replica_timeout")
    real.servers().claim(CLUSTER, "db2", FakeLease(5), LONG).stop_receiver(LONG)
    assert server.value("SELECT @@GLOBAL.rpl_stop_replica_timeout") == before


def test_following_sets_the_timing_and_keeps_other_options(real: RealWorld) -> None:
    server = real.mysqlds["db2"]
    server.rows("STOP REPLICA", "CHANGE REPLICATION SOURCE TO SOURCE_DELAY = 7 FOR CHANNEL ''", "START REPLICA")
    real.servers().claim(CLUSTER, "db2", FakeLease(5), LONG).follow(real.endpoint("db3"), unasked)
    row = server.rows("SHOW REPLICA STATUS")[0]
    assert (row["SQL_Delay"], row["Connect_Retry"], row["Source_Retry_Count"]) == (7, 1, 100000)
    assert server.value("SELECT @@GLOBAL.replica_net_timeout") == "10"


def test_a_persisted_value_is_never_left_behind(real: RealWorld) -> None:
    persisted = "SELECT * FROM performance_schema.persisted_variables"
    before = real.mysqlds["db2"].rows(persisted)  # other tests let it start closed for good
    claimed = real.servers().claim(CLUSTER, "db2", FakeLease(5), LONG)
    claimed.open_writes()
    claimed.close_writes(1.0)
    assert real.mysqlds["db2"].rows(persisted) == before
