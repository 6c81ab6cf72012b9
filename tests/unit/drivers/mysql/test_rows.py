"""Rows of a server turned into nouns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failoverd.drivers.mysql import rows
from failoverd.drivers.mysql.dialects import MYSQL_9, MYSQL_80, MYSQL_84, dialect_of
from failoverd.drivers.mysql.reader import Growth
from failoverd.gtid import GtidSet
from failoverd.model.errors import ServerError
from failoverd.model.semisync import INFINITE, SemiSync
from failoverd.model.sight import Endpoint, Thread, Trouble, Waits

UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
STATUS: rows.Row = {
    "Channel_Name": "",
    "Source_Host": "10.0.0.1",
    "Source_Port": 3306,
    "Source_UUID": UUID.upper(),
    "Replica_IO_Running": "Connecting",
    "Replica_SQL_Running": "Yes",
    "Retrieved_Gtid_Set": f"{UUID}:1-5,\n{UUID}:7",
    "Auto_Position": 1,
    "Last_IO_Errno": 2003,
    "Last_IO_Error": "cannot connect",
    "Last_SQL_Errno": 0,
    "Last_SQL_Error": "",
    "SQL_Delay": 3,
    "Seconds_Behind_Source": None,
    "Source_Log_File": "binlog.000001",
    "Read_Source_Log_Pos": 400,
    "Relay_Log_File": "relay.000002",
    "Relay_Log_Pos": 413,
}
IDENTITY: rows.Row = {
    "datadir": "/data/",
    "binary_basename": "/data/binlog",
    "binary_index": "/data/binlog.index",
    "relay_basename": "relay",
    "relay_index": "./relay.index",
    "pid_file": None,
    "error_log": "stderr",
}


def test_a_channel() -> None:
    receiver = rows.Receiver(100.0, 99.0, f"{UUID}:8", 0.5)
    channel = rows.channel_of(STATUS, receiver, 1.0)
    assert channel.source == Endpoint("10.0.0.1", 3306)
    assert channel.source_uuid == UUID
    assert (channel.receiver, channel.applier) == (Thread.CONNECTING, Thread.YES)
    assert channel.received == GtidSet.parse(f"{UUID}:1-5:7")
    assert (channel.heartbeat_age, channel.heartbeat_period, channel.queueing) == (1.0, 0.5, f"{UUID}:8")
    assert channel.receiver_trouble == Trouble(2003, "cannot connect")
    assert not channel.applier_trouble
    assert (channel.delay, channel.lag_seconds, channel.auto_position) == (3, None, True)


def test_a_heartbeat_that_never_came_has_no_time() -> None:
    row = {"server_now": "12.5", "heartbeat_at": "0.000000", "queueing": None, "period": 30}
    assert rows.receiver_of(row) == rows.Receiver(12.5, None, "", 30.0)


def test_paths_are_absolute_and_streams_are_no_files() -> None:
    files = rows.files_of(IDENTITY)
    assert files.relay_basename == "/data/relay"
    assert files.relay_index == "/data/relay.index"
    assert files.binary_basename == "/data/binlog"
    assert (files.pid_file, files.error_log) == ("", "")


def start(source: str, current: int, persisted: str | None = None) -> rows.Row:
    """One row about a variable's origin."""
    return {"source": source, "current": current, "persisted": persisted}


STARTS = {
    "nothing said": ((start("COMPILED", 0), start("COMPILED", 0)), False),
    "in a file": ((start("GLOBAL", 1), start("COMPILED", 0)), True),
    "persisted on, opened since": ((start("COMPILED", 0), start("DYNAMIC", 0, "ON")), True),
    "persisted off beats a file": ((start("COMPILED", 0), start("PERSISTED", 0, "OFF")), False),
    "set since, file unknown": ((start("COMPILED", 1), start("DYNAMIC", 1)), None),
    "nothing known": ((), None),
}


@pytest.mark.parametrize("row", STARTS)
def test_what_a_server_starts_with(row: str) -> None:
    found, expected = STARTS[row]
    assert rows.read_only_at_start(found) is expected


@pytest.mark.parametrize(
    ("version", "dialect"),
    [
        ("8.0.26", MYSQL_80), ("8.0.36-28", MYSQL_80), ("8.4.3", MYSQL_84), ("8.10.0", MYSQL_84),
        ("9.7.4-2", MYSQL_9), ("10.1.0", MYSQL_9), ("26.4.0-commercial", MYSQL_9),
    ],
)  # fmt: skip
def test_versions_are_numbers(version: str, dialect: object) -> None:
    assert dialect_of(version) is dialect


@pytest.mark.parametrize("version", ["8.0.25", "5.7.44", "10.11.19-MariaDB", "new", ""])
def test_what_is_too_old_or_no_mysql_is_refused(version: str) -> None:
    with pytest.raises(ServerError, match="not supported"):
        dialect_of(version)


def at(now: float, heartbeat: float | None) -> rows.Receiver:
    """What a receiver says at a server's time."""
    return rows.Receiver(now, heartbeat, "", 0.5)


def test_growth_counts_as_a_sign_of_life_and_ages() -> None:
    growth, before, after = Growth(), ("", "binlog.000001", 100), ("", "binlog.000001", 900)
    assert growth.age("", before, at(10.0, None)) is None
    assert growth.age("", after, at(10.5, None)) == 0.0
    assert growth.age("", after, at(11.0, None)) == 0.5
    assert growth.age("", after, at(11.5, 11.25)) == 0.25
    assert growth.age("other", after, at(11.5, None)) is None


def test_growth_between_distant_reads_says_nothing_about_the_present() -> None:
    growth = Growth()
    growth.age("", ("", "binlog.000001", 100), at(10.0, 9.5))
    assert growth.age("", ("", "binlog.000001", 900), at(70.0, 9.5)) == 60.5


def test_a_clock_that_went_back_makes_nobody_younger_than_now() -> None:
    assert Growth().age("", ("", "f", 1), at(10.0, 12.0)) == 0.0


SEMI_SYNC: tuple[rows.Row, ...] = tuple(
    {"name": f"rpl_semi_sync_{name}", "value": value}
    for name, value in {
        "source_enabled": "ON",
        "source_status": "ON",
        "source_clients": "2",
        "source_wait_sessions": "1",
        "source_timeout": str(INFINITE),
        "source_wait_point": "AFTER_SYNC",
        "source_wait_no_replica": "ON",
        "source_wait_for_replica_count": "1",
        "replica_enabled": "OFF",
        "replica_status": "OFF",
    }.items()
)


def test_semi_sync_of_a_primary() -> None:
    found = rows.semi_sync_of(SEMI_SYNC, ({"Replica_UUID": UUID.upper()},))
    assert (found.source_plugin, found.replica_plugin) == (True, True)
    assert (found.clients, found.waiting, found.replicas) == (2, 1, (UUID,))
    assert found.lacks(1) == ""
    assert found.ready(2) is False, "two replicas are wanted, a commit waits for one"
    assert not found.replica_on


def test_semi_sync_where_nothing_is_loaded() -> None:
    assert rows.semi_sync_of((), ()) == replace(SemiSync(), wait_count=0)


def test_who_waits_is_counted_in_the_words_of_both_generations() -> None:
    states = (
        "Waiting for global read lock",
        "Waiting for global read lock",
        "waiting for handler commit",
        "Waiting for commit lock",
        "Waiting for semi-sync ACK from replica",
        "Waiting for semi-sync ACK from whom older servers name",
        "Waiting for disk space",
        "Waiting for table metadata lock",
        "executing",
        None,
    )
    found = rows.waits_of(tuple({"State": state} for state in states))
    assert found == Waits(read_lock=2, commit_lock=2, disk=1, acknowledgement=2)
    assert (found.stuck, str(found)) == (
        5,
        "2 for the global read lock, 2 for the commit lock, 1 for disk space, 2 for acknowledgements",
    )
    assert rows.waits_of(()) == Waits()
