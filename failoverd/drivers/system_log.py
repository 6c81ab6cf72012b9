"""The system's log of this host: who did there what no journal of an operation tells, and why."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

from failoverd.model.plans import Requester

SOCKET: Final = Path("/dev/log")
_NOTICE: Final = 10 * 8 + 5  # facility authpriv, where sudo tells who became whom, and severity notice (RFC 3164)
_LONGEST: Final = 1000
_PATIENCE: Final = 0.5


def note(what: str, by: Requester, log: Path = SOCKET) -> bool:
    """Tell the log in one line; whether one took it. Raises nothing: a missing log keeps nobody from acting."""
    told = " ".join(f"{by.user}@{by.host}: {what}{by.reason and f': {by.reason}'}".split())
    line = f"<{_NOTICE}>failoverd[{os.getpid()}]: {told}".encode("utf-8", "replace")[:_LONGEST]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taker:
        taker.settimeout(_PATIENCE)
        try:
            taker.sendto(line, str(log))
        except OSError:
            return False
    return True
