"""Conditional writes: each is one transaction with a check of our own lock entry, so that a deposed manager writes
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kazoo.exceptions import RolledBackError, RuntimeInconsistency, ZookeeperError

from failoverd.drivers.zookeeper.lease import ZooKeeperLease
from failoverd.drivers.zookeeper.session import ABSENT, Away, Session
from failoverd.model.errors import CoordinationError, LockLost
from failoverd.ports import Lease


@dataclass(frozen=True, slots=True)
class Create:
    """A new entry; fails where there is one."""

    path: str
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Set:
    """Other bytes in an entry that is there; `version` -1 means whatever its version is."""

    path: str
    data: bytes
    version: int = -1


@dataclass(frozen=True, slots=True)
class Delete:
    """An entry less; fails where it is missing or has entries below."""

    path: str


Write = Create | Set | Delete


class WriteRefused(CoordinationError):
    """ZooKeeper refused a write whose lock check had passed; `reason` is its own error."""

    def __init__(self, write: Write, reason: ZookeeperError) -> None:
        super().__init__(f"ZooKeeper refused to write {write.path}", f"{type(reason).__name__} {reason}".strip())
        self.reason = reason


def own(lease: Lease) -> ZooKeeperLease:
    """The lease as this driver made it; CoordinationError for one of another driver."""
    if isinstance(lease, ZooKeeperLease):
        return lease
    raise CoordinationError("the lease was not given by ZooKeeper", type(lease).__name__)


def send(session: Session, lease: ZooKeeperLease, writes: Sequence[Write]) -> Any:
    """Send the writes as one transaction without waiting. Raises LockLost before anything is sent without a live
    lease.
    """
    lease.check()
    return session.send(lambda client: _transaction(client, lease.path, writes))


def confirm(session: Session, lease: ZooKeeperLease, writes: Sequence[Write], sent: Any, timeout: float) -> None:
    """Wait until they are durable. Raises LockLost, WriteRefused, or Away where the outcome is unknown."""
    results = session.result(sent, timeout)
    failed = [
        (index, error)
        for index, error in enumerate(results)
        if isinstance(error, Exception) and not isinstance(error, (RolledBackError, RuntimeInconsistency))
    ]
    if not failed:
        return
    index, error = failed[0]
    if index == 0:
        if isinstance(error, ABSENT):
            lease.lose("our lock entry is gone")
            raise LockLost(f"the lease of epoch {lease.epoch} has ended", "our lock entry is gone")
        raise Away("ZooKeeper refused the check of our lock entry", f"{type(error).__name__} {error}".strip())
    raise WriteRefused(writes[index - 1], error)


def write(session: Session, lease: ZooKeeperLease, *writes: Write) -> None:
    """Write and wait until it is durable."""
    confirm(session, lease, writes, send(session, lease, writes), session.settings.patience)


def _transaction(client: Any, lock_entry: str, writes: Sequence[Write]) -> Any:
    transaction = client.transaction()
    if lock_entry:
        transaction.check(lock_entry, 0)
    for one in writes:
        if isinstance(one, Create):
            transaction.create(one.path, one.data)
        elif isinstance(one, Set):
            transaction.set_data(one.path, one.data, one.version)
        else:
            transaction.delete(one.path)
    return transaction.commit_async()


def found(session: Session, writes: Sequence[Write]) -> bool:
    """Make entries that no lock protects yet, all or none; False where one of them is there already."""
    results = session.call(lambda client: _transaction(client, "", writes))
    errors = [error for error in results if isinstance(error, Exception)]
    return not errors
