"""Who this manager is, as lock entries show it to the others."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

import failoverd


@dataclass(frozen=True, slots=True)
class Identity:
    """A manager as people and other managers see it: configured name, process, host, version."""

    name: str
    pid: int
    host: str
    version: str

    @classmethod
    def mine(cls, name: str) -> Identity:
        """The identity of this process under its configured name."""
        return cls(name, os.getpid(), socket.gethostname(), getattr(failoverd, "__version__", ""))
