"""What `agent install` is asked for: wishes of the command line that stand over the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Install:
    """Where the agent is wanted; no servers means all, no user or key the configured one."""

    cluster: str
    servers: tuple[str, ...] = ()
    user: str | None = None
    key: Path | None = None
    write_key: bool = False
    upgrade: bool = False
