"""The ports that looking needs."""

from __future__ import annotations

from dataclasses import dataclass

from failoverd.ports import Agents, Clock, Servers, Tasks


@dataclass(frozen=True, slots=True)
class Eyes:
    """Servers and agents to ask, and the means to ask them side by side."""

    servers: Servers
    agents: Agents
    tasks: Tasks
    clock: Clock
