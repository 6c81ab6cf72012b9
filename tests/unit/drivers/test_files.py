"""Small files that survive a crash."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from failoverd.drivers import files
from failoverd.model.errors import CoordinationError


def test_a_file_is_replaced_as_a_whole_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "record"
    for data in (b"one", b"two" * 100_000):
        files.replace_file(path, data)
        assert files.read_file(path) == data
    assert os.listdir(path.parent) == ["record"]


def test_lines_are_added_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal" / "op.jsonl"
    for number in range(3):
        files.append_line(path, str(number).encode(), durable=number == 1)
    assert files.read_file(path) == b"0\n1\n2\n"


def test_half_a_line_is_taken_back_when_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "op.jsonl"
    files.append_line(path, b"whole", durable=True)
    real, calls = os.write, []

    def full(descriptor: int, data: bytes) -> int:
        calls.append(data)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[:3])

    monkeypatch.setattr("failoverd.drivers.files.os.write", full)
    with pytest.raises(CoordinationError, match="No space left"):
        files.append_line(path, b"a longer line", durable=True)
    assert files.read_file(path) == b"whole\n"


def test_what_cannot_be_written_is_said_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CoordinationError, match="state_dir"):
        files.replace_file(tmp_path / "file" / "record", b"x")
    assert files.read_file(tmp_path / "none") is None
