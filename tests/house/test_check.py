"""What `make check` says and how it ends, with small parts of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.check import PARTS, Part, main


def part_in(root: Path, text: str) -> Part:
    (root / "tests").mkdir()
    (root / "tests/test_one.py").write_text(text)
    return Part("unit", ("pytest", "-p", "no:cacheprovider", "tests"), "a unit test fails", "tests")


@pytest.mark.parametrize(
    ("text", "line", "code"),
    [
        ("def test_one():\n    assert True\n", "ok", 0),
        ("def test_one():\n    assert not 'this is why'\n", "FAILED: a unit test fails", 1),
        ("", "FAILED: tests holds no test", 1),
    ],
)
def test_says_how_a_part_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, line: str, code: int
) -> None:
    assert main((part_in(tmp_path, text),), tmp_path) == code
    said = capsys.readouterr().out
    first = said.splitlines()[0]
    assert first.split()[0] == "unit"
    assert first.endswith(f" s  {line}")
    assert ("this is why" in said) == ("this is why" in text)
    assert said.splitlines()[-1].startswith("check: everything holds" if code == 0 else "check: FAILED: unit (")


def test_an_absent_folder_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main((Part("unit", ("pytest",), "a unit test fails", "tests/unit"),), tmp_path) == 1
    said = capsys.readouterr().out
    assert "FAILED: tests/unit holds no test" in said
    assert "there is no folder tests/unit" in said


def test_every_tool_is_one_of_the_parts() -> None:
    assert {part.command[0] for part in PARTS} == {"mypy", "pytest", "ruff", "lint-imports"}
    assert {part.name for part in PARTS} == {"types", "edges", "unit", "house", "scenarios", "arrows", "lint", "format"}
