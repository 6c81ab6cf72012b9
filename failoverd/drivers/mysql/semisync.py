"""Both sides of semi-sync on a claimed server.

Turning the source side off answers OK to every commit that waits, though no replica has it: so it is done only where
the server is closed and nobody waits, or where giving acknowledgements up is what is wanted.
"""

from __future__ import annotations

from failoverd.drivers.mysql import statements
from failoverd.drivers.mysql.claim_session import ClaimSession
from failoverd.model.counted import counted
from failoverd.model.errors import StepFailed
from failoverd.model.semisync import INFINITE
from failoverd.model.sight import Thread

_WAITS = "Waiting for semi-sync ACK"
ENDED = "Killed"
_CONFIGURE = "plugin-load-add = semisync_source.so;semisync_replica.so in its configuration, and a restart"


class Acks:
    """Who acknowledges and who waits, on one claimed server."""

    def __init__(self, session: ClaimSession) -> None:
        self._session = session

    def give(self) -> bool:
        """Let it acknowledge what it receives, and wait for nobody itself; whether its receiver must start anew.

        A receiver tells its source once, when it connects, that it will acknowledge.
        """
        state = self._session.read()
        if not state.semi_sync.replica_plugin:
            raise StepFailed(f"{self._session.where}: rpl_semi_sync_replica is not loaded", "", _CONFIGURE)
        if state.semi_sync.source_on:
            self.stop_waiting()
        if not state.semi_sync.replica_on:
            self._session.change(statements.ACKNOWLEDGE)
        state = self._session.read()
        return state.main is not None and state.main.receiver is not Thread.NO and not state.acknowledging

    def await_them(self, wait_count: int) -> None:
        """Let its commits wait for that many replicas without any limit, after the log and before anybody sees them."""
        if not self._session.read().semi_sync.source_plugin:
            raise StepFailed(f"{self._session.where}: rpl_semi_sync_source is not loaded", "", _CONFIGURE)
        self._session.change(statements.AWAIT_ACKS, INFINITE, wait_count)
        lacking = self._session.read().semi_sync.lacks(wait_count)
        if lacking:
            raise StepFailed(f"{self._session.where} does not keep its semi-sync settings", lacking)

    def stop_waiting(self) -> None:
        """Let a closed server wait for nobody; StepFailed where that would answer OK to a commit without a copy."""
        state = self._session.read()
        if not state.semi_sync.source_on:
            return
        if not state.super_read_only or state.semi_sync.waiting:
            waiting = counted(state.semi_sync.waiting, "session waits", "sessions wait")
            raise StepFailed(
                f"{self._session.where}: commits may be waiting for an acknowledgement",
                f"{waiting}, super_read_only is {state.super_read_only}",
                "close it and end its clients first",
            )
        self.give_up()

    def release_ended(self) -> bool:
        """Let commits go on whose sessions were ended, so that they free their locks; whether there were any.

        Nobody hears that they are answered OK. Where a session that was not ended waits too, nothing is done.
        """
        waiting = [row for row in self._session.rows(statements.READ_SESSIONS) if _WAITS in str(row["State"])]
        if not waiting or any(str(row["Command"]) != ENDED for row in waiting):
            return False
        self.give_up()
        return True

    def give_up(self) -> None:
        """Let its commits wait for nobody, also those that wait now: they are answered OK and no replica has them."""
        if self._session.read().semi_sync.source_on:
            self._session.change(statements.GIVE_UP_ACKS)
