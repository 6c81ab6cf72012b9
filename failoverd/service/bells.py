"""One bell for the drivers, one for each cluster: a reason that names a cluster rings only that one, any other rings
all.
"""

from __future__ import annotations

from collections.abc import Mapping

from failoverd.ports import Wakeups


class Bells:
    """What drivers ring; `lost:shop/db1` goes to the cluster shop. Nobody rests on it: each cluster rests on its own
    bell.
    """

    def __init__(self, by_cluster: Mapping[str, Wakeups]) -> None:
        self._by_cluster = dict(by_cluster)

    def wait(self, seconds: float) -> frozenset[str]:
        """Rest on the first cluster's bell, for commands that serve one cluster only."""
        return next(iter(self._by_cluster.values())).wait(seconds)

    def ring(self, reason: str) -> None:
        """End the rest of the cluster that the reason names, or of all."""
        _, _, place = reason.partition(":")
        cluster, _, _ = place.partition("/")
        if cluster in self._by_cluster:
            self._by_cluster[cluster].ring(reason)
            return
        for bell in self._by_cluster.values():
            bell.ring(reason)
