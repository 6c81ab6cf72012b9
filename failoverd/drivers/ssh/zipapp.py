"""The agent's zipapp as this program ships it."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from failoverd.agent.build import build


@cache
def shipped() -> tuple[bytes, str]:
    """Its bytes and their SHA-256 as hex: the same from the same sources, wherever they are built."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "agent.pyz"
        sha256 = build(target)
        return target.read_bytes(), sha256


def shipped_sha256() -> str:
    """The hash that an agent of this program's own version reports."""
    return shipped()[1]
