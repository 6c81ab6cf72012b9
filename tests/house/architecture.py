"""docs/architecture.md against the tree, and the import contracts against the packages there are."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.house.shapes import PURE
from tests.house.tree import Finding

PAGE = "docs/architecture.md"
COMING = "(coming)"
_TREE_LINE = re.compile(r"^  (\w+(?:/|\.py))\s+(.+)$")
_PATH = re.compile(r"`((?:failoverd|tests|docs|conf|packaging)/[^`\s]*)`")
_UNLISTED = {"__init__.py", "__main__.py", "__pycache__", "py.typed"}


def wrong_picture(root: Path) -> Iterator[Finding]:
    """Entries of the page's tree that are not in failoverd/, entries of failoverd/ that are not on the page."""
    drawn = _drawn(root)
    if not drawn:
        yield Finding(PAGE, 1, "the page holds no tree block that begins with failoverd/")
        return
    there = {path.name + ("/" if path.is_dir() else "") for path in (root / "failoverd").iterdir() if _counts(path)}
    for name, (line, text) in drawn.items():
        coming = COMING in text
        if name not in there and not coming:
            yield Finding(PAGE, line, f"failoverd/{name} is drawn and does not exist")
        if name in there and coming:
            yield Finding(PAGE, line, f"failoverd/{name} exists: take '{COMING}' away")
    for name in sorted(there - set(drawn)):
        yield Finding(PAGE, 1, f"failoverd/{name} exists and is not drawn")


def _counts(path: Path) -> bool:
    if path.name in _UNLISTED:
        return False
    return any(path.rglob("*.py")) if path.is_dir() else path.suffix == ".py"


def _drawn(root: Path) -> dict[str, tuple[int, str]]:
    drawn: dict[str, tuple[int, str]] = {}
    inside = False
    for number, line in enumerate(_lines(root), 1):
        if line == "failoverd/":
            inside = True
        elif line.startswith("```"):
            inside = False
        elif inside and (match := _TREE_LINE.match(line)):
            drawn[match[1]] = (number, match[2])
    return drawn


def wrong_places(root: Path) -> Iterator[Finding]:
    """Paths that the page sends people to and that do not exist, and lines said to be coming that have come."""
    for number, line in enumerate(_lines(root), 1):
        named = [match[1] for match in _PATH.finditer(line)]
        absent = [place for place in named if not (root / place).exists()]
        if COMING in line and named and not absent:
            yield Finding(PAGE, number, f"{' and '.join(named)} exist: take '{COMING}' away")
        elif COMING not in line:
            yield from (Finding(PAGE, number, f"{place} does not exist") for place in absent)


def _lines(root: Path) -> list[str]:
    page = root / PAGE
    return page.read_text(encoding="utf-8").splitlines() if page.is_file() else []


# Which contracts must name which package as soon as the package exists.
_CONTRACTED = {**dict.fromkeys((*PURE, "gtid"), ("pure",)), "agent": ("agent-wire", "agent-alone")}


def forgotten_contracts(root: Path) -> Iterator[Finding]:
    """Packages that exist and that their import contracts in pyproject.toml do not name."""
    table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    named = {found["id"]: (*found.get("source_modules", ()), *found.get("protected_modules", ())) for found in table}
    for package, contracts in _CONTRACTED.items():
        exists = (root / "failoverd" / package / "__init__.py").is_file()
        for contract in contracts:
            if exists and f"failoverd.{package}" not in named.get(contract, ()):
                yield Finding("pyproject.toml", 1, f"import contract '{contract}' does not name failoverd.{package}")
