"""Copies of journals for people: everything that was written, nothing that holds anybody up."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from failoverd.drivers import journal_codec as codec
from failoverd.drivers.clock import SystemClock
from failoverd.drivers.journal_copies import JournalCopies, read_copies, read_copy
from failoverd.drivers.tasks import ThreadTasks
from failoverd.model.errors import CoordinationError
from tests.contract.operations import intent, operation, report

AWAY = CoordinationError("ZooKeeper is away")


class Desk:
    """Copies in a folder, and what was said about them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[tuple[str, str]] = []
        self.copies = JournalCopies(
            folder, ThreadTasks(), SystemClock(), lambda what, why: self.said.append((what, why))
        )

    def write(self, name: str, entries: int = 2) -> None:
        """One whole operation."""
        op = operation(name)
        self.copies.keep("shop", name, (codec.begin_record(op),))
        for number in range(entries):
            self.copies.add("shop", name, codec.entry_record(intent(number)))
        self.copies.end("shop", name, codec.end_record(report(op)))

    def shown(self, name: str) -> list[object]:
        """The numbers of the entries that are held of an operation."""
        self.copies.close()
        entries = read_copy(self.folder, SystemClock(), name, AWAY)["entries"]
        return [entry["body"]["number"] for entry in entries]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "copies")


def test_what_was_written_is_read_as_the_journal_would_be(desk: Desk) -> None:
    desk.write("op-1", entries=3)
    assert desk.shown("op-1") == [0, 1, 2]
    (listed,) = read_copies(desk.folder, SystemClock(), ("shop",), AWAY)
    assert (listed["operation"], listed["outcome"], listed["copied"]) == ("op-1", "done", True)
    assert desk.said == []


def test_an_operation_that_another_manager_began_is_held_whole(desk: Desk) -> None:
    records = [codec.begin_record(operation("op-1")), codec.entry_record(intent(1))]
    desk.copies.add("shop", "op-1", codec.entry_record(intent(0)))
    desk.copies.keep("shop", "op-1", records)
    desk.copies.add("shop", "op-1", codec.entry_record(intent(2)))
    assert desk.shown("op-1") == [1, 2]
    desk.copies.keep("shop", "op-1", [*records, codec.entry_record(intent(7))])
    assert desk.shown("op-1") == [1, 2]
    desk.copies.keep("shop", "op-1", [*records, codec.entry_record(intent(7)), codec.entry_record(intent(8))])
    assert desk.shown("op-1") == [1, 7, 8]


def test_without_a_copy_the_reason_is_the_journals_own(desk: Desk) -> None:
    with pytest.raises(CoordinationError, match="ZooKeeper is away"):
        read_copies(desk.folder, SystemClock(), ("shop",), AWAY)
    with pytest.raises(CoordinationError, match="ZooKeeper is away"):
        read_copy(desk.folder, SystemClock(), "op-1", AWAY)


def test_a_folder_that_cannot_be_written_is_said_once_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    desk = Desk(tmp_path / "file" / "copies")
    desk.copies.prove()
    desk.write("op-1", entries=5)
    desk.copies.close()
    assert len({why for _, why in desk.said}) == len(desk.said) >= 1
    assert "not copied" in desk.said[0][0]


def test_a_disk_that_hangs_holds_nobody_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr("failoverd.drivers.files.append_line", lambda *_, **__: gate.wait(60))
    monkeypatch.setattr("failoverd.drivers.journal_copies._WAITING_MOST", 50)
    hanging = Desk(desk.folder)
    hanging.write("op-1", entries=200)
    assert [why for _, why in hanging.said] == ["the disk does not take them"]
    gate.set()


def test_old_copies_are_let_go_by_count_and_by_age(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("failoverd.drivers.journal_codec.KEPT", 5)
    monkeypatch.setattr("failoverd.drivers.journal_codec.KEPT_ALWAYS", 2)
    for number in range(7):
        desk.write(f"op-{number}")
    desk.copies.close()
    files = sorted((desk.folder / "shop").glob("*.jsonl"))
    assert len(files) == 5
    for file in files:
        os.utime(file, (1000.0, 1000.0))
    desk.write("op-9")
    desk.copies.close()
    left = {file.stem for file in (desk.folder / "shop").glob("*.jsonl")}
    assert len(left) == 2
    assert "op-9" in left
