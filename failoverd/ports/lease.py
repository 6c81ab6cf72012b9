"""The proof of being the active manager."""

from __future__ import annotations

from typing import Protocol


class Lease(Protocol):
    """Proof of being the active manager of one cluster, for as long as `check` does not raise."""

    @property
    def epoch(self) -> int:
        """Grows with each taking of the lock."""

    def check(self) -> None:
        """Raise LockLost unless the lease is provably alive at this moment. Latched: once lost, always lost."""
