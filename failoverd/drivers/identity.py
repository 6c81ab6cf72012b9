"""Who this manager is, as lock entries show it to the others."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import failoverd

MACHINE_ID = Path("/etc/machine-id")


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

    def on_all_hosts(self, state_dir: Path) -> str:
        """What tells this manager from others where no ensemble knows them all: a file copied to another host, name
        and all, makes another manager of it.
        """
        return f"{self.name} {self.host} {_machine()} {state_dir.absolute()}"


def _machine() -> str:
    try:
        return MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
