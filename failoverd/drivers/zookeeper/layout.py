"""Names of all entries: `ROOT/CLUSTER/...`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from failoverd.drivers.journal_codec import checked_name

_SEQUENCE = re.compile(r"_(-?\d+)$")
_PAUSED = "paused"
_HALF, _WHOLE = 1 << 31, 1 << 32


@dataclass(frozen=True, slots=True)
class Layout:
    """The entries of one cluster; `base` is its directory."""

    base: str

    @classmethod
    def of(cls, root: str, cluster: str) -> Layout:
        """The layout of a cluster below the configured root."""
        return cls(f"{root.rstrip('/')}/{checked_name('cluster', cluster)}")

    @property
    def lock(self) -> str:
        """Directory of the contenders, first come first served."""
        return f"{self.base}/lock"

    @property
    def epoch(self) -> str:
        """The number that grows with each taking of the lock."""
        return f"{self.base}/epoch"

    @property
    def ops(self) -> str:
        """Directory of the operations."""
        return f"{self.base}/ops"

    @property
    def open(self) -> str:
        """The id of the operation without an end; empty without one."""
        return f"{self.base}/open"

    @property
    def last_failover(self) -> str:
        """When the last failover ended done."""
        return f"{self.base}/last_failover"

    @property
    def primary(self) -> str:
        """Who the primary is."""
        return f"{self.base}/primary"

    @property
    def status(self) -> str:
        """What the active manager shows."""
        return f"{self.base}/status"

    @property
    def failing(self) -> str:
        """When its primary last failed."""
        return f"{self.base}/failing"

    def paused(self, server: str = "") -> str:
        """The pause of the cluster, or of one of its servers."""
        return f"{self.base}/{_PAUSED}@{checked_name('server', server)}" if server else f"{self.base}/{_PAUSED}"

    def paused_of(self, names: list[str]) -> tuple[str, ...]:
        """Whose pauses are among the entries of the cluster: server names, the empty one for the cluster's own."""
        parts = [name.partition("@") for name in sorted(names)]
        return tuple(server for head, _, server in parts if head == _PAUSED)

    @property
    def requests(self) -> str:
        """Directory of what people asked for."""
        return f"{self.base}/requests"

    @property
    def answers(self) -> str:
        """Directory of what they were told."""
        return f"{self.base}/answers"

    @property
    def config(self) -> str:
        """The settings that the active manager runs with."""
        return f"{self.base}/config"

    @property
    def question(self) -> str:
        """What the active manager wants the standbys to look at."""
        return f"{self.base}/question"

    @property
    def testimonies(self) -> str:
        """Directory of the standbys' answers."""
        return f"{self.base}/testimonies"

    def answer_of(self, manager: str) -> str:
        """The last answer of one standby."""
        return f"{self.testimonies}/{checked_name('manager', manager)}"

    def directories(self) -> tuple[str, ...]:
        """Everything below `base` that exists from the first day, besides the epoch."""
        return (self.lock, self.ops, self.requests, self.answers, self.open)

    def operation(self, operation: str) -> str:
        """Directory of one operation."""
        return f"{self.ops}/{checked_name('operation', operation)}"


def sequence(name: str) -> int:
    """The number ZooKeeper gave a sequential entry; it is signed and wraps around after 2**31 entries."""
    found = _SEQUENCE.search(name)
    return int(found.group(1)) if found else 0


def in_line(names: list[str]) -> list[str]:
    """Sequential entries in the order of their making, right across the wrap-around."""
    if not names:
        return []
    anchor = sequence(names[0])
    return sorted(names, key=lambda name: (sequence(name) - anchor + _HALF) % _WHOLE)
