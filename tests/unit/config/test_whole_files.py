"""Mistakes that spoil a whole file, as people make them: each is told once, at the line where it was made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.config.folder import Folder, prepared

RIGHT = """\
# Two servers, one manager.
manager:
  name: mgr1
mysql:
  user: failoverd
  password_file: mysql.secret
replication:
  user: repl
  password_file: repl.secret
ssh:
  key_file: id
  known_hosts: known_hosts
clusters:
  shop:
    servers:
      - name: db1
        host: 10.0.0.1
      - name: db2
        host: 10.0.0.2
    failover:
      cooldown: 1h
"""


BELOW = RIGHT.partition("clusters:\n")[2]


@dataclass(frozen=True)
class Mistake:
    """What stands in the right file and what stands there instead (nothing: the whole file); the line that is to be
    named, and words of the complaint.
    """

    name: str
    right: str
    wrong: str
    line: int
    says: str


MISTAKES = (
    Mistake("a tab", "  name: mgr1", "\tname: mgr1", 3, "tab"),
    Mistake("a line too far to the right", "  user: failoverd", "   user: failoverd", 6, "YAML"),
    Mistake("a line too far to the left", "  password_file: mysql.secret", " password_file: mysql.secret", 6, "YAML"),
    Mistake("no blank after a colon", "  name: mgr1", "  name:mgr1", 3, "section"),
    Mistake("no colon", "  user: repl", "  user repl", 9, "YAML"),
    Mistake("a quote that stays open", "name: db1", "name: 'db1", 16, "YAML"),
    Mistake("a bracket that stays open", "known_hosts: known_hosts", "known_hosts: [known_hosts", 13, "YAML"),
    Mistake("a brace that stays open", "failover:", "failover: {", 20, "YAML"),
    Mistake("no blank after a dash", "- name: db1", "-name: db1", 17, "YAML"),
    Mistake("no dash", "- name: db2\n        host: 10.0.0.2", "  name: db2", 18, "second time"),
    Mistake("a section twice", "clusters:", "ssh:\n  user: other\nclusters:", 13, "second time"),
    Mistake("two documents", "replication:", "---\nreplication:", 7, "YAML"),
    Mistake("an alias of nothing", "user: repl", "user: *nobody", 8, "YAML"),
    Mistake("a tag of another program", "user: repl", "user: !vault repl", 8, "!vault"),
    Mistake("a conflict left by git", "ssh:", "<<<<<<< HEAD\nssh:", 10, "YAML"),
    Mistake("a sign that means something", "user: repl", "user: @repl", 8, "YAML"),
    Mistake("servers without their cluster", BELOW, "  servers:\n    - name: db1\n", 15, "section"),
    Mistake("servers with names as keys", BELOW, "  shop:\n    servers:\n      db1: {host: 10.0.0.1}\n", 15, "list"),
    Mistake("typographers' quotes", "name: mgr1", "name: “mgr1”", 3, "not a name"),
    Mistake("a file of MHA's", "", "[server default]\nuser=mha\n\n[server1]\nhostname=db1\n", 2, "YAML"),
    Mistake("a file of mysqld's", "", "[mysqld]\nport = 3306\n", 2, "YAML"),
    Mistake("an empty file", "", "", 1, "clusters"),
    Mistake("nothing but comments", "", "# to be written\n", 1, "clusters"),
    Mistake("a byte that is no text", "user: repl", "user: re\0pl", 8, "YAML"),
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return prepared(tmp_path)


def test_the_right_file_is_right(folder: Folder) -> None:
    assert folder.complaints(RIGHT) == []


@pytest.mark.parametrize("one", MISTAKES, ids=lambda one: one.name)
def test_a_mistake_is_told_at_its_line(folder: Folder, one: Mistake) -> None:
    assert RIGHT.count(one.right) >= 1
    found = folder.complaints(RIGHT.replace(one.right, one.wrong, 1) if one.right else one.wrong)
    assert found[0].split(" ")[0].rstrip(":") == str(one.line), found
    assert one.says in found[0]
    assert len(found) == 1


def test_there_are_at_least_twenty() -> None:
    assert len({one.name for one in MISTAKES}) >= 20
