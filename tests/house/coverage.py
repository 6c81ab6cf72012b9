"""The coverage lists docs/faults.md and docs/contract.md: rows, their state, and the tests they name.

A row is `| id | text | delivered or planned | tests |`; tests are `file::function`, separated by commas.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.house.tree import Finding, parsed

FAULTS = "docs/faults.md"
CONTRACT = "docs/contract.md"
STATES = ("delivered", "planned")
_CELL = re.compile(r"(?<!\\)\|")
_FAULT_IDS = {f"fault {number}" for number in range(1, 73)}
_SAFETY_IDS = {f"rule {number}" for number in range(1, 21)}
CONTRACT_KINDS = (
    "command",
    "option",
    "exit",
    "config",
    "json",
    "verdict",
    "role",
    "refusal",
    "hook",
    "http",
    "behaviour",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a coverage list; tests are as written."""

    page: str
    line: int
    name: str
    text: str
    state: str
    tests: tuple[str, ...]


def rows(root: Path, page: str) -> list[Row]:
    """All rows of the page, heading and ruler left out; an absent page has none (and then ids are missing)."""
    if not (root / page).is_file():
        return []
    found = []
    for number, line in enumerate((root / page).read_text(encoding="utf-8").splitlines(), 1):
        cells = [cell.strip().replace("\\|", "|") for cell in _CELL.split(line)[1:-1]]
        if len(cells) == 4 and cells[0] != "id" and not set(cells[0]) <= set("-: "):
            tests = tuple(name.strip(" `") for name in cells[3].split(",") if name.strip(" `"))
            found.append(Row(page, number, cells[0].strip("`"), cells[1], cells[2], tests))
    return found


def broken_rows(root: Path) -> Iterator[Finding]:
    """Rows delivered without a test, rows that name one that does not exist, rows in no known state, doubled rows."""
    for page in (FAULTS, CONTRACT):
        seen: set[str] = set()
        for row in rows(root, page):
            if row.name in seen:
                yield Finding(page, row.line, f"{row.name} stands here twice")
            seen.add(row.name)
            if row.state not in STATES:
                yield Finding(page, row.line, f"{row.name}: state '{row.state}' is neither delivered nor planned")
            if row.state == "delivered" and not row.tests:
                yield Finding(page, row.line, f"{row.name} is delivered and names no test")
            for test in row.tests:
                if not _exists(root, test):
                    yield Finding(page, row.line, f"{row.name} names {test}, which does not exist")


def _exists(root: Path, test: str) -> bool:
    """`tests/a.py::f`, `tests/a.py::C::f` or a scenario transcript `tests/scenarios/a.txt`."""
    place, *names = test.split("::")
    if not place.startswith("tests/") or not (root / place).is_file():
        return False
    if not names:
        return place.startswith("tests/scenarios/") and place.endswith(".txt")
    body: list[ast.stmt] = parsed(root / place).body
    for name in names[:-1]:
        body = next((found.body for found in body if isinstance(found, ast.ClassDef) and found.name == name), [])
    last = names[-1].split("[")[0]
    return last.startswith("test") and any(isinstance(found, ast.FunctionDef) and found.name == last for found in body)


def missing_faults(root: Path) -> Iterator[Finding]:
    """Rows of the fault table and rules of safety that the list does not hold, and rows of neither."""
    names = {row.name for row in rows(root, FAULTS)}
    for name in sorted((_FAULT_IDS | _SAFETY_IDS) - names):
        yield Finding(FAULTS, 1, f"there is no row {name}")
    for name in sorted(names - _FAULT_IDS - _SAFETY_IDS):
        yield Finding(FAULTS, 1, f"row {name} is neither a fault nor a safety rule")


def unknown_kinds(root: Path) -> Iterator[Finding]:
    """Rows of the contract whose id does not begin with a known kind, and kinds without any row."""
    found = rows(root, CONTRACT)
    for row in found:
        if row.name.split(" ")[0] not in CONTRACT_KINDS:
            yield Finding(CONTRACT, row.line, f"'{row.name}' begins with none of {', '.join(CONTRACT_KINDS)}")
    kinds = {row.name.split(" ")[0] for row in found}
    for kind in CONTRACT_KINDS:
        if kind not in kinds:
            yield Finding(CONTRACT, 1, f"there is no row of kind {kind}")
