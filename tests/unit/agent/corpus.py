"""The kept log files of a real server, and what that server said of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

LOGS = Path(__file__).parents[2] / "fixtures/logs"
SAID: dict[str, Any] = json.loads((LOGS / "said.json").read_text())
FILES = [*SAID["binary"], *SAID["relay"]]


def gtids_said(name: str) -> list[tuple[int, str]]:
    """(offset, GTID) of every transaction of one file, as the server showed them."""
    events = SAID["binary"].get(name) or SAID["relay"][name]
    return [
        (position, found.group(1))
        for position, kind, _, info in events
        if kind.startswith("Gtid") and (found := re.search("'(.*)'", info))
    ]
