"""Half-received transactions: a worker that holds locks for a rest that will never come, found and ended.

Stopping the applier instead takes a minute, and until then the locks fail clients of the new primary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from failoverd.drivers.mysql import statements
from failoverd.drivers.mysql.claim_session import ClaimSession
from failoverd.gtid import GtidSet
from failoverd.model.errors import StepFailed
from failoverd.model.sight import ServerState, Thread

_PAUSE = 0.02
# Seconds until workers are told apart or done, and until a transaction has been rolled back.
_CALM_PATIENCE = 5.0
_ROLLBACK_PATIENCE = 10.0
_CALM = 3  # readings in a row: a worker may still be about to take what the coordinator has just handed out
_APPLIER = "system user"
_READ_ALL = "Replica has read all relay log"
_WORKER_WAITS = "Waiting for an event from Coordinator"
# States of an applier that waits for the next event, with and without workers.
_WAITING = frozenset({_WORKER_WAITS, "Replica has read all relay log; waiting for more updates"})


class Partial:
    """The half-received transaction of a claimed server's default channel; `kill` ends a session by number."""

    def __init__(self, session: ClaimSession, kill: Callable[[int], bool]) -> None:
        self._session = session
        self._kill = kill

    def end(self) -> int:
        """End its workers and return how many, once it is sure that none is about to begin; 0 where there is none.

        While other received transactions wait, only what has begun is ended: call again when they are executed.
        """
        calm, until = 0, self._session.clock.now() + _CALM_PATIENCE
        while calm < _CALM and self._session.clock.now() < until:
            state = self._session.read()
            if not _receiver_off(state):
                return 0
            if killed := self._end(state):
                return killed
            if state.main is None or state.main.queueing == "" or state.main.applier is Thread.NO:
                return 0
            if not state.received <= state.executed:
                return 0
            calm = calm + 1 if self._all_read() else 0
            self._session.clock.sleep(_PAUSE)
        return 0

    def end_unbegun(self) -> int:
        """End a coordinator that no worker has taken the beginning from, all else executed; 1, or 0 where that is not
        so. A STOP would wait a minute for the rest. Call it after `end`, and only where the applier may stop for good.

        Whose coordinator one is cannot be told beside another channel, so nothing is ended there.
        """
        state = self._session.read()
        if not _receiver_off(state) or state.main is None or state.main.queueing == "" or len(state.channels) > 1:
            return 0
        if state.main.applier is Thread.NO or not state.received <= state.executed:
            return 0
        found = (row for row in self._session.rows(statements.READ_SESSIONS) if row["User"] == _APPLIER)
        waiting = frozenset(int(row["Id"]) for row in found if str(row["State"]).startswith(_READ_ALL))
        return self._end_sessions(waiting)

    def end_begun(self) -> int:
        """End the workers that are in it now; how many."""
        state = self._session.read()
        return self._end(state) if _receiver_off(state) else 0

    def _end(self, state: ServerState) -> int:
        return self._end_sessions(self._workers(state))

    def _end_sessions(self, numbers: Iterable[int]) -> int:
        killed = frozenset(number for number in numbers if self._kill(number))
        self._await_end(killed)
        return len(killed)

    def _all_read(self) -> bool:
        rows = [row for row in self._session.rows(statements.READ_CHANNELS) if row["Channel_Name"] == ""]
        return any(str(row["Replica_SQL_Running_State"]).startswith(_READ_ALL) for row in rows)

    def _workers(self, state: ServerState) -> tuple[int, ...]:
        """Who applies what was never received as a whole; with the receiver off the received set stands still."""
        workers = self._session.rows(statements.READ_WORKERS)
        at_it = [w for w in workers if w["channel"] == "" and _beyond(str(w["applying"]), state.holds)]
        named = tuple(int(w["session"]) for w in at_it if w["session"] is not None)
        return named if named or not at_it else self._nameless(str(at_it[0]["applying"]))

    def _nameless(self, name: str) -> tuple[int, ...]:
        """Without performance_schema workers have no numbers: who holds a transaction open and waits for more of it.

        With everything else executed, that is any open one; else one that has not moved between two readings.
        """
        end = self._session.clock.now() + _CALM_PATIENCE
        before: frozenset[tuple[object, ...]] = frozenset()
        while self._session.clock.now() < end:
            state = self._session.read()
            found = self._session.rows(statements.READ_OPEN_APPLIERS)
            if state.received <= state.executed:
                return tuple(int(row["session"]) for row in found) or self._idle(state, name)
            waiting = frozenset(
                (row["session"], row["trx"], row["modified"]) for row in found if row["state"] in _WAITING
            )
            if still := before & waiting:
                return tuple(int(str(session)) for session, *_ in still)
            before = waiting
            self._session.clock.sleep(0.1)
        raise self._not_told(name, "drain first")

    def _idle(self, state: ServerState, name: str) -> tuple[int, ...]:
        """All workers that wait, one of which has taken the name and no row yet: the others have nothing to do, and the
        applier stops with the first that ends. Whose worker one is cannot be told beside another channel.
        """
        if len(state.channels) > 1:
            raise self._not_told(name, "performance_schema tells the workers of several channels apart")
        rows = [row for row in self._session.rows(statements.READ_SESSIONS) if row["User"] == _APPLIER]
        waiting = {int(row["Id"]): row["State"] for row in rows if row["State"] in _WAITING}
        workers = tuple(number for number, waits in waiting.items() if waits == _WORKER_WAITS)
        return workers or tuple(waiting)

    def _not_told(self, name: str, hint: str) -> StepFailed:
        return StepFailed(f"{self._session.where}: the worker of {name} cannot be told from others", "", hint)

    def _await_end(self, sessions: frozenset[int]) -> None:
        """Return when these are gone: their locks are free only when the rollback has ended.

        The applier as a whole may take longer: its other workers end what they are at.
        """
        end = self._session.clock.now() + _ROLLBACK_PATIENCE
        while sessions & {int(row["Id"]) for row in self._session.rows(statements.READ_SESSIONS)}:
            if self._session.clock.now() > end:
                raise StepFailed(f"{self._session.where}: the half-received transaction is still rolling back")
            self._session.clock.sleep(0.01)


def _receiver_off(state: ServerState) -> bool:
    """Whether the rest of what was received in part will not come."""
    return state.main is not None and state.main.receiver is Thread.NO


def _beyond(applying: str, holds: GtidSet) -> bool:
    """Whether a worker's transaction is a named one outside of what the server holds as a whole."""
    return ":" in applying and not GtidSet.parse(applying) <= holds
