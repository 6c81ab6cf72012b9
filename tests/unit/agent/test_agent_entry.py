"""How the zipapp starts: from what an earlier start has unpacked, if that can be trusted and is whole."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from failoverd.agent import VERSION, wire
from failoverd.agent.build import build
from failoverd.agent.entry import place_of

ANOTHER = "9.9.9"


def hello(program: Path, home: Path) -> dict[str, Any]:
    words = [sys.executable, "-I", "-S", str(program), "serve", "--dir", str(home)]
    said = subprocess.run(words, input=b"", capture_output=True, timeout=60, check=True, cwd="/")
    (frame,) = wire.FrameDecoder().feed(said.stdout)
    return dict(frame.json()["hello"])


@pytest.fixture
def program(tmp_path: Path) -> Path:
    build(tmp_path / "agent.pyz")
    return tmp_path / "agent.pyz"


@pytest.fixture
def home(tmp_path: Path, program: Path) -> Path:
    """A folder in which the agent has started before, whose unpacked modules tell another version."""
    home = tmp_path / "home"
    (home / "state").mkdir(parents=True)
    assert hello(program, home)["version"] == VERSION
    assert list(unpacked(home).rglob("*.pyc"))
    first = unpacked(home) / "failoverd" / "__init__.py"
    first.write_text(f'"""Told apart."""\n\n__version__ = "{ANOTHER}"  # and longer than it was\n')
    return home


def unpacked(home: Path) -> Path:
    (found,) = (home / "state").glob("code-*")
    return found


def of_another_build(program: Path) -> None:
    program.write_bytes(program.read_bytes().replace(b"#!/usr/bin/env python3\n", b"#!/usr/bin/python3\n", 1))


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-400] + b"\n(")


TRUST: tuple[tuple[str, Callable[[Path, Path], object], str], ...] = (
    ("as it was unpacked", lambda _program, _home: None, ANOTHER),
    ("unpacked from another build", lambda program, _home: of_another_build(program), VERSION),
    ("others can write there", lambda _program, home: unpacked(home).chmod(0o777), VERSION),
    ("others can write where it lies", lambda _program, home: (home / "state").chmod(0o777), VERSION),
    ("a module is torn", lambda _program, home: torn(unpacked(home) / "failoverd/agent/main.py"), VERSION),
    ("a later module is torn", lambda _program, home: torn(unpacked(home) / "failoverd/agent/serving.py"), VERSION),
    ("a module is lost", lambda _program, home: shutil.rmtree(unpacked(home) / "failoverd/gtid"), VERSION),
)


@pytest.mark.parametrize(("change", "version"), [row[1:] for row in TRUST], ids=[row[0] for row in TRUST])
def test_it_starts_from_what_was_unpacked_only_where_that_is_its_own_and_whole(
    program: Path, home: Path, change: Callable[[Path, Path], object], version: str
) -> None:
    change(program, home)
    assert hello(program, home)["version"] == version


def test_what_another_version_has_unpacked_is_removed(program: Path, home: Path) -> None:
    before = unpacked(home)
    left = before.with_name(f"{before.name}.1")  # of a start that was killed
    left.mkdir()
    of_another_build(program)
    assert hello(program, home)["version"] == VERSION
    assert unpacked(home) != before


def test_a_file_in_the_way_is_no_obstacle(program: Path, home: Path) -> None:
    place = unpacked(home)
    shutil.rmtree(place)
    place.write_text("")
    assert hello(program, home)["version"] == VERSION


@pytest.mark.parametrize("words", [["door"], ["guard", "a", "b", "c"], ["serve"], []])
def test_who_may_have_more_rights_takes_nothing_from_there(program: Path, words: list[str]) -> None:
    assert place_of(str(program), words) == ""
