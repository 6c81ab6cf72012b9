"""What a server would start with, from files and a command line as mysqld itself reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from failoverd.agent.starting import starts_closed

ON_FILE = "[client]\nread_only=OFF\n[mysqld]\n# super_read_only=OFF\nsuper-read-only = ON\n"


def persisted(name: str, value: str, group: str = "mysql_dynamic_variables") -> str:
    return json.dumps({"Version": 2, group: {name: {"Value": value, "Metadata": {"User": "root"}}}})


@pytest.mark.parametrize(
    ("file", "words", "auto", "closed"),
    [
        (ON_FILE, (), "", True),
        ("[mysqld]\nread_only\n", (), "", True),
        ("[mysqld-9.7]\nloose-read_only=1\n", (), "", True),
        ("[mysqld]\nport=3306\n", (), "", False),  # said nowhere: MySQL starts open
        ("[mysqldump]\nsuper_read_only=ON\n", (), "", False),
        (ON_FILE, ("--super-read-only=OFF",), "", False),  # the command line beats files
        (ON_FILE, ("--skip-super_read_only",), "", False),
        ("[mysqld]\n", ("--read-only",), "", True),
        (ON_FILE, (), persisted("super_read_only", "OFF"), False),  # a persisted value beats everything
        (ON_FILE, ("--super-read-only",), persisted("super_read_only", "OFF", "mysql_server"), False),
        ("[mysqld]\n", (), persisted("super_read_only", "ON"), True),
        ("[mysqld]\nread_only=ON\n", (), persisted("super_read_only", "OFF"), True),  # the other one still closes it
        (ON_FILE, (), persisted("max_connections", "200"), True),
        (ON_FILE, (), "{", None),
    ],
)
def test_the_value_that_counts(
    tmp_path: Path, file: str, words: tuple[str, ...], auto: str, closed: bool | None
) -> None:
    options = tmp_path / "my.cnf"
    options.write_text(file)
    if auto:
        (tmp_path / "mysqld-auto.cnf").write_text(auto)
    argv = [b"mysqld", f"--defaults-file={options}".encode(), *(word.encode() for word in words)]
    assert starts_closed(str(tmp_path), argv) is closed


def test_included_files_count_where_they_stand(tmp_path: Path) -> None:
    folder = tmp_path / "conf.d"
    folder.mkdir()
    (folder / "a.cnf").write_text("[mysqld]\nsuper_read_only=ON\n")
    (folder / "b.txt").write_text("[mysqld]\nsuper_read_only=OFF\n")
    options = tmp_path / "my.cnf"
    options.write_text(f"[mysqld]\nsuper_read_only=OFF\n!includedir {folder}\n")
    argv = [b"mysqld", f"--defaults-file={options}".encode()]
    assert starts_closed(str(tmp_path), argv) is True
    options.write_text(f"!include {options}\n")
    assert starts_closed(str(tmp_path), argv) is None


def test_what_cannot_be_known_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("failoverd.agent.starting._USUAL", (str(tmp_path / "none.cnf"),))
    assert starts_closed(str(tmp_path), None) is None
    assert starts_closed(str(tmp_path), [b"mysqld"]) is None
    assert starts_closed(str(tmp_path), [b"mysqld", b"--defaults-file=/nowhere/my.cnf"]) is None
    assert starts_closed(str(tmp_path), [b"mysqld", b"--no-defaults"]) is False
