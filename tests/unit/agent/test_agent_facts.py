"""How an end is read out of the error log, and what a request may say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from failoverd.agent import facts, fields
from failoverd.agent.faults import CODES, Fault
from failoverd.agent.fields import Field
from failoverd.agent.home import Home

READY = "2026-11-20T11:00:00Z 0 [System] [MY-010931] [Server] /usr/sbin/mysqld: ready for connections."
BEGUN = "2026-11-20T11:00:00Z 0 [System] [MY-010116] [Server] /usr/sbin/mysqld starting as process 7"
ENDED = "2026-11-20T11:00:00Z 0 [System] [MY-010910] [Server] /usr/sbin/mysqld: Shutdown complete"
OTHER = "2026-11-20T11:00:00Z 9 [Note] [MY-010051] [Server] Event Scheduler: scheduler thread started"


@pytest.mark.parametrize(
    ("lines", "orderly"),
    [
        ([BEGUN, READY, OTHER, ENDED], True),
        ([BEGUN, READY, ENDED, OTHER], True),
        ([BEGUN, READY, OTHER], False),
        ([BEGUN, READY, ENDED, BEGUN], False),
        ([BEGUN, READY, ENDED, BEGUN, READY, *[OTHER] * 2000], False),
        ([], False),
    ],
)
def test_only_a_finished_shutdown_after_the_last_start_is_orderly(
    lines: list[str], orderly: bool, tmp_path: Path
) -> None:
    log = tmp_path / "error.log"
    log.write_text("\n".join(lines))
    assert facts.ended_orderly(str(log)) is orderly


def test_without_an_error_log_nothing_is_called_orderly(tmp_path: Path) -> None:
    assert not facts.ended_orderly("")
    assert not facts.ended_orderly(str(tmp_path / "none"))


def test_of_a_dead_mysqld_the_command_line_that_it_lived_with_is_told(tmp_path: Path) -> None:
    home = Home(str(tmp_path))
    assert facts.command_line(home, "shop", "db1", None) is None
    lived = [b"/usr/sbin/mysqld", b"--defaults-file=/etc/my.cnf", b"--datadir=/data/\xff"]
    assert facts.command_line(home, "shop", "db1", lived) == lived
    assert facts.command_line(home, "shop", "db1", None) == lived
    assert facts.command_line(home, "shop", "db2", None) is None


def test_a_state_folder_that_takes_nothing_silences_no_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, lived = Home(str(tmp_path)), [b"/usr/sbin/mysqld"]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("failoverd.agent.home.write_durably", full)
    assert facts.command_line(home, "shop", "db1", lived) == lived
    assert facts.command_line(home, "shop", "db1", None) is None


def test_a_disk_has_numbers(tmp_path: Path) -> None:
    told = facts.disk(str(tmp_path))
    assert 0 <= told["free"] <= told["total"]
    assert told["read_only"] is False
    assert facts.disk("/proc")["total"] == 0


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (fields.cluster, ["shop", "A-1_b"], ["", "-a", "a b", "a/b", "a" * 33, 5, None]),
        (fields.server, ["db1", "db1.example.org"], ["", ".db", "a/b", "..", "a" * 65]),
        (fields.operation, ["2026-11-20T11:00:00Z-failover", "a"], ["", ".", "../x", "a b", "#x"]),
        (fields.path, ["/", "/var/lib/mysql"], ["", "var", "/a/../b", "/a/..", "/a\0", "/a\n", 5]),
        (fields.hold, ["guard", "none", "systemd:mysql@1.service"], ["", "systemd:-x.service", "power", "guard\n"]),
        (fields.uuid, ["3e11fa47-71ca-11e1-9e33-c80aa9429562"], ["3E11FA47-71CA-11E1-9E33-C80AA9429562", "x", ""]),
        (fields.boolean, [True, False], [0, 1, "true", None]),
        (fields.seconds, [0.001, 1, 86400], [0, -1, 86401, float("nan"), True, "1"]),
        (fields.whole(1, 5), [1, 5], [0, 6, 1.0, True, "1", None]),
    ],
)  # fmt: skip
def test_fields_take_the_right_and_nothing_else(check: fields.Check, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert check(value) == value
    for value in bad:
        with pytest.raises(ValueError, match=r"is|are"):
            check(value)


def test_gtid_sets_come_out_as_sets() -> None:
    uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
    assert str(fields.gtid_set(f"{uuid.upper()}:1-3")) == f"{uuid}:1-3"
    for bad in (None, 5, "x:1"):
        with pytest.raises(ValueError, match="GTID set"):
            fields.gtid_set(bad)


def test_defaults_are_filled_in_and_missing_fields_named() -> None:
    shape = {"a": Field(fields.text), "b": Field(fields.boolean, False)}
    assert fields.read(shape, {"a": "x"}, "test") == {"a": "x", "b": False}
    wrong: tuple[Any, ...] = ({}, {"a": "x", "c": 1}, {"a": "x", "b": 1}, [], None)
    for given in wrong:
        with pytest.raises(Fault) as caught:
            fields.read(shape, given, "test")
        assert caught.value.code == "BAD_REQUEST"
        assert "test" in caught.value.what


def test_faults_survive_the_wire_and_unknown_codes_become_internal() -> None:
    for code in CODES:
        assert Fault.from_json(Fault(code, "what", "detail", "hint").as_json()).as_json() == {
            "code": code,
            "what": "what",
            "detail": "detail",
            "hint": "hint",
        }
    assert Fault.from_json({"code": "NEW", "what": "x"}).code == "INTERNAL"
    assert Fault.from_json({}).code == "INTERNAL"
