"""The fenced blocks of the pages, as the tests see them that run them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.house.tree import ROOT

_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: what it is, where it is typed, its text."""

    mark: str
    places: tuple[str, ...]
    text: str


def blocks(page: str) -> tuple[Block, ...]:
    """The blocks of a page of docs/ in their order."""
    found = _BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    return tuple(Block(mark, tuple(places.split()), text) for mark, places, text in found)
