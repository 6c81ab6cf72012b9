"""What holds up an applier: sessions with locks in its way, its own error, a delay; or nothing that can be seen."""

from __future__ import annotations

from dataclasses import dataclass

from failoverd.model.sight import Channel, ServerState, Thread, Trouble
from failoverd.model.steps import SPLICE_CHANNEL

# Errors after which an applier goes on where it was once it is started again: lock wait time-out, deadlock, a worker
# that stopped because another one did, workers stopped by KILL.
PASSING = frozenset({1205, 1213, 3030, 1756})
# Worth a start too: no error at all, and one bad reading of a relay log, which is damage only if it comes again.
TRANSIENT = PASSING | {0, 13121}


@dataclass(frozen=True, slots=True)
class Blocker:
    """A session that has a lock which an applier waits for.

    `since` is seconds that it has been in its present state. `may_end` is False for the server's own threads, those of
    replication, and ourselves: nobody ends these.
    """

    session: int
    account: str
    holds: str
    since: int
    may_end: bool

    def __str__(self) -> str:
        return f"session {self.session} of {self.account} holds {self.holds}, {self.since} s in its present state"


@dataclass(frozen=True, slots=True)
class Stall:
    """Why a server executes nothing now. `waiting` are the states of its applier's threads that wait for a lock.

    `work` grows while an applier is inside one long transaction: rows that its open transactions have changed.
    """

    blockers: tuple[Blocker, ...] = ()
    waiting: tuple[str, ...] = ()
    work: int = 0
    seen_locks: bool = True

    def explained(self, state: ServerState) -> str:
        """One sentence, empty where nothing can be seen."""
        found = [str(blocker) for blocker in self.blockers]
        found += [f"its applier is at: {what}" for what in self.waiting if not self.blockers]
        found += [trouble_of(c.name, c.applier_trouble) for c in state.channels if down(c, state)]
        if state.main is not None and state.main.delay:
            found.append(f"it applies with a delay of {state.main.delay} s")
        if self.waiting and not self.blockers and not self.seen_locks:
            found.append("performance_schema is off, so who holds the lock cannot be told")
        return "; ".join(part for part in found if part)


def down(channel: Channel, state: ServerState) -> bool:
    """Whether a channel's applier is stopped and has something left to apply.

    The splice channel is there only while it has: what it holds is not always said.
    """
    left = channel.name == SPLICE_CHANNEL or not channel.received <= state.executed
    return channel.applier is Thread.NO and left


def trouble_of(channel: str, trouble: Trouble) -> str:
    """A channel's error in words, empty where it has none."""
    name = f"the applier of channel {channel}" if channel else "its applier"
    return f"{name} stopped with error {trouble.code}: {trouble.text}" if trouble else ""
