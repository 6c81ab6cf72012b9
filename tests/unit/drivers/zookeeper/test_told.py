"""What managers tell each other of themselves and of their settings."""

from __future__ import annotations

from failoverd.drivers.identity import Identity
from failoverd.drivers.zookeeper.told import in_force, other_settings, told_by
from failoverd.model.settings import InForce, Settings

FIRST, SECOND = Identity("mgr1", 1, "h1", "1.0"), Identity("mgr2", 2, "h2", "1.0")
LONG = {f"server{number}": "x" * 100 for number in range(5000)}


def test_what_was_told_is_read_back_also_where_it_is_long() -> None:
    for told in ({}, {"failover": {"cooldown": 60.0}}, LONG):
        entry = told_by(FIRST, Settings("a", told))
        assert in_force(entry.config) == InForce("mgr1", "1.0", Settings("a", told))
        assert len(entry.config) < 512 * 1024  # within what ZooKeeper takes


def test_the_line_says_who_and_no_settings() -> None:
    told = told_by(FIRST, Settings("a", LONG))
    assert in_force(told.line) == InForce("mgr1", "1.0", Settings("a"))
    assert len(told.line) < 500


def test_another_manager_with_other_settings_is_named() -> None:
    ours = told_by(SECOND, Settings("b", LONG))
    assert other_settings(told_by(FIRST, Settings("a", LONG)).config, ours) == "mgr1"
    assert other_settings(told_by(FIRST, Settings("b", LONG)).config, ours) == ""
    assert other_settings(told_by(SECOND, Settings("a")).config, ours) == ""


def test_what_cannot_be_read_is_nobodys() -> None:
    ours = told_by(SECOND, Settings("b"))
    for entry in (None, b"", b"zgarbage", b"[]", b'{"v": 1}'):
        assert (in_force(entry), other_settings(entry, ours)) == (None, "")
