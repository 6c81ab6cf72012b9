"""Fenced blocks of the pages say what they are: `run` and `lab` are run by tests, `picture` is looked at."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.tree import ROOT

MARKS = frozenset({"run", "lab", "picture"})
PAGES = (*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md")))
_FENCE = re.compile(r"^\s*```(.*)$", re.MULTILINE)
# Pages whose `lab` and `run` blocks a test runs; a block of another page would be run by nobody.
RUN = {"docs/disaster.md": "tests/acceptance/test_docs.py"}


def unmarked(text: str) -> list[str]:
    """What fences say that open a block and are marked by none of the words."""
    return [mark for mark in _FENCE.findall(text)[::2] if mark.split(" ")[0] not in MARKS]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_says_what_it_is(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert unmarked(text) == []
    told = {mark.split(" ")[0] for mark in _FENCE.findall(text)[::2]}
    if told - {"picture"}:
        test = ROOT / RUN[str(page.relative_to(ROOT))]
        assert page.name in test.read_text(encoding="utf-8")


def test_an_unmarked_block_is_found() -> None:
    assert unmarked("a\n```\nx\n```\n```lab db1\ny\n```\n```sh\nz\n```\n") == ["", "sh"]
