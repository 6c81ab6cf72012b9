"""What a clone and a rebuild by hook have in common: they are watched, ended early, and seen up again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from failoverd.execute.hands import Hands
from failoverd.model.cloning import unfinished
from failoverd.model.errors import AgentError, ServerError, StepFailed
from failoverd.model.host import HostFacts
from failoverd.model.plans import EntryKind
from failoverd.model.sight import ServerState
from failoverd.ports import ClaimedServer

# Between two lines about the progress (seconds), and the part of the time so far: what takes hours is told less often.
TELL_EVERY, TELL_PART = 2.0, 0.05
# A supervisor starts a mysqld that has ended within this, or there is none (seconds).
SUPERVISED = 15.0
# A large server reads its redo log for a while before it answers (seconds, with its process there).
STARTS = 1800.0
# A mysqld whose copy is whole ends within a second. One that answers longer than this, not started anew and with its
# mark, has not got a copy (seconds).
ENDS = 15.0
PAUSE = 0.3
LOOK = 2.0


class Watch:
    """One server while it is overwritten: what is told of it, and what ends it early."""

    def __init__(self, server: str, primary: str, hands: Hands) -> None:
        self.server = server
        self.hands = hands
        self.begun = hands.clock.now()
        self._primary = primary
        self._told = float("-inf")

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return self.hands.clock.now() - self.begun

    def guard(self) -> None:
        """Nothing goes on without the lease, nor while the primary is gone: then a failover is due."""
        self.hands.lease.check()
        servers, name, cluster = self.hands.servers, self._primary, self.hands.cluster
        if isinstance(servers.look(cluster, name, LOOK), ServerState):
            return
        if not isinstance(servers.connect_again(cluster, name, LOOK), ServerState):
            raise StepFailed(f"{name} is missed", f"{self.server} is overwritten anew when there is a primary")

    def tell(self, progress: Callable[[], str]) -> None:
        """How far it is, whenever it is time to say so again: to whoever follows, and into the journal."""
        now = self.hands.clock.now()
        if now - self._told < max(TELL_EVERY, TELL_PART * self.seconds):
            return
        self._told = now
        text = f"{self.server}: {progress()}"
        self.hands.tell(text)
        self.hands.write(EntryKind.PROGRESS, {"server": self.server, "text": text}, wait=False)
        self.hands.conduct.tell(text)
        self.hands.conduct.attend()

    def close_again(self) -> None:
        """What was begun and ended early leaves it as closed as it was, where it still answers."""
        with contextlib.suppress(Exception):
            self.hands.drop(self.server)
            self.hands.claim(self.server, LOOK)
            claim = self.hands.claimed(self.server)
            claim.close_writes(lock_wait=1.0)
            claim.let_in()


def came_back(watch: Watch, whole: str, lost: str) -> None:
    """Wait for its answer with other settings of replication in place of the mark; it is closed and claimed then.

    StepFailed where nobody starts it though it is `whole`, or where it was not whole after all, because of `lost`.
    """
    server, hands = watch.server, watch.hands
    hands.drop(server)
    begun = gone_since = hands.clock.now()
    answers_since: float | None = None
    while True:
        watch.guard()
        state = answer(server, hands)
        if state is not None and not unfinished(state):
            close(hands.claimed(server))
            return
        now = hands.clock.now()
        answers_since = None if state is None else now if answers_since is None else answers_since
        ended = state is not None and state.started_at > begun  # in the middle, and somebody has started it
        if ended or (answers_since is not None and now - answers_since > ENDS):
            watch.close_again()
            why = "its mysqld ended meanwhile" if ended else lost
            raise StepFailed(f"{server} holds half of a copy", why, "overwrite it anew")
        hands.drop(server)
        gone_since = now if state is not None or runs(server, hands) else gone_since
        if now - gone_since > SUPERVISED or now - begun > STARTS:
            raise StepFailed(
                f"{server} has not come back", whole, "start its mysqld: it is judged and attached by itself then"
            )
        hands.clock.sleep(PAUSE)


def answer(server: str, hands: Hands) -> ServerState | None:
    """What it says on a new claim, which ends whatever an older session of ours does there; None for nothing."""
    with contextlib.suppress(ServerError):
        hands.claim(server, LOOK)
        return hands.claimed(server).read()
    return None


def close(claim: ClaimedServer) -> None:
    """However it came up, it takes no writes now, nor after its next start."""
    if not claim.read().super_read_only:
        claim.close_writes(lock_wait=1.0)
    claim.stay_closed()


def runs(server: str, hands: Hands) -> bool:
    """Whether its host shows a process; without an agent nobody knows."""
    try:
        facts = hands.agents.facts(hands.cluster, server, LOOK)
    except AgentError:
        return False
    return isinstance(facts, HostFacts) and facts.alive
