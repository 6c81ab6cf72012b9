"""What diverged on this host's disk: raw log, text and JSON, sealed by a manifest that is written last."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from failoverd.drivers.clock import SystemClock
from failoverd.drivers.divergence import DivergenceFiles
from failoverd.drivers.ssh.copying import Take
from failoverd.gtid import GtidSet
from failoverd.model.divergence import Act, Change, Clash, ExportOrder, Judged, Shape, Told
from failoverd.model.errors import AgentError, ConnectFailed
from failoverd.model.sight import Why
from tests.unit.agent.corpus import LOGS

UUID = "0799bfac-e4d3-11f1-a4bb-02fc00000001"
LOG = LOGS / "binlog.000001"
HELD = GtidSet.parse(f"{UUID}:1-13")
ORDER = ExportOrder(
    "shop", "db1", HELD, "shop-op-1", "db2", (Judged(GtidSet.parse(f"{UUID}:3"), Told.ACKNOWLEDGED, "seen"),)
)


class OneFile:
    """Gives one log file in two pieces, whatever is wanted; or an error in the middle."""

    def __init__(self, path: Path = LOG, error: AgentError | None = None) -> None:
        self.path, self.error = path, error

    def copy_out(self, cluster: str, server: str, wanted: GtidSet, take: Take) -> tuple[str, ...]:
        data = self.path.read_bytes()
        take(True, data[:100])
        if self.error is not None:
            raise self.error
        take(False, data[100:])
        return ("a file was damaged",)


class OneTable:
    """Knows the columns of every table, and that a row with key 1 differs."""

    problem = ""
    closed = 0

    def shape(self, schema: str, table: str) -> Shape:
        return Shape(("id", "what"), ("id",))

    def compare(self, changes: Sequence[Change]) -> tuple[Clash, ...]:
        return tuple(Clash.DIFFERS if dict(change.key).get("id") == 1 else Clash.NONE for change in changes)

    def close(self) -> None:
        OneTable.closed += 1


def archive(root: Path, source: OneFile | None = None) -> DivergenceFiles:
    return DivergenceFiles(root / "divergence", source or OneFile(), lambda *_: OneTable(), SystemClock())


def test_rows_have_names_times_evidence_and_conflicts(tmp_path: Path) -> None:
    kept = archive(tmp_path).keep(ORDER)
    assert kept.transactions == 13
    assert not kept.lacking
    assert kept.problems[0] == "a file was damaged"
    told = json.loads((Path(kept.folder) / "transactions.json").read_text())["transactions"]
    assert len(told) == 13
    third = told[2]
    assert (third["gtid"], third["acknowledged"], third["evidence"]) == (f"{UUID}:3", "acknowledged", "seen")
    assert third["time"] == "2026-11-20T21:24:08.113Z" or third["time"].endswith("Z")
    assert third["tables"] == ["t.a"]
    assert third["rows"] == [
        {
            "act": str(Act.INSERT),
            "table": "t.a",
            "key": {"id": 1},
            "before": None,
            "after": {"id": 1, "what": "xxxxxxx"},
            "conflict": "differs",
        }
    ]
    assert told[3]["acknowledged"] == "unknown"
    assert told[3]["rows"][0]["conflict"] == "none"
    assert any("CREATE TABLE" in said.upper() for one in told for said in one["statements"])


def test_the_manifest_says_what_is_there_and_is_found_again(tmp_path: Path) -> None:
    files = archive(tmp_path)
    assert files.kept("shop", "db1", HELD) == ""
    kept = files.keep(ORDER)
    manifest = json.loads((Path(kept.folder) / "manifest.json").read_text())
    assert (manifest["gtids"], manifest["transactions"]) == (str(HELD), 13)
    raw = next(file for file in manifest["files"] if file["name"] == "raw.000001")
    assert raw["sha256"] == hashlib.sha256(LOG.read_bytes()).hexdigest()
    assert files.kept("shop", "db1", GtidSet.parse(f"{UUID}:2-9")) == kept.folder
    assert files.kept("shop", "db2", HELD) == ""
    assert files.kept("shop", "db1", GtidSet.parse(f"{UUID}:2-99")) == ""


def test_everything_is_on_the_disk_before_the_manifest_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def seen(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", seen)
    folder = Path(archive(tmp_path).keep(ORDER).folder)
    before, after = synced[: synced.index(folder / "manifest.json")], synced[synced.index(folder / "manifest.json") :]
    assert {path.name for path in folder.iterdir()} == {path.name for path in before} | {"manifest.json"}
    assert folder in after
    assert folder.parent in after


def test_what_the_log_does_not_give_is_lacking(tmp_path: Path) -> None:
    more = replace(ORDER, gtids=GtidSet.parse(f"{UUID}:1-20"))
    assert str(archive(tmp_path).keep(more).lacking) == f"{UUID}:14-20"


def test_an_attempt_that_broke_off_is_no_proof_and_is_replaced(tmp_path: Path) -> None:
    with pytest.raises(AgentError):
        archive(tmp_path, OneFile(error=AgentError("it went away"))).keep(ORDER)
    files = archive(tmp_path)
    assert files.kept("shop", "db1", HELD) == ""
    assert files.keep(ORDER).transactions == 13
    assert files.kept("shop", "db1", HELD)


def test_without_mysqlbinlog_the_rest_is_kept_and_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    kept = archive(tmp_path).keep(ORDER)
    assert any("mysqlbinlog is not installed" in problem for problem in kept.problems)
    assert not (Path(kept.folder) / "transactions.sql").exists()


def test_the_text_of_mysqlbinlog_stands_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "mysqlbinlog"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    kept = archive(tmp_path).keep(ORDER)
    assert "--verbose --base64-output=decode-rows" in (Path(kept.folder) / "transactions.sql").read_text()
    program.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    assert any("broken" in problem for problem in archive(tmp_path).keep(ORDER).problems)


def test_without_the_primary_columns_have_numbers_and_conflicts_are_unknown(tmp_path: Path) -> None:
    def away(cluster: str, server: str, timeout: float) -> OneTable:
        raise ConnectFailed("db2 is away", why=Why.REFUSED)

    files = DivergenceFiles(tmp_path / "divergence", OneFile(), away, SystemClock())
    shown = files.show(ORDER, 3)
    assert len(shown) == 3
    assert shown[2]["rows"] == [
        {
            "act": "insert",
            "table": "t.a",
            "key": None,
            "before": None,
            "after": {"@1": 1, "@2": "xxxxxxx"},
            "conflict": "unknown",
        }
    ]
    assert not (tmp_path / "divergence").exists(), "showing keeps nothing"


def test_a_file_that_is_no_log_is_a_problem_and_everything_is_lacking(tmp_path: Path) -> None:
    strange = tmp_path / "strange"
    strange.write_bytes(b"\xfebin" + b"\x00" * 300)
    kept = archive(tmp_path, OneFile(strange)).keep(ORDER)
    assert kept.lacking == HELD
    assert any("could not be read to its end" in problem for problem in kept.problems)
