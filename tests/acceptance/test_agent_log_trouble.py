"""The agent's word on logs in trouble, held against what the server itself makes of the same files."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from failoverd.gtid import GtidSet
from tests.acceptance.agent_ground import TwoServers, agent_ground
from tests.acceptance.real_mysqld import RealMysqld

UNAPPLIED = 40


@pytest.fixture(scope="module")
def ground() -> Iterator[Path]:
    with agent_ground() as folder:
        yield folder


class Trouble(TwoServers):
    """A source, a replica that has received and not executed UNAPPLIED transactions, an agent for both."""

    def __init__(self, ground: Path) -> None:
        super().__init__(ground)
        self.source, self.replica = self.first, self.second

    def receive(self) -> None:
        """Let the replica receive everything and execute only the beginning."""
        source, replica = self.source, self.replica
        source.rows("CREATE USER r@'127.0.0.1' IDENTIFIED BY 'r'", "GRANT REPLICATION SLAVE ON *.* TO r@'127.0.0.1'")
        source.rows("CREATE DATABASE t", "CREATE TABLE t.a (id INT PRIMARY KEY, v VARCHAR(2000))")
        replica.rows(
            f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={source.port}, SOURCE_USER='r', "
            "SOURCE_PASSWORD='r', SOURCE_SSL=1, SOURCE_AUTO_POSITION=1",
            "START REPLICA",
        )
        assert replica.value(f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{source.executed()}', 60)") == "0"
        replica.rows("STOP REPLICA SQL_THREAD")
        source.rows("SET SESSION binlog_rows_query_log_events=ON", *inserts(range(UNAPPLIED // 2)))
        self.until_received()
        # two relay logs: what is ahead of the applier spans a file's end
        replica.rows("FLUSH LOCAL RELAY LOGS")
        source.rows(*inserts(range(UNAPPLIED // 2, UNAPPLIED)))
        self.until_received()

    def until_received(self) -> None:
        executed = GtidSet.parse(self.source.executed())
        for _ in range(400):
            if executed <= self.received() | GtidSet.parse(self.replica.executed()):
                return
            self.replica.rows("DO SLEEP(0.05)")
        raise AssertionError(self.replica.rows("SHOW REPLICA STATUS"))

    def received(self) -> GtidSet:
        return GtidSet.parse(self.replica.rows("SHOW REPLICA STATUS")[0]["Retrieved_Gtid_Set"])

    def applier(self) -> tuple[str, int]:
        """Where the applier stands."""
        status = self.replica.rows("SHOW REPLICA STATUS")[0]
        return status["Relay_Log_File"], int(status["Relay_Log_Pos"])

    def verify(self) -> dict[str, object]:
        file, position = self.applier()
        return self.agent.call("verify", {"server": "db2", "file": file, "position": position})

    def splice(self, put: dict[str, object]) -> None:
        """Let the replica's applier run what was put beside its relay logs."""
        channel = "FOR CHANNEL 'fo_recover'"
        self.replica.rows(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='dead.invalid', SOURCE_USER='x', SOURCE_AUTO_POSITION=0, "
            f"RELAY_LOG_FILE='{put['relay_log_file']}', RELAY_LOG_POS=4 {channel}",
            f"START REPLICA SQL_THREAD {channel}",
        )
        assert self.replica.value(f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{put['gtids']}', 60)") == "0"
        self.replica.rows(f"STOP REPLICA {channel}", f"RESET REPLICA ALL {channel}")


def inserts(numbers: range) -> list[str]:
    return [f"INSERT INTO t.a VALUES ({n}, REPEAT('v', 700))" for n in numbers]


@pytest.fixture
def trouble(ground: Path) -> Iterator[Trouble]:
    made = Trouble(ground)
    try:
        yield made
    finally:
        made.close()


def test_what_a_kill_leaves_is_what_the_server_finds_when_it_starts_again(trouble: Trouble) -> None:
    """Three kills in the midst of eight writers: the scan says what recovery then says, and what was acknowledged."""
    source = trouble.source
    source.rows("CREATE DATABASE t", "CREATE TABLE t.a (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(9000))")
    for _ in range(3):
        acknowledged = write_until_killed(source)
        told = trouble.agent.call("scan", {"server": "db1", "kind": "binary", "verify": True})
        assert told["in_use"] is True
        assert told["faults"] == []
        source.start()
        # the file was cut at the last whole transaction: all before it counts
        assert source.executed() == told["holds"]
        assert int(source.value("SELECT COUNT(*) FROM t.a")) >= acknowledged
    source.rows("SHUTDOWN")
    assert source.process is not None
    source.process.wait(60)
    assert trouble.agent.call("scan", {"server": "db1", "kind": "binary"})["in_use"] is False


def write_until_killed(server: RealMysqld) -> int:
    """Eight clients write; the server is killed; how many rows it has acknowledged in its life."""
    counts = [0] * 8
    enough = threading.Event()

    def write(at: int) -> None:
        session = server.connect()
        try:
            with session.cursor() as cursor:
                while True:
                    cursor.execute("INSERT INTO t.a (v) VALUES (REPEAT('w', 6000))")
                    counts[at] += 1
                    if sum(counts) > 300:
                        enough.set()
        except (pymysql.Error, OSError):
            return

    before = int(server.value("SELECT COUNT(*) FROM t.a"))
    writers = [threading.Thread(target=write, args=(at,)) for at in range(len(counts))]
    for writer in writers:
        writer.start()
    assert enough.wait(60)
    server.kill()
    for writer in writers:
        writer.join(30)
    return before + sum(counts)


def test_orphaned_relay_logs_are_found_and_brought_in(trouble: Trouble) -> None:
    """relay_log_recovery=ON, the source dead: the server forgets what it had received, the disk does not."""
    trouble.receive()
    source, replica = trouble.source, trouble.replica
    everything, before = source.executed(), replica.executed()
    sums = source.rows("CHECKSUM TABLE t.a EXTENDED")[0]["Checksum"]
    source.kill()
    replica.kill()
    replica.extra = ("--relay-log-recovery=ON",)
    replica.start()
    assert trouble.received() == GtidSet()
    assert replica.executed() == before
    scan = trouble.agent.call("scan", {"server": "db2", "kind": "relay", "lacking": before})
    assert GtidSet.parse(scan["missing"]) == GtidSet.parse(everything) - GtidSet.parse(before)
    sent = trouble.agent.call("extract", {"server": "db2", "kind": "relay", "wanted": scan["missing"]})
    put = trouble.agent.call("put", {"server": "db2"}, epoch=1, raw=sent["raw"])
    trouble.splice(put)
    assert replica.executed() == everything
    assert replica.rows("CHECKSUM TABLE t.a EXTENDED")[0]["Checksum"] == sums


def test_links_made_at_the_first_sign_of_trouble_outlive_a_repoint(trouble: Trouble) -> None:
    """CHANGE with both threads stopped deletes what was never executed."""
    trouble.receive()
    source, replica = trouble.source, trouble.replica
    everything, before = source.executed(), replica.executed()
    kept = trouble.agent.call("keep", {"server": "db2", "operation": "op-1"}, epoch=1)
    assert kept["files"] >= 2
    replica.rows("STOP REPLICA", "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.9'")
    assert trouble.received() == GtidSet()
    asked = {"server": "db2", "kind": "relay", "lacking": before}
    assert trouble.agent.call("scan", asked)["missing"] == ""
    scan = trouble.agent.call("scan", {**asked, "kept": ["op-1"]})
    assert GtidSet.parse(scan["missing"]) == GtidSet.parse(everything) - GtidSet.parse(before)
    sent = trouble.agent.call(
        "extract", {"server": "db2", "kind": "relay", "wanted": scan["missing"], "kept": ["op-1"]}
    )
    trouble.splice(trouble.agent.call("put", {"server": "db2"}, epoch=1, raw=sent["raw"]))
    assert replica.executed() == everything


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def zeros(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at : at + 512] = bytes(512)
    path.write_bytes(data)


def torn(path: Path, at: int) -> None:
    path.write_bytes(path.read_bytes()[:at])


def bad_magic(path: Path, _at: int) -> None:
    path.write_bytes(b"none" + path.read_bytes()[4:])


def gone(path: Path, _at: int) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [flip, zeros, torn, bad_magic, gone])
def test_verify_says_beforehand_how_far_the_applier_comes(trouble: Trouble, damage: object) -> None:
    trouble.receive()
    replica = trouble.replica
    sound = trouble.verify()
    assert (sound["faults"], sound["behind"]) == ([], "")
    assert sound["sound"] == str(trouble.received() - GtidSet.parse(replica.executed()))
    before, (first, position) = replica.executed(), trouble.applier()
    path = replica.datadir / first
    if damage in (bad_magic, gone):
        # the file after the one that the applier has open
        path = min(one for one in replica.datadir.glob("relay.0*") if one.name > first)
    assert callable(damage)
    damage(path, position + (path.stat().st_size - position) // 2)
    told = trouble.verify()
    assert isinstance(told["faults"], list)
    assert path.name in told["faults"][0]["what"]
    replica.rows("STOP REPLICA", "START REPLICA SQL_THREAD")
    status = stopped(replica)
    assert status["Last_SQL_Errno"] == 13121
    # with several workers the coordinator ends first: they finish what they were given
    assert GtidSet.parse(replica.executed()) == GtidSet.parse(before) | GtidSet.parse(str(told["sound"]))
    lost = trouble.received() - GtidSet.parse(str(told["sound"])) - GtidSet.parse(str(told["behind"]))
    assert bool(lost - GtidSet.parse(before))


def stopped(server: RealMysqld) -> dict[str, object]:
    for _ in range(400):
        status = server.rows("SHOW REPLICA STATUS")[0]
        if status["Replica_SQL_Running"] == "No":
            return dict(status)
        server.rows("DO SLEEP(0.05)")
    raise AssertionError(status)
