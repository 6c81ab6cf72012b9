"""Logs are read as they grow, and questions find them read."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from failoverd.agent import following
from failoverd.agent.binlog.logfile import LogFile
from failoverd.agent.conversation import Call
from failoverd.agent.deadline import Deadline
from failoverd.agent.faults import Fault
from failoverd.agent.fields import read
from failoverd.agent.home import Home
from failoverd.agent.logs import Logs
from failoverd.gtid import GtidSet
from tests.unit.agent.corpus import LOGS, SAID, gtids_said
from tests.unit.agent.test_agent_scan import grow

UUID = SAID["server_uuid"]


class Asked:
    """An agent's logs, with one remembered server."""

    def __init__(self, folder: Path) -> None:
        self.datadir = folder / "data"
        shutil.copytree(LOGS, self.datadir, ignore=shutil.ignore_patterns("*.py", "*.json"))
        self.home = Home(str(folder / "agent"))
        facts = {"datadir": str(self.datadir), "server_uuid": UUID, "log_error": ""}
        names = {
            "log_bin_basename": "binlog",
            "log_bin_index": "",
            "relay_log_basename": "relay",
            "relay_log_index": "",
        }
        self.home.remember("shop", "db1.example", {**facts, **names})
        self.logs = Logs(self.home)
        self.sent: list[bytes] = []

    def ask(self, op: str, **args: Any) -> dict[str, Any]:
        checked = read(self.logs.ops[op].fields, {"server": "db1.example", **args}, "a test")
        call = Call(checked, Deadline(30), "shop", send=self.sent.append)
        return self.logs.ops[op].handler(call)


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(tmp_path)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are opened from now on."""
    names: list[str] = []
    real = LogFile.__init__

    def watched(self: LogFile, path: str, *rest: Any, **named: Any) -> None:
        names.append(Path(path).name)
        real(self, path, *rest, **named)

    monkeypatch.setattr(LogFile, "__init__", watched)
    return names


def test_a_question_after_following_opens_no_file(asked: Asked, opened: list[str]) -> None:
    while not following.step(asked.home, asked.logs):
        pass
    assert set(opened) == {"binlog.000005", "binlog.000006", "relay.000015", "relay.000016"}
    opened.clear()
    told = asked.ask("scan", kind="binary", lacking=SAID["executed"])
    assert told["missing"] == ""
    assert opened == []
    with (asked.datadir / "binlog.000006").open("ab") as stream:
        stream.write(bytes(30))
    assert asked.ask("scan", kind="binary", lacking=SAID["executed"])["torn"][0]["bytes"] == 30
    assert set(opened) == {"binlog.000006"}


def test_a_large_file_is_read_in_slices(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    grow(asked.datadir / "binlog.000007", 20_000)
    monkeypatch.setattr(following, "_SLICE", 0.001)
    slices = 1
    while not following.step(asked.home, asked.logs):
        slices += 1
    assert 2 < slices < 10_000
    # the older one of the two that are followed is told by heads as soon as there is a newer one
    assert GtidSet.parse(asked.ask("scan", kind="binary")["holds"]).count() >= 20_000


def test_what_cannot_be_read_is_left_to_those_who_ask(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_SLICE", 60.0)  # a busy machine reads little in a slice
    asked.home.remember("shop", "db2", {"datadir": "/nowhere", "log_bin_basename": "binlog"})
    Path(asked.home.path("shop", "db3.facts.json")).write_text("{")
    assert following.step(asked.home, asked.logs)
    assert asked.ask("scan", kind="binary")["holds"] == SAID["executed"]
    with pytest.raises(OSError, match="nowhere"):
        asked.ask("scan", kind="binary", server="db2")


def test_follow_rests_between_slices_and_idles_when_all_is_read(asked: Asked) -> None:
    rests: list[float] = []

    def sleep(seconds: float) -> None:
        rests.append(seconds)
        if seconds == 1.0 or len(rests) == 1000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        following.follow(asked.home, asked.logs, sleep)
    assert rests[-1] == 1.0
    assert set(rests[:-1]) <= {0.04}


def test_kept_links_are_a_source_when_their_operation_is_named(asked: Asked) -> None:
    kept = asked.datadir / "#failoverd_kept/op-1"
    kept.mkdir(parents=True)
    for path in asked.datadir.glob("relay.0*"):
        (kept / path.name).hardlink_to(path)
    before = asked.ask("scan", kind="relay", kept=["op-1"])
    assert before == {**asked.ask("scan", kind="relay"), "seconds": before["seconds"]}
    assert asked.ask("scan", kind="relay", kept=["op-1"], only_kept=True)["files"] == 0
    # a repoint deletes the relay logs at once
    for path in asked.datadir.glob("relay.0*"):
        path.unlink()
    assert asked.ask("scan", kind="relay")["holds"] == ""
    assert asked.ask("scan", kind="relay", kept=["op-2"])["holds"] == ""
    assert asked.ask("scan", kind="relay", kept=["op-1"])["holds"] == SAID["retrieved"]
    assert asked.ask("scan", kind="relay", kept=["op-1"], only_kept=True)["holds"] == SAID["retrieved"]
    got = asked.ask("extract", kind="relay", kept=["op-1"], wanted=SAID["retrieved"])
    assert got["gtids"] == SAID["retrieved"]
    assert got["faults"] == []


def test_faults_in_binary_logs_count_only_for_those_who_lack_something_there(asked: Asked) -> None:
    (asked.datadir / "binlog.000002").write_bytes(b"\xfdbin" + bytes(100))
    after = GtidSet.parse(SAID["executed_after"]["binlog.000003"])
    assert asked.ask("scan", kind="binary", lacking=str(after))["faults"] == []
    told = asked.ask("scan", kind="binary")
    assert [fault["code"] for fault in told["faults"]] == ["ENCRYPTED"]
    assert told["missing"]


def test_a_scan_tells_whether_the_newest_file_was_closed(asked: Asked) -> None:
    newest = asked.datadir / "binlog.000006"
    data = bytearray(newest.read_bytes())
    for flag in (1, 0):
        data[4 + 17] = data[4 + 17] & 0xFE | flag
        newest.write_bytes(data)
        assert asked.ask("scan", kind="binary")["in_use"] is bool(flag)


def test_verify_answers_from_a_position(asked: Asked) -> None:
    (_, before), (offset, _) = gtids_said("relay.000012")[:2]
    told = asked.ask("verify", file="relay.000012", position=offset)
    names = [name for name in SAID["relay"] if name >= "relay.000012"]
    held = GtidSet.parse(",".join(gtid for name in names for _, gtid in gtids_said(name)))
    assert GtidSet.parse(told["sound"]) == held - GtidSet.parse(before)
    assert (told["behind"], told["faults"], told["torn"], told["files"]) == ("", [], None, len(names))


@pytest.mark.parametrize("name", ["../x", "a/b", "x" * 300])
def test_verify_takes_no_path(asked: Asked, name: str) -> None:
    with pytest.raises(Fault) as caught:
        asked.ask("verify", file=name)
    assert caught.value.code == "BAD_REQUEST"


def test_only_the_files_that_can_hold_it_are_opened(asked: Asked, opened: list[str]) -> None:
    """Each binary log file begins with all that came before it: older ones need not even be opened."""
    after = SAID["executed_after"]
    asked.ask("scan", kind="binary", lacking=after["binlog.000004"])
    assert sorted(set(opened)) == ["binlog.000005", "binlog.000006"]
    opened.clear()
    missing = GtidSet.parse(SAID["executed"]) - GtidSet.parse(after["binlog.000005"])
    told = asked.ask("extract", kind="binary", wanted=str(missing))
    assert told["gtids"] == str(missing)
    assert set(opened) == {"binlog.000006"}
