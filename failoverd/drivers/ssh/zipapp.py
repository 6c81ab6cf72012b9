"""The agent's zipapp as this program ships it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from failoverd.agent.build import build


def shipped_sha256() -> str:
    """The hash that an agent of this program's own version reports."""
    with tempfile.TemporaryDirectory() as folder:
        return build(Path(folder) / "agent.pyz")
