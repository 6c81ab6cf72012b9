"""Taking the session lock of a server, so that a manager of an older epoch can change nothing there any more.

Two locks, in this order: `failoverd/<cluster>/<epoch>` tells everybody which epoch is here, `failoverd/<cluster>` is
the one that excludes. A third one names the manager, readable also where performance_schema is off. Lock names ignore
case and end at 64 characters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from failoverd.drivers.mysql import statements
from failoverd.drivers.mysql.access import ServerAccess
from failoverd.drivers.mysql.session import Doors, Row, Session
from failoverd.drivers.mysql.statements import EPOCHS_AHEAD
from failoverd.model.errors import FencedOut, HeldElsewhere, ServerError
from failoverd.ports import Lease

_NO_SUCH_SESSION = 1094
_PATIENCE = 1.0  # seconds one attempt waits for a killed holder to end


@dataclass(frozen=True, slots=True)
class LockNames:
    """The names of the locks of one cluster for one epoch and one manager."""

    cluster: str
    epoch: str
    manager: str
    newer: tuple[str, ...]

    @staticmethod
    def of(cluster: str, epoch: int, manager: str) -> LockNames:
        """Lower case, because MySQL compares them so; the manager's name is hashed to keep within 64 characters."""
        base = f"failoverd/{cluster.lower()}"
        digest = hashlib.sha256(manager.encode()).hexdigest()[:16]
        ahead = tuple(f"{base}/{epoch + step}" for step in range(1, EPOCHS_AHEAD + 1))
        return LockNames(base, f"{base}/{epoch}", f"{base}/m:{digest}", ahead)


@dataclass(frozen=True, slots=True)
class Claimer:
    """Takes session locks for one manager; `may_evict` as in Manager."""

    doors: Doors
    manager: str
    may_evict: bool

    def claim(self, access: ServerAccess, lease: Lease, timeout: float) -> Session:
        """A new session that holds the locks, within `timeout` seconds.

        Raises LockLost, FencedOut where a newer epoch is here (then nothing was killed), ServerError where the lock
        cannot be had.
        """
        lease.check()
        end = self.doors.clock.now() + timeout
        session = self.doors.open(access, timeout)
        try:
            _Taking(self, session, lease, LockNames.of(access.cluster, lease.epoch, self.manager)).take(
                lambda: end - self.doors.clock.now()
            )
        except BaseException:
            session.close()  # a half-taken claim must not stand in the next one's way
            raise
        return session


@dataclass(frozen=True, slots=True)
class _Taking:
    """One attempt on one session."""

    claimer: Claimer
    session: Session
    lease: Lease
    names: LockNames

    def take(self, left: Callable[[], float]) -> None:
        """Evict and take until the locks are ours or `left()` seconds are over."""
        while True:
            self._evict(self._holders(left()), left)
            if self._took(left):
                break
            if left() <= 0:
                raise ServerError(
                    f"{self.session.where} did not give its session lock", "its holder has not ended in time"
                )
        self.lease.check()
        self._holders(left())  # whoever is newer took the epoch's lock before the cluster's: we see it and step back

    def _holders(self, limit: float) -> Row:
        """Who holds what, in one statement; FencedOut where any newer epoch does."""
        values = (self.names.epoch, self.names.cluster, self.names.manager, *self.names.newer)
        row = self.session.rows(statements.READ_LOCKS, *values, limit=limit)[0]
        if row["newer"] is not None:
            raise FencedOut(
                f"{self.session.where} is held by a newer epoch than {self.lease.epoch}", f"session {row['newer']}"
            )
        return row

    def _evict(self, row: Row, left: Callable[[], float]) -> None:
        holder = row["cluster"]
        if holder is not None and holder != row["manager"] and not self.claimer.may_evict:
            raise HeldElsewhere(
                f"{self.session.where} is held by another manager",
                f"session {holder}",
                "without ZooKeeper only one manager may exist: use the one that manages this cluster",
            )
        self.lease.check()
        for number in {row["cluster"], row["epoch"]} - {None, self.session.number}:
            try:
                self.session.rows(statements.KILL, int(number), limit=left())
            except ServerError as error:
                if error.code != _NO_SUCH_SESSION:
                    raise

    def _took(self, left: Callable[[], float]) -> bool:
        """Whether all locks are ours; the server gives up waiting before we do."""
        for name in (self.names.epoch, self.names.cluster, self.names.manager):
            wait = max(min(left() / 2, _PATIENCE), 0.0)
            row = self.session.rows(statements.TAKE_LOCK, name, wait, limit=wait + max(left() / 2, 0.5))[0]
            if row["taken"] != 1:
                return False
        return True
