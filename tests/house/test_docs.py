"""Fenced blocks of the pages say what they are: `run` and `lab` are run by tests, `picture` is looked at."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.pages import blocks
from tests.house.tree import ROOT

MARKS = frozenset({"run", "lab", "picture"})
PAGES = (*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md")))
_FENCE = re.compile(r"^\s*```(.*)$", re.MULTILINE)
_PLACES = frozenset({"manager", "package", "service"})
# Who runs the `lab` and `run` blocks of a page, by where they are typed; blocks of SQL name their servers.
RUN = {
    ("disaster.md", "sql"): "tests/acceptance/test_docs.py",
    ("quickstart.md", "sql"): "tests/acceptance/test_quickstart.py",
    ("quickstart.md", "manager"): "tests/acceptance/test_quickstart.py",
    ("quickstart.md", "package"): "tests/package/test_packages.py",
    ("quickstart.md", "service"): "tests/package/test_systemd.py",
}


def unmarked(text: str) -> list[str]:
    """What fences say that open a block and are marked by none of the words."""
    return [mark for mark in _FENCE.findall(text)[::2] if mark.split(" ")[0] not in MARKS]


def typed(page: str) -> set[tuple[str, str]]:
    """Where the blocks of a page of docs/ are typed that somebody must run."""
    told = {block.places if block.mark == "run" else ("sql",) for block in blocks(page) if block.mark != "picture"}
    return {(page, " ".join(places)) for places in told}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_says_what_it_is(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert unmarked(text) == []
    if page.parent != ROOT / "docs":
        assert {mark.split(" ")[0] for mark in _FENCE.findall(text)[::2]} <= {"picture"}, "a block that nobody runs"


def test_every_block_to_be_typed_is_run_by_a_test() -> None:
    told = {place for page in PAGES if page.parent == ROOT / "docs" for place in typed(page.name)}
    assert told == set(RUN)
    for (page, place), test in RUN.items():
        text = (ROOT / test).read_text(encoding="utf-8")
        assert f'blocks("{page}")' in text, f"{test} does not run {page}"
        assert place not in _PLACES or f'("{place}",)' in text, f"{test} does not run what is typed at {place}"


def test_an_unmarked_block_is_found() -> None:
    assert unmarked("a\n```\nx\n```\n```lab db1\ny\n```\n```sh\nz\n```\n") == ["", "sh"]
