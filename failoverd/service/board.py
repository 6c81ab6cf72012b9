"""The last word about every cluster, for whoever asks this process over HTTP; written by the watches."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from failoverd.ports import Clock

Document = Mapping[str, object]
# A manager says something at least every few seconds; what is older than this says nothing about now (seconds).
FRESH = 15.0


class Board:
    """Documents by cluster, each replaced whole, so that no reader ever sees half of one."""

    def __init__(self, clock: Clock, clusters: tuple[str, ...], keep: Callable[[str, str], None]) -> None:
        self._clock = clock
        self._keep = keep
        self._clusters = clusters
        self._said: dict[str, tuple[Document, float]] = {}
        self._healthy: dict[str, float] = {}

    @property
    def clusters(self) -> tuple[str, ...]:
        """The clusters that this manager watches."""
        return self._clusters

    def keep(self, cluster: str, document: str) -> None:
        """Take a cluster's status, and hand it on to where it is kept."""
        said, now = json.loads(document), self._clock.now()
        self._said[cluster] = (said, now)
        if said["verdict"] == "healthy":
            self._healthy[cluster] = now
        self._keep(cluster, document)

    def document(self, cluster: str) -> Document | None:
        """The last status, however old; None before the first look."""
        said = self._said.get(cluster)
        return said[0] if said is not None else None

    def age(self, cluster: str) -> float:
        """Seconds since it was said; infinite before the first look."""
        said = self._said.get(cluster)
        return self._clock.now() - said[1] if said is not None else float("inf")

    def healthy_age(self, cluster: str) -> float | None:
        """Seconds since it was last seen healthy; None where it never was."""
        healthy = self._healthy.get(cluster)
        return self._clock.now() - healthy if healthy is not None else None

    def fresh(self, cluster: str) -> Document | None:
        """The last status, if it still says something about now."""
        return self.document(cluster) if self.age(cluster) <= FRESH else None
