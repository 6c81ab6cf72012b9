"""Features that are warned about or refused, set up on real servers: `check` finds each where it is, and only there."""

from __future__ import annotations

import json

from failoverd.lab import Lab
from tests.acceptance.conftest import LabFactory

# What each server is given, and what `check` has to say of it then.
GIVEN = {
    "db1": (
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
    "db1": frozenset({"short-logs", "durability", "circular"}),
    "db2": frozenset({"delayed", "filtered"}),
    "db3": frozenset({"commit-order", "file-position", "gtid-mode-off", "other-channels"}),
    "db4": frozenset[str](),
}
ALL = frozenset({"source-down"}).union(*FOUND.values())


def said(lab: Lab) -> dict[str, frozenset[str]]:
    """What `check` finds on each server, as far as it is about these features."""
    answer = lab.call_in("mgr1", lab.manager_argv("mgr1", "check", "shop", "--json"), deadline=60.0)
    assert answer.returncode == 1, answer.stderr
    found = [(f["server"], f["id"]) for f in json.loads(answer.stdout)["findings"]]
    return {name: frozenset(i for server, i in found if server == name) & ALL for name in GIVEN}


def test_what_is_warned_about_or_refused_is_found_where_it_is(lab: LabFactory) -> None:
    one = lab(replicas=3)
    nothing = dict.fromkeys(GIVEN, frozenset[str]())
    assert said(one) == nothing
    addresses = {name: one.hosts[name].address for name in GIVEN}
    for server, statements in GIVEN.items():
        one.sql(server, "; ".join(statements).format(**addresses))
    assert said(one) == FOUND
    one.fault.kill("db2")
    assert said(one) == {**FOUND, "db2": frozenset(), "db4": frozenset({"source-down"})}
