"""Proof of holding one cluster's lock: it lasts two thirds of the session time-out after each answer about our own
entry.
"""

from __future__ import annotations

import threading

from failoverd.model.errors import LockLost
from failoverd.ports import Clock

_SLICE = 0.05  # waiting is cut into slices, because a condition's clock stands still while the machine is suspended


class ZooKeeperLease:
    """The lease of one epoch; `path` is our entry in the lock, `session` the ZooKeeper session that owns it.

    Invariant: once lost, always lost. While the connection is suspended `check` waits, never past the deadline: the
    same session may come back in time, and then nothing was lost.
    """

    def __init__(self, path: str, session: int, epoch: int, deadline: float, clock: Clock) -> None:
        self.path = path
        self.session = session
        self._epoch = epoch
        self._clock = clock
        self._changed = threading.Condition()
        self._deadline = deadline
        self._suspended_at: float | None = None
        self._why = ""

    @property
    def epoch(self) -> int:
        """Grows with each taking of the lock."""
        return self._epoch

    @property
    def alive(self) -> bool:
        """Whether it can still be used, now or after a suspension; never waits."""
        with self._changed:
            self._expire()
            return not self._why

    def check(self) -> None:
        """Raise LockLost unless the lock is provably ours at this moment."""
        with self._changed:
            self._expire()
            while self._suspended_at is not None and not self._why:
                self._changed.wait(_SLICE)
                self._expire()
            if self._why:
                raise LockLost(f"the lease of epoch {self._epoch} has ended", self._why)

    def renewed(self, sent: float, seconds: float) -> None:
        """An answer came that our session owns the entry: proof for `seconds` from when the question was sent."""
        with self._changed:
            self._expire()
            self._deadline = max(self._deadline, sent + seconds)
            if self._suspended_at is not None and sent > self._suspended_at:
                self._suspended_at = None
            self._changed.notify_all()

    def suspend(self) -> None:
        """The connection is gone: nothing is allowed until the entry has been read again."""
        with self._changed:
            self._suspended_at = self._clock.now()

    def lose(self, why: str) -> None:
        """End it for good."""
        with self._changed:
            self._why = self._why or why
            self._changed.notify_all()

    def _expire(self) -> None:
        late = self._clock.now() - self._deadline
        if late >= 0 and not self._why:
            self._why = f"no answer about our lock entry in time, {late:.3f} s past its deadline"
            self._changed.notify_all()
