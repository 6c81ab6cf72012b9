"""Who holds up the appliers of a claimed server. Only sessions of people and programs may be ended for that."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from failoverd.drivers.mysql import lockwaits, statements
from failoverd.drivers.mysql.claim_session import ClaimSession
from failoverd.drivers.mysql.rows import is_on
from failoverd.drivers.mysql.session import Row
from failoverd.model.stall import Blocker, Stall

# What an applier's thread is at while it waits for somebody else's lock.
_WAITING_FOR = ("Waiting for global read lock", "Waiting for commit lock", "Waiting for backup lock")
_LOCK_WORDS = ("metadata lock", "table flush", "table level lock")


class Blockers:
    """The lock waits of one claimed server; `is_client` tells which sessions may be ended."""

    def __init__(self, session: ClaimSession, is_client: Callable[[Row], bool]) -> None:
        self._session = session
        self._is_client = is_client

    def read(self) -> Stall:
        """Who and what holds its appliers up now. With performance_schema off only a lone holder of row locks is
        named.
        """
        sessions = {int(row["Id"]): row for row in self._session.rows(statements.READ_SESSIONS)}
        appliers = frozenset(n for n, row in sessions.items() if row["User"] == lockwaits.SYSTEM)
        open_ones = self._session.rows(statements.READ_TRANSACTIONS)
        seen = is_on(self._session.rows(statements.READ_LOCKS_SEEN)[0]["seen"])
        found = self._holders(appliers, open_ones, seen=seen)
        return Stall(
            blockers=tuple(self._blocker(n, what, sessions.get(n)) for n, what in sorted(found.items())),
            waiting=tuple(sorted({state for n in appliers if _waits(state := str(sessions[n]["State"]))})),
            work=sum(int(row["modified"]) for row in open_ones if int(row["session"]) in appliers),
            seen_locks=seen,
        )

    def _holders(self, appliers: frozenset[int], open_ones: tuple[Row, ...], *, seen: bool) -> Mapping[int, str]:
        if not seen:
            return lockwaits.holders(appliers, lockwaits.guessed_edges(open_ones, appliers))
        return lockwaits.holders(
            appliers,
            lockwaits.object_edges(self._session.rows(statements.READ_OBJECT_WAITS)),
            lockwaits.row_edges(self._session.rows(statements.READ_ROW_WAITS)),
        )

    def _blocker(self, number: int, holds: str, row: Row | None) -> Blocker:
        if row is None:
            return Blocker(number, "an account that is gone or prepared (XA)", holds, 0, may_end=False)
        account = f"{row['User']}@{str(row['Host']).partition(':')[0]}"
        return Blocker(number, account, holds, int(row["Time"] or 0), may_end=self._is_client(row))


def _waits(state: str) -> bool:
    return state.startswith(_WAITING_FOR) or any(words in state for words in _LOCK_WORDS)
