"""How long to rest between looks, and when the agents are asked: the rhythm of watching."""

from __future__ import annotations

import zlib

from failoverd.model.policy import ClusterPolicy
from failoverd.model.verdict import Advice, Verdict, VerdictName
from failoverd.observe.fanout import HASTE

# Evidence that is still coming in (a process that is ending) is looked at again this soon.
AGAIN_SOON = 0.02
# While it is suspected for another reason it is looked at this often.
SUSPECTED = 0.1
# For this many seconds; what is not clear by then waits for something slower than a process that ends.
FRESH = 2.0
# While nothing is wrong the agents are asked this often, so that a missing one is known before it is needed.
HOSTS_EVERY = 5.0
# Those of replicas' hosts, where hosts are so many that their channels are not kept open.
OTHERS_EVERY = 300.0
# However long a look took, the next one begins this part of the interval later.
LEAST_REST = 0.1


class Heartbeat:
    """The rhythm of one cluster's looks; times are the clock's seconds."""

    def __init__(self) -> None:
        self._hosts_asked_at = float("-inf")
        self._others_asked_at = float("-inf")

    def hosts_due(self, now: float, cluster: str) -> bool:
        """Whether this look should ask the agents too; answering yes counts as having asked. The clusters of a manager,
        which begin together, ask each at its own moment from the second time on.
        """
        if now - self._hosts_asked_at < HOSTS_EVERY:
            return False
        first = self._hosts_asked_at == float("-inf")
        self._hosts_asked_at = now - (HOSTS_EVERY * share_of(cluster) if first else 0.0)
        return True

    def others_due(self, now: float, cluster: str) -> bool:
        """Whether a look that asks the agent of the primary's host should ask all others too, where their channels have
        to be opened for it; answering yes counts as having asked.
        """
        if now - self._others_asked_at < OTHERS_EVERY:
            return False
        first = self._others_asked_at == float("-inf")
        self._others_asked_at = now - (OTHERS_EVERY * share_of(cluster) if first else 0.0)
        return True

    def ask_soon(self) -> None:
        """Let the next look ask the agents: they know more than before."""
        self._hosts_asked_at = self._others_asked_at = float("-inf")


def share_of(cluster: str) -> float:
    """A number from 0 to 1 for a cluster, always the same: what each does now and then is not done by all at once."""
    return zlib.crc32(cluster.encode()) / 2**32


def rest_after(
    verdict: Verdict, policy: ClusterPolicy, missed_for: float, proven_in: float | None = None, took: float = 0.0
) -> float:
    """Seconds until the next look: soon while evidence is coming in, less soon once that has gone on, else the
    interval from the beginning of one look to that of the next, of which this one `took` a part: a silent replica must
    not delay the looks at the others. A silence that will be proven within `proven_in` seconds is proven by the end of
    a look that begins soon.
    """
    detection = policy.detection
    if verdict.advice is Advice.LOOK_AGAIN and missed_for < FRESH:
        return AGAIN_SOON
    if verdict.name is VerdictName.SUSPECT:
        late = detection.interval if proven_in is None else max(proven_in - detection.timeout * HASTE, AGAIN_SOON)
        return min(detection.interval, SUSPECTED, late)
    return max(detection.interval - took, detection.interval * LEAST_REST)
