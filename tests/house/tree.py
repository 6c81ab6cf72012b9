"""The repository as the house rules see it: text files and parsed modules, of this tree or of a planted copy."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_SKIPPED_FOLDERS = {"__pycache__", "build", "dist", "fixtures"}
_TEXT_ENDINGS = {
    ".py",
    ".md",
    ".toml",
    ".yml",
    ".yaml",
    ".sh",
    ".txt",
    ".cfg",
    ".service",
    ".rules",
    ".j2",
    ".css",
    ".js",
}
_TEXT_NAMES = {"Makefile", "run", ".importlinter"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule at one place; path is relative to the tree's root, line counts from 1."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


def text_files(root: Path) -> Iterator[Path]:
    """Every text file people write, in a stable order; recorded fixtures and generated folders are nobody's prose."""
    for path in sorted(_walk(root)):
        if path.suffix in _TEXT_ENDINGS or path.name in _TEXT_NAMES:
            yield path


def python_files(root: Path, *folders: str) -> Iterator[Path]:
    """The Python files below the named folders (absent ones hold none)."""
    for folder in folders:
        if (root / folder).is_dir():
            yield from (path for path in sorted(_walk(root / folder)) if path.suffix == ".py")


def relative(root: Path, path: Path) -> str:
    """The path as findings show it."""
    return path.relative_to(root).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    """The module's syntax tree; a planted copy lives at a path of its own, so caching by path is safe."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Absolute names this module imports, with line; `from a import b` gives `a.b`."""
    for found in ast.walk(parsed(path)):
        if isinstance(found, ast.Import):
            for alias in found.names:
                yield alias.name, found.lineno
        elif isinstance(found, ast.ImportFrom) and found.level == 0:
            for alias in found.names:
                yield f"{found.module}.{alias.name}", found.lineno


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir():
            hidden = path.name.startswith(".") and path.name != ".ci"
            if not hidden and path.name not in _SKIPPED_FOLDERS and not path.name.endswith(".egg-info"):
                yield from _walk(path)
        else:
            yield path
