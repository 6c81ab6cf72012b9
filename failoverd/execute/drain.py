"""Waiting for an applier: judged by sets, never by thread states; a stall is explained and dealt with, and only time
without progress runs out.
"""

from __future__ import annotations

from failoverd.execute.hands import Hands
from failoverd.execute.pace import Pace
from failoverd.gtid import GtidSet
from failoverd.model.counted import counted
from failoverd.model.errors import RecoveryIncomplete
from failoverd.model.sight import Channel, ServerState
from failoverd.model.stall import TRANSIENT, Blocker, down
from failoverd.ports import ClaimedServer

# One wait on the server; between two of them progress is judged and told.
SLICE = 0.5
# Without progress for this long, locks are looked at: an applier that works is not disturbed by it.
LOOK_AFTER = 1.0
# An applier that stops with a transient error is started this often before its error is taken for lasting.
RESTARTS = 5


class Drainage:
    """One wait of one operation for what a claimed server has to execute; `stall` is seconds without progress."""

    def __init__(self, claim: ClaimedServer, gtids: GtidSet, hands: Hands, stall: float) -> None:
        self._claim = claim
        self._gtids = gtids
        self._hands = hands
        self._stall = stall
        self._pace = Pace(hands.clock)
        self._restarts = 0
        self._why = ""
        self.deeds: list[str] = []

    def run(self) -> None:
        """Return when all is executed; RecoveryIncomplete names what is left and why, as far as it can be seen."""
        self._restart(self._claim.read())
        while not self._claim.wait_executed(self._gtids, SLICE):
            state = self._claim.read()
            left = self._gtids - state.executed
            if self._pace.moved(-len(left)):
                self._hands.tell(
                    f"{self._claim.name}: {counted(len(left), 'transaction')} to execute{self._pace.eta(len(left))}"
                )
            if self._pace.idle() >= LOOK_AFTER:
                self._remedy(state)
            if self._pace.idle() > self._stall:
                raise self._incomplete(left, f"{self._claim.name} has executed nothing for {self._stall:g} s")

    def _remedy(self, state: ServerState) -> None:
        stall = self._claim.stalled_by()
        if self._pace.worked(stall.work):
            return
        self._explain(stall.explained(state))
        for blocker in stall.blockers:
            self._release(blocker)
        self._restart(state)

    def _explain(self, why: str) -> None:
        if why and why != self._why:
            self._hands.tell(f"{self._claim.name} is held up: {why}")
        self._why = why or self._why

    def _release(self, blocker: Blocker) -> None:
        """End a session that is in the way, where policy allows it: the server is about to be the primary."""
        if blocker.may_end and self._hands.policy.failover.kill_blockers and self._claim.end_blocker(blocker):
            self.deeds.append(f"ended {blocker}")
            self._hands.tell(f"{self._claim.name}: {self.deeds[-1]}")

    def _restart(self, state: ServerState) -> None:
        """Start appliers that stopped for a reason which may have passed; a lasting one ends the wait at once."""
        for channel in state.channels:
            if down(channel, state):
                self._start(channel, state)

    def _start(self, channel: Channel, state: ServerState) -> None:
        trouble = channel.applier_trouble
        if trouble.code not in TRANSIENT or self._restarts >= RESTARTS:
            what = f"the applier of {self._claim.name} stopped with error {trouble.code}"
            raise self._incomplete(self._gtids - state.executed, f"{what}: {trouble.text}")
        self._restarts += 1
        self._claim.start_applier(channel.name)
        if trouble:
            self.deeds.append(f"started its applier again after error {trouble.code}")

    def _incomplete(self, left: GtidSet, what: str) -> RecoveryIncomplete:
        off = "" if self._hands.policy.failover.kill_blockers else "; failover.kill_blockers is off"
        because = f"; held up: {self._why}{off}" if self._why else ""
        return RecoveryIncomplete(
            what,
            f"{counted(len(left), 'transaction is left', 'transactions are left')}: {left.shorten()}{because}",
            left,
        )
