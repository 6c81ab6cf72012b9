"""How long to rest between looks, and when the agents are asked: the rhythm of watching."""

from __future__ import annotations

from failoverd.model.policy import ClusterPolicy
from failoverd.model.verdict import Advice, Verdict, VerdictName

# Evidence that is still coming in (a process that is ending) is looked at again this soon.
AGAIN_SOON = 0.02
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


def rest_after(verdict: Verdict, policy: ClusterPolicy, missed_for: float) -> float:
    """Seconds until the next look: soon while evidence is coming in, less soon once that has gone on, else the
    interval.
    """
    interval = policy.detection.interval
    if verdict.advice is Advice.LOOK_AGAIN and missed_for < FRESH:
        return AGAIN_SOON
    if verdict.name is VerdictName.SUSPECT:
        return min(interval, 0.1)
    return interval
