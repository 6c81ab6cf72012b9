"""Features that people should know about: each row fires where it is used, and nothing else does."""

from __future__ import annotations

import pytest

from failoverd.decide.features import ROWS, clones_work, probe_works, used
from failoverd.model.features import Engine, Features
from failoverd.model.policy import ClusterPolicy, DetectionPolicy
from failoverd.model.writing import WriteProbe

TABLE = "failoverd.heartbeat"
POLICY = ClusterPolicy("shop", (), detection=DetectionPolicy(write_probe=WriteProbe(TABLE)))
CASES = {
    "group-plugin": Features(group=True),
    "ndb": Features(engines=(Engine("ndbcluster", 1, "app.t"),)),
    "other-engines": Features(engines=(Engine("MyISAM", 3, "app.old"),)),
    "prepared-xa": Features(prepared=2),
    "events-disabled": Features(asleep=("app.nightly",)),
}


def test_a_server_without_any_has_no_finding() -> None:
    assert list(used(POLICY, {"db1": Features()})) == []


def test_every_row_has_a_case() -> None:
    assert set(CASES) == {row.id for row in ROWS}


@pytest.mark.parametrize("name", CASES)
def test_each_feature_is_found_where_it_is(name: str) -> None:
    (found,) = used(POLICY, {"db1": Features(), "db2": CASES[name]})
    assert (found.id, found.server) == (name, "db2")
    assert "db2" in found.sentence


@pytest.mark.parametrize(
    ("held", "there", "lacks"),
    [
        ({f"INSERT ON {TABLE}", f"UPDATE ON {TABLE}"}, True, ()),
        ({"INSERT ON failoverd.*", "UPDATE ON failoverd.*"}, True, ()),
        ({"INSERT", "UPDATE"}, True, ()),
        ({"ALL PRIVILEGES"}, True, ()),
        ({f"INSERT ON {TABLE}"}, True, ("UPDATE",)),
        ({"INSERT ON other.*", "UPDATE ON other.*"}, True, ("INSERT", "UPDATE")),
        ({"INSERT", "UPDATE"}, False, ("table",)),
    ],
)
def test_the_write_probe_needs_its_table_and_two_rights(held: set[str], there: bool, lacks: tuple[str, ...]) -> None:
    features = {"db1": Features(tables=frozenset({TABLE} if there else ()))}
    found = list(probe_works(POLICY, "db1", features, {"db1": frozenset(held)}))
    assert len(found) == bool(lacks)
    assert all(word in found[0].sentence for word in lacks)
    assert list(probe_works(ClusterPolicy("shop", ()), "db1", features, {"db1": frozenset()})) == [], "no probe is set"


def test_a_server_without_the_clone_plugin_is_named_where_the_policy_clones() -> None:
    features = {"db1": Features(clone=True), "db2": Features()}
    (found,) = clones_work(ClusterPolicy("shop", (), rejoin="clone"), features)
    assert (found.id, found.server) == ("clone-plugin", "db2")
    assert "INSTALL PLUGIN clone SONAME 'mysql_clone.so'" in found.hint
    assert list(clones_work(POLICY, features)) == []
