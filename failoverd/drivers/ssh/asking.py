"""A request to an agent, and what comes for it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from failoverd.model.errors import AgentError

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Ask:
    """A request: operation, arguments, and for a change the cluster and epoch under which it is made.

    `patience` is after how many seconds the agent gives up by itself; None: a little before we do.
    """

    op: str
    args: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    cluster: str = ""
    epoch: int | None = None
    patience: float | None = None


class Pending:
    """A request on its way: what comes for it arrives in `inbox`, raw bytes before the reply."""

    def __init__(self, number: int, ask: Ask, timeout: float) -> None:
        self.number = number
        self.ask = ask
        self.timeout = timeout
        self.sent_at = time.monotonic()
        self.abandoned = False
        self.inbox: deque[Mapping[str, Any] | bytes | AgentError] = deque()

    def next(self) -> Mapping[str, Any] | bytes:
        """The first thing in its inbox. Raises the channel's own end."""
        came = self.inbox.popleft()
        if isinstance(came, AgentError):
            raise came
        return came

    def abandon(self) -> None:
        """What still comes for it is thrown away, until its reply."""
        self.abandoned = True
        self.inbox.clear()
