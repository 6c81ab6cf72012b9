"""The agent on real servers: missing transactions come out of a dead server's logs and go into a living one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from failoverd.gtid import GtidSet
from tests.acceptance.agent_ground import TwoServers, agent_ground
from tests.acceptance.agent_process import AgentRefused
from tests.acceptance.real_mysqld import RealMysqld


@pytest.fixture(scope="module")
def ground() -> Iterator[Path]:
    with agent_ground() as folder:
        yield folder


class Pair(TwoServers):
    """A primary, a candidate that never received anything, and an agent for both."""

    def __init__(self, ground: Path) -> None:
        super().__init__(ground)
        self.primary, self.candidate = self.first, self.second

    def fill(self) -> None:
        """Transactions of every kind, in several files."""
        primary = self.primary
        primary.rows("CREATE DATABASE t", "CREATE TABLE t.a (id INT PRIMARY KEY, v MEDIUMTEXT)")
        primary.rows(*(f"INSERT INTO t.a VALUES ({n}, REPEAT('a', 900))" for n in range(200)))
        primary.rows("FLUSH BINARY LOGS")
        primary.rows("SET gtid_next='AUTOMATIC:tag'", "INSERT INTO t.a VALUES (1000, 'tagged')")
        primary.rows(
            "SET SESSION binlog_transaction_compression=ON", "INSERT INTO t.a VALUES (1001, REPEAT('c', 5000))"
        )
        primary.rows("XA START 'x'", "INSERT INTO t.a VALUES (1002, 'xa')", "XA END 'x'", "XA PREPARE 'x'")
        primary.rows("XA COMMIT 'x'")
        # larger than what the agent reads at once
        primary.rows("INSERT INTO t.a VALUES (1500, REPEAT('m', 3000000))")
        primary.rows("SET GLOBAL binlog_checksum=NONE", "INSERT INTO t.a VALUES (1003, 'no checksum')")
        primary.rows("SET GLOBAL binlog_checksum=CRC32")
        primary.rows(*(f"INSERT INTO t.a VALUES ({n}, REPEAT('b', 900))" for n in range(2000, 2100)))

    def splice(self, relay_log_file: str, wanted: str) -> None:
        """Let the candidate's own applier run the files that were put."""
        self.candidate.rows(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='dead.invalid', SOURCE_USER='x', SOURCE_AUTO_POSITION=0, "
            f"RELAY_LOG_FILE='{relay_log_file}', RELAY_LOG_POS=4 FOR CHANNEL 'fo_recover'"
        )
        retrieved = self.candidate.rows("SHOW REPLICA STATUS FOR CHANNEL 'fo_recover'")[0]["Retrieved_Gtid_Set"]
        assert GtidSet.parse(retrieved) == GtidSet.parse(wanted)
        self.candidate.rows("START REPLICA SQL_THREAD FOR CHANNEL 'fo_recover'")
        assert self.candidate.value(f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{wanted}', 60)") == "0", self.candidate.rows(
            "SHOW REPLICA STATUS FOR CHANNEL 'fo_recover'"
        )
        self.candidate.rows("STOP REPLICA FOR CHANNEL 'fo_recover'", "RESET REPLICA ALL FOR CHANNEL 'fo_recover'")


@pytest.fixture
def pair(ground: Path) -> Iterator[Pair]:
    pair = Pair(ground)
    try:
        yield pair
    finally:
        pair.close()


def test_a_dead_servers_transactions_reach_the_candidate(pair: Pair) -> None:
    pair.fill()
    executed, checksum = (
        pair.primary.executed(),
        pair.primary.value("CHECKSUM TABLE t.a EXTENDED", "SELECT COUNT(*) FROM t.a"),
    )
    sums = pair.primary.rows("CHECKSUM TABLE t.a EXTENDED")[0]["Checksum"]
    pair.primary.kill()
    scan = pair.agent.call("scan", {"server": "db1", "kind": "binary", "lacking": pair.candidate.executed()})
    assert scan["missing"] == scan["holds"] == executed
    assert scan["torn"] == []
    verified = pair.agent.call("scan", {"server": "db1", "kind": "binary", "verify": True})
    assert verified["holds"] == executed
    sent = pair.agent.call("extract", {"server": "db1", "kind": "binary", "wanted": scan["missing"]})
    assert sent["gtids"] == executed
    assert sent["transactions"] == GtidSet.parse(executed).count()
    put = pair.agent.call("put", {"server": "db2"}, epoch=1, raw=sent["raw"])
    assert put["gtids"] == executed
    pair.splice(put["relay_log_file"], executed)
    assert pair.candidate.executed() == executed
    assert pair.candidate.rows("CHECKSUM TABLE t.a EXTENDED")[0]["Checksum"] == sums
    assert pair.candidate.value("SELECT COUNT(*) FROM t.a") == checksum
    assert not list(pair.candidate.datadir.glob("relay-fo_recover*"))


def test_only_the_wanted_slice_travels(pair: Pair) -> None:
    """An errant tail is left out, and so is what the candidate has: holes in the middle included."""
    pair.fill()
    uuid = pair.primary.value("SELECT @@server_uuid")
    pair.primary.kill()
    first = f"{uuid}:1-50"
    sent = pair.agent.call("extract", {"server": "db1", "kind": "binary", "wanted": first})
    put = pair.agent.call("put", {"server": "db2"}, epoch=1, raw=sent["raw"])
    assert sent["gtids"] == put["gtids"] == first
    pair.splice(put["relay_log_file"], first)
    holes = f"{uuid}:51-60:65:70-220:tag:1"
    sent = pair.agent.call("extract", {"server": "db1", "kind": "binary", "wanted": holes})
    assert sent["gtids"] == holes
    put = pair.agent.call("put", {"server": "db2"}, epoch=1, raw=sent["raw"])
    pair.splice(put["relay_log_file"], holes)
    assert pair.candidate.executed() == f"{uuid}:1-60:65:70-220:tag:1"


def test_a_relay_log_serves_as_source(pair: Pair, ground: Path) -> None:
    """What a replica received but never executed comes out of its relay log, after its death."""
    third = RealMysqld(pair.primary.home.parent / "third", 3)
    third.initialise(ground / "template/data")
    third.start()
    try:
        third.rows("RESET BINARY LOGS AND GTIDS")
        pair.agent.call("remember", third.facts("db3"))
        pair.primary.rows(
            "CREATE USER r@'127.0.0.1' IDENTIFIED BY 'r'", "GRANT REPLICATION SLAVE ON *.* TO r@'127.0.0.1'"
        )
        third.rows(
            f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={pair.primary.port}, SOURCE_USER='r', "
            "SOURCE_PASSWORD='r', SOURCE_SSL=1, SOURCE_AUTO_POSITION=1",
            "START REPLICA IO_THREAD",
        )
        pair.fill()
        executed = pair.primary.executed()
        assert _received(third, executed)
        sums = pair.primary.rows("CHECKSUM TABLE t.a EXTENDED")[0]["Checksum"]
    finally:
        pair.primary.kill()
        third.kill()
    scan = pair.agent.call("scan", {"server": "db3", "kind": "relay", "lacking": pair.candidate.executed()})
    assert scan["missing"] == executed
    sent = pair.agent.call("extract", {"server": "db3", "kind": "both", "wanted": executed})
    assert sent["gtids"] == executed
    put = pair.agent.call("put", {"server": "db2"}, epoch=1, raw=sent["raw"])
    pair.splice(put["relay_log_file"], executed)
    assert pair.candidate.rows("CHECKSUM TABLE t.a EXTENDED")[0]["Checksum"] == sums


def _received(server: RealMysqld, wanted: str) -> bool:
    for _ in range(200):
        retrieved = server.rows(
            "SHOW REPLICA STATUS",
        )[0]["Retrieved_Gtid_Set"]
        if GtidSet.parse(wanted) <= GtidSet.parse(retrieved):
            return True
        server.rows("DO SLEEP(0.05)")
    return False


def test_put_refuses_leftovers_until_told_to_replace(pair: Pair) -> None:
    pair.primary.rows("CREATE DATABASE t")
    wanted = pair.primary.executed()
    sent = pair.agent.call("extract", {"server": "db1", "kind": "binary", "wanted": wanted})
    pair.agent.call("put", {"server": "db2"}, epoch=1, raw=sent["raw"])
    before = sorted(path.name for path in pair.candidate.datadir.glob("relay-fo_recover*"))
    assert before == ["relay-fo_recover.000001", "relay-fo_recover.index"]
    with pytest.raises(AgentRefused) as refused:
        pair.agent.call("put", {"server": "db2"}, epoch=1, raw=sent["raw"])
    assert refused.value.code == "BUSY"
    pair.agent.call("put", {"server": "db2", "replace": True}, epoch=1, raw=sent["raw"])
    cleaned = pair.agent.call("splice_clean", {"server": "db2"}, epoch=1)
    assert sorted(cleaned["removed"]) == before
    assert not list(pair.candidate.datadir.glob("relay-fo_recover*"))


def test_a_broken_upload_leaves_nothing_behind(pair: Pair) -> None:
    pair.primary.rows("CREATE DATABASE t")
    sent = pair.agent.call("extract", {"server": "db1", "kind": "binary", "wanted": pair.primary.executed()})
    for bad in (b"garbage", sent["raw"][:-3], sent["raw"] + b"more", b""):
        with pytest.raises(AgentRefused) as refused:
            pair.agent.call("put", {"server": "db2"}, epoch=1, raw=bad)
        assert refused.value.code == "BAD_REQUEST"
        assert not list(pair.candidate.datadir.glob("relay-fo_recover*"))


def test_the_probe_tells_life_from_death(pair: Pair) -> None:
    primary = pair.primary
    primary.rows("CREATE USER m@'%' IDENTIFIED BY 'secret'")
    asked = {"host": "127.0.0.1", "port": primary.port, "user": "m", "password": "secret", "timeout": 2.0}

    def probe(**other: object) -> tuple[str, object]:
        answer = pair.agent.call("probe", {**asked, **other})
        return answer["outcome"], answer["code"]

    assert probe(tls="off") == ("alive", "full-auth-needed")
    assert probe() == ("ok", None)
    assert probe(tls="off") == ("ok", None)
    assert probe(password="wrong") == ("alive", 1045)
    primary.rows("SET GLOBAL max_connections=1")
    sessions: list[pymysql.Connection] = []
    end = time.monotonic() + 30
    while len(sessions) < 2 and time.monotonic() < end:  # one for everybody, one more for an administrator
        with contextlib.suppress(pymysql.OperationalError):  # those before them leave their places in their own time
            sessions.append(primary.connect())
    assert probe() == ("alive", 1040)
    for session in sessions:
        session.close()
    assert primary.process is not None
    primary.process.send_signal(19)
    try:
        assert probe(timeout=0.3) == ("hung", None)
    finally:
        primary.process.send_signal(18)
    primary.kill()
    assert probe() == ("refused", None)


def test_an_orderly_end_is_told_from_a_crash(pair: Pair) -> None:
    primary = pair.primary
    assert not pair.agent.call("facts", {"server": "db1"})["orderly"]
    primary.rows("SHUTDOWN")
    assert primary.process is not None
    primary.process.wait(60)
    told = pair.agent.call("facts", {"server": "db1"})
    assert not told["mysqld"]["alive"]
    assert told["orderly"]
    primary.start()
    primary.kill()
    told = pair.agent.call("facts", {"server": "db1"})
    assert not told["mysqld"]["alive"]
    assert not told["orderly"]
    assert told["mysqld"]["how"] == "none"
    assert told["server_uuid"] == told["remembered"]["server_uuid"]


def test_a_half_sent_transaction_is_left_to_its_owner(pair: Pair) -> None:
    """What a kill tears off the end of a binary log is said, and only whole transactions travel."""
    pair.fill()
    executed = pair.primary.executed()
    pair.primary.kill()
    last = max(pair.primary.datadir.glob("binlog.0*"))
    with last.open("r+b") as stream:
        stream.truncate(last.stat().st_size - 40)
    scan = pair.agent.call("scan", {"server": "db1", "kind": "binary"})
    lost = GtidSet.parse(executed) - GtidSet.parse(scan["holds"])
    assert lost.count() == 1
    assert scan["torn"][0]["file"] == last.name
    sent = pair.agent.call("extract", {"server": "db1", "kind": "binary", "wanted": executed})
    assert GtidSet.parse(sent["gtids"]) == GtidSet.parse(executed) - lost
    put = pair.agent.call("put", {"server": "db2"}, epoch=1, raw=sent["raw"])
    pair.splice(put["relay_log_file"], sent["gtids"])
    assert pair.candidate.executed() == scan["holds"]
