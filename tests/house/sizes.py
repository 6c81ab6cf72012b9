"""How long a file may be. Functions, arguments and branches are counted by ruff (see pyproject.toml)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.house.tree import Finding, python_files, relative

LIMITS = {"failoverd": 400, "packaging": 400, "tests": 600}


def long_files(root: Path) -> Iterator[Finding]:
    """Files over their folder's limit, in lines."""
    for folder, limit in LIMITS.items():
        for path in python_files(root, folder):
            count = len(path.read_text(encoding="utf-8").splitlines())
            if count > limit:
                yield Finding(
                    relative(root, path), count, f"{count} lines, allowed are {limit}: split it along the grain"
                )


def loosened_limits(root: Path) -> Iterator[Finding]:
    """A limit in pyproject.toml that is not the agreed one: the limits only work while nobody moves them."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    for line in ("line-length = 120", "max-complexity = 8", "max-args = 6", "max-statements = 30", "strict = true"):
        if line not in text.splitlines():
            yield Finding("pyproject.toml", 1, f"the agreed limit '{line}' is gone")
