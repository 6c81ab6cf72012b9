"""How long to rest between looks, and when the agents are asked: the rhythm of watching."""

from __future__ import annotations

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


class Heartbeat:
    """The rhythm of one cluster's looks; times are the clock's seconds."""

    def __init__(self) -> None:
        self._hosts_asked_at = float("-inf")

    def hosts_due(self, now: float) -> bool:
        """Whether this look should ask the agents too; answering yes counts as having asked."""
        if now - self._hosts_asked_at < HOSTS_EVERY:
            return False
        self._hosts_asked_at = now
        return True

    def ask_soon(self) -> None:
        """Let the next look ask the agents: they know more than before."""
        self._hosts_asked_at = float("-inf")


def rest_after(verdict: Verdict, policy: ClusterPolicy, missed_for: float, proven_in: float | None = None) -> float:
    """Seconds until the next look: soon while evidence is coming in, less soon once that has gone on, else the
    interval. A silence that will be proven within `proven_in` seconds is proven by the end of a look that begins soon.
    """
    detection = policy.detection
    if verdict.advice is Advice.LOOK_AGAIN and missed_for < FRESH:
        return AGAIN_SOON
    if verdict.name is VerdictName.SUSPECT:
        late = detection.interval if proven_in is None else max(proven_in - detection.timeout * HASTE, AGAIN_SOON)
        return min(detection.interval, SUSPECTED, late)
    return detection.interval
