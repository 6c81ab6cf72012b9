"""failoverd never makes a transaction of its own: what it can say to a server, against what would.

The driver's table is the only place that has statements (a unit test holds it to that); here the words themselves are
judged, also those that are put together from pieces.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.house.tree import Finding, parsed, python_files, relative

PATTERNS = Path(__file__).with_name("errant_statements.txt")
# The lab and its client write on purpose; no part of the manager. The write probe, where people configured one, and
# what people want done about a diverged tail write on the primary only: their own tests hold them to that.
_OUT_OF_BAND = {"amending.py", "application.py", "local.py", "writing.py"}
# Where every statement starts; other strings are names, sentences and columns.
_SAYS_SOMETHING = re.compile(
    r"\s*(SELECT|SHOW|SET|KILL|STOP|START|RESET|CHANGE|FLUSH|ANALYZE|OPTIMIZE|REPAIR|INSERT|REPLACE|UPDATE|DELETE|"
    r"TRUNCATE|LOAD|CALL|CREATE|ALTER|DROP|RENAME|GRANT|REVOKE|XA|COMMIT|BINLOG|INSTALL|UNINSTALL|CLONE|LOCK)\s+[A-Z@'%{(]"
)


def errant_statements(root: Path) -> Iterator[Finding]:
    """Statements in the MySQL driver that would write a transaction, skip one, or change what a restart does."""
    patterns = forbidden()
    for path in python_files(root, "failoverd/drivers/mysql"):
        if path.name in _OUT_OF_BAND:
            continue
        for text, line in said(path):
            for pattern in patterns:
                if pattern.search(text):
                    yield Finding(
                        relative(root, path), line, f"{text[:60]!r} would leave an errant transaction or worse"
                    )


def forbidden() -> tuple[re.Pattern[str], ...]:
    """The patterns of the list."""
    lines = PATTERNS.read_text(encoding="utf-8").splitlines()
    return tuple(re.compile(line, re.IGNORECASE) for line in lines if line and not line.startswith("#"))


def said(path: Path) -> Iterator[tuple[str, int]]:
    """Every statement of a module, joined where it is written in pieces; names that come in stand as {}."""
    for found in ast.walk(parsed(path)):
        text = ""
        if isinstance(found, ast.Constant) and isinstance(found.value, str):
            text = found.value
        elif isinstance(found, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in found.values)
        if _SAYS_SOMETHING.match(text):
            yield text, getattr(found, "lineno", 1)
