"""CLONE: overwrite a server that came back with the data of another one, and see it up again."""

from __future__ import annotations

import contextlib

from failoverd.execute.hands import Hands
from failoverd.model.cloning import CloneData, CloneProgress, unfinished
from failoverd.model.errors import AgentError, ServerError, StepFailed
from failoverd.model.host import HostFacts
from failoverd.model.plans import EntryKind
from failoverd.model.sight import ServerState
from failoverd.ports import ClaimedServer

# Between two lines about the progress (seconds), and the part of the time so far: what takes hours is told less often.
TELL_EVERY, TELL_PART = 2.0, 0.05
# Flushing what was copied moves no bytes; longer than this it hangs (seconds without progress).
STILL = 600.0
# A supervisor starts a mysqld that has ended within this, or there is none (seconds).
SUPERVISED = 15.0
# A large server reads its redo log for a while before it answers (seconds, with its process there).
STARTS = 1800.0
# A mysqld whose copy is whole ends within a second. One that answers longer than this, not started anew and with its
# mark, has lost the clone's session, and with that the clone (seconds).
ENDS = 15.0
PAUSE = 0.3
LOOK = 2.0


def clone_data(step: CloneData, hands: Hands) -> str:
    """Copy; then wait until it is up again, closed, with the donor's data and settings of replication."""
    watch = Watch(step, hands)
    stand_in(step.server, hands)
    try:
        hands.claimed(step.server).clone_from(step.source, watch.heed)
    except BaseException:
        watch.close_again()
        raise
    copied = watch.copied()
    hands.drop(step.server)
    claim = came_back(step, hands, watch)
    if not claim.read().super_read_only:
        claim.close_writes(lock_wait=1.0)
    claim.stay_closed()
    return f"{copied}; it is up again, closed, with the accounts of {step.donor}"


def stand_in(server: str, hands: Hands) -> None:
    """Where nothing starts a mysqld that has ended, its agent does; where that cannot be had, a person has to."""
    uuid = hands.claimed(server).read().server_uuid
    try:
        hands.agents.stand_in(hands.cluster, server, uuid, hands.lease)
    except AgentError as error:
        hands.tell(f"{server}: without a supervisor its mysqld has to be started by hand: {error}")


class Watch:
    """One copy under way: what is told of it, and what ends it early."""

    def __init__(self, step: CloneData, hands: Hands) -> None:
        self._step = step
        self._hands = hands
        self._begun = self._moved = hands.clock.now()
        self._told = float("-inf")
        self._done = CloneProgress()

    def heed(self, found: CloneProgress) -> None:
        """Tell how far it is. StepFailed where it stands still, or the primary is missed, which matters more;
        CoordinationError where we are not active any more.
        """
        now = self._hands.clock.now()
        if found.done > self._done.done:
            self._done, self._moved = found, now
        if found.total and now - self._moved > STILL:
            raise StepFailed(f"the copy to {self._step.server} stands still", f"{now - self._moved:.0f} s")
        self.guard()
        if now - self._told >= max(TELL_EVERY, TELL_PART * (now - self._begun)):
            self._told = now
            text = f"{self._step.server}: {self.progress(now)}"
            self._hands.tell(text)
            self._hands.write(EntryKind.PROGRESS, {"server": self._step.server, "text": text}, wait=False)
            self._hands.conduct.tell(text)
            self._hands.conduct.attend()

    def guard(self) -> None:
        """Nothing goes on without the lease, nor while the primary is gone: then a failover is due."""
        self._hands.lease.check()
        servers, name, cluster = self._hands.servers, self._step.primary, self._hands.cluster
        if isinstance(servers.look(cluster, name, LOOK), ServerState):
            return
        if not isinstance(servers.connect_again(cluster, name, LOOK), ServerState):
            raise StepFailed(f"{name} is missed", f"{self._step.server} is cloned anew when there is a primary")

    def progress(self, now: float) -> str:
        """How much, how fast, how long still."""
        done, total = self._done.done, self._done.total
        if not total:
            return "how far the copy is cannot be seen: performance_schema is off there"
        rate = done / max(now - self._begun, 0.001)
        left = f", {(total - done) / rate:.0f} s left" if rate else ""
        return f"{mega(done)} of {mega(total)} MB copied, {mega(rate)} MB/s{left}"

    def copied(self) -> str:
        """The same at its end."""
        seconds = self._hands.clock.now() - self._begun
        size = f"{mega(self._done.total)} MB" if self._done.total else "everything"
        return f"{size} copied from {self._step.donor} in {seconds:.1f} s"

    def close_again(self) -> None:
        """What was begun and ended early leaves it as closed as it was, where it still answers."""
        with contextlib.suppress(Exception):
            self._hands.drop(self._step.server)
            self._hands.claim(self._step.server, LOOK)
            claim = self._hands.claimed(self._step.server)
            claim.close_writes(lock_wait=1.0)
            claim.let_in()


def mega(size: float) -> str:
    """Bytes in millions, for people."""
    return f"{size / 1e6:.0f}"


def came_back(step: CloneData, hands: Hands, watch: Watch) -> ClaimedServer:
    """Its claim, when it answers with the donor's settings in place of the mark; StepFailed where nobody starts it, or
    where the copy was not whole after all.
    """
    begun = gone_since = hands.clock.now()
    answers_since: float | None = None
    while True:
        watch.guard()
        state = answer(step.server, hands)
        now = hands.clock.now()
        if state is not None and not unfinished(state):
            return hands.claimed(step.server)
        answers_since = None if state is None else now if answers_since is None else answers_since
        ended = state is not None and state.started_at > begun  # in the middle, and somebody has started it
        if ended or (answers_since is not None and now - answers_since > ENDS):
            watch.close_again()
            why = "its mysqld ended meanwhile" if ended else "the clone has lost its session"
            raise StepFailed(f"{step.server} holds half of a copy", why, "clone it anew")
        hands.drop(step.server)
        gone_since = now if state is not None or runs(step, hands) else gone_since
        if now - gone_since > SUPERVISED or now - begun > STARTS:
            raise StepFailed(
                f"{step.server} has not come back",
                "the copy is whole",
                "start its mysqld: it is attached by itself then",
            )
        hands.clock.sleep(PAUSE)


def answer(server: str, hands: Hands) -> ServerState | None:
    """What it says on a new claim, which ends whatever an older session of ours does there; None for nothing."""
    with contextlib.suppress(ServerError):
        hands.claim(server, LOOK)
        return hands.claimed(server).read()
    return None


def runs(step: CloneData, hands: Hands) -> bool:
    """Whether its host shows a process; without an agent nobody knows."""
    try:
        facts = hands.agents.facts(hands.cluster, step.server, LOOK)
    except AgentError:
        return False
    return isinstance(facts, HostFacts) and facts.alive
