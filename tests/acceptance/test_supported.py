"""Features that are warned about or refused, set up on real servers: `check` finds each where it is, and only there."""

from __future__ import annotations

import json
from pathlib import Path

from failoverd.lab import Lab
from tests.acceptance.conftest import LabFactory

# What concerns one server only is not logged; our account is let see what it reports.
FEATURES = (
    "SET sql_log_bin = 0",
    "GRANT EVENT, SHOW VIEW ON *.* TO failoverd@'%'",
    "CREATE TABLE app.old (n INT) ENGINE = MyISAM",
    "CREATE EVENT app.nightly ON SCHEDULE EVERY 1 DAY DISABLE ON REPLICA DO DO 1",
    "INSTALL PLUGIN group_replication SONAME 'group_replication.so'",
    "CREATE DATABASE failoverd",
    "CREATE TABLE failoverd.heartbeat (id INT PRIMARY KEY, writer VARCHAR(255), written_at DATETIME(6))",
    "GRANT INSERT, UPDATE ON failoverd.heartbeat TO failoverd@'%'",
    "XA START 'left'",
    "INSERT INTO failoverd.heartbeat VALUES (2, 'somebody', NOW())",
    "XA END 'left'",
    "XA PREPARE 'left'",
)
# What each server is given, and what `check` has to say of it then.
GIVEN = {
    "db1": (
        *FEATURES,
        "SET GLOBAL binlog_expire_logs_seconds = 3600",
        "SET GLOBAL sync_binlog = 0",
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{db3}', SOURCE_AUTO_POSITION = 1",
    ),
    "db2": (
        "STOP REPLICA SQL_THREAD",
        "CHANGE REPLICATION SOURCE TO SOURCE_DELAY = 60",
        "CHANGE REPLICATION FILTER REPLICATE_IGNORE_DB = (scratch)",
        "START REPLICA SQL_THREAD",
    ),
    "db3": (
        "STOP REPLICA",
        "SET GLOBAL replica_preserve_commit_order = OFF",
        "CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION = 0",
        "SET GLOBAL gtid_mode = ON_PERMISSIVE",
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{db4}' FOR CHANNEL 'other'",
        "START REPLICA FOR CHANNEL ''",
    ),
    "db4": ("STOP REPLICA", "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{db2}'", "START REPLICA"),
}
FOUND = {
    "db1": frozenset({"short-logs", "durability", "circular"})
    | {"other-engines", "events-disabled", "group-plugin", "prepared-xa"},
    "db2": frozenset({"delayed", "filtered"}),
    "db3": frozenset({"commit-order", "file-position", "gtid-mode-off", "other-channels"}),
    "db4": frozenset[str](),
    "": frozenset[str](),
}
ALL = frozenset({"source-down", "write-probe", "two-writable"}).union(*FOUND.values())


PROBE = {"write_probe": {"table": "failoverd.heartbeat"}}


def said(lab: Lab) -> dict[str, frozenset[str]]:
    """What `check` finds on each server and of the cluster (""), as far as it is about these features."""
    answer = lab.call_in("mgr1", lab.manager_argv("mgr1", "check", "shop", "--json"), deadline=60.0)
    assert answer.returncode == 1, answer.stderr
    found = [(f["server"] or "", f["id"]) for f in json.loads(answer.stdout)["findings"]]
    return {name: frozenset(i for server, i in found if server == name) & ALL for name in FOUND}


def test_what_is_warned_about_or_refused_is_found_where_it_is(lab: LabFactory) -> None:
    one = lab(replicas=3, settings={"clusters": {"shop": {"detection": PROBE}}})
    nothing = dict.fromkeys(FOUND, frozenset[str]())
    assert said(one) == {**nothing, "db1": frozenset({"write-probe"})}, "its table has not been made"
    addresses = {name: one.hosts[name].address for name in GIVEN}
    for server, statements in GIVEN.items():
        one.sql(server, "; ".join(statements).format(**addresses))
    assert said(one) == FOUND
    one.fault.kill("db2")
    one.sql("db4", "SET GLOBAL super_read_only = OFF; SET GLOBAL read_only = OFF")
    alone = {"db2": frozenset[str](), "db4": frozenset({"source-down", "circular"})}
    assert said(one) == {**FOUND, **alone, "": frozenset({"two-writable"})}


# What a server is started with, what `check` has to say of it then, and why it is not promoted.
STARTED = {
    "db2": ("skip_log_bin", "binary-log-off", "it writes no binary log"),
    "db3": ("log_replica_updates = OFF", "replica-updates-off", "it does not log what it replicates"),
    "db4": ("gtid_mode = OFF", "gtid-mode-off", "its GTID mode is off"),
}


def test_servers_that_were_started_so_that_nobody_could_follow_them_are_never_promoted(lab: LabFactory) -> None:
    one = lab(replicas=3)
    for server, (option, _, _) in STARTED.items():
        one.fault.kill(server)
        file = Path(one.hosts[server].folder / "my.cnf")
        name = option.split()[0].removeprefix("skip_")
        kept = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith(name)]
        file.write_text("\n".join([*kept, option, ""]), encoding="utf-8")
        one.fault.start(server)
    answer = one.call_in("mgr1", one.manager_argv("mgr1", "check", "shop", "--json"), deadline=60.0)
    found = json.loads(answer.stdout)["findings"]
    wrong = {(f["server"], f["id"]) for f in found if f["severity"] != "ok"}
    ids = {id_ for _, id_, _ in STARTED.values()}
    assert {(server, id_) for server, (_, id_, _) in STARTED.items()} <= wrong
    assert not {pair for pair in wrong if pair[0] == "db1" and pair[1] in ids}, "the primary is as it was"
    (nobody,) = (f["sentence"] for f in found if f["id"] == "no-candidate")
    for server, (_, _, why) in STARTED.items():
        assert f"{server}: {why}" in nobody
