"""The journal of operations: `ops/ID/operation`, one entry per record, `end`; long records in parts beside them."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from failoverd.drivers import journal_codec as codec
from failoverd.drivers.journal_copies import JournalCopies
from failoverd.drivers.journal_reading import unfinished_from
from failoverd.drivers.zookeeper.layout import Layout
from failoverd.drivers.zookeeper.lease import ZooKeeperLease
from failoverd.drivers.zookeeper.records import Packed, pack, parts_of, unpack
from failoverd.drivers.zookeeper.session import EXISTS, NOT_EMPTY, Away, Session
from failoverd.drivers.zookeeper.writes import Create, Delete, Set, Write, WriteRefused, confirm, own, send, write
from failoverd.model.counted import counted
from failoverd.model.errors import CoordinationError
from failoverd.model.journal import Unfinished
from failoverd.model.plans import Entry, Operation, Report
from failoverd.ports import Clock, Lease


@dataclass(frozen=True, slots=True)
class Sent:
    """Writes that are on their way; `answer` is what kazoo will fill, None where they could not even be sent."""

    writes: tuple[Write, ...]
    answer: Any


class Journal:
    """All operations of all clusters. Used from one thread per operation. `copies`, if set, gets every record too."""

    def __init__(self, session: Session, root: str, clock: Clock) -> None:
        self.copies: JournalCopies | None = None
        self._session = session
        self._root = root
        self._clock = clock
        self._next: dict[str, int] = {}
        self._sent: dict[str, deque[Sent]] = {}
        self._mark = uuid.uuid4().hex[:8]

    def begin(self, lease: Lease, operation: Operation) -> None:
        """Open an operation; CoordinationError where another one of the cluster is still open."""
        held, layout = own(lease), Layout.of(self._root, operation.cluster)
        base = layout.operation(operation.id)
        held.check()
        if still := self.open_operation(operation.cluster):
            raise CoordinationError(
                f"operation {still} of {operation.cluster} is still open", hint="it is finished first"
            )
        write(self._session, held, Create(base), Create(f"{base}/entries"), Create(f"{base}/parts"))
        record = codec.begin_record(operation)
        packed = pack(record)
        for part in _parts(base, "operation", packed):
            write(self._session, held, part)
        write(self._session, held, Create(f"{base}/operation", packed.head), Set(layout.open, operation.id.encode()))
        self._next[operation.id] = 1
        if self.copies:
            self.copies.keep(operation.cluster, operation.id, (record,))

    def write(self, lease: Lease, operation: Operation, entry: Entry, wait: bool) -> None:
        """Append a record; without `wait` it is only sent, also where ZooKeeper is away just now: `settle` repeats
        it.
        """
        held = own(lease)
        held.check()
        base = Layout.of(self._root, operation.cluster).operation(operation.id)
        name = f"{self._number(base, operation.id):010d}-{self._mark}"
        record = codec.entry_record(entry)
        if self.copies:
            self.copies.add(operation.cluster, operation.id, record)
        packed = pack(record)
        queue = self._sent.setdefault(operation.id, deque())
        for one in (*_parts(base, name, packed), Create(f"{base}/entries/{name}", packed.head)):
            queue.append(self._send(held, (one,)))
        if wait:
            self.settle(lease, operation, self._session.settings.patience)

    def settle(self, lease: Lease, operation: Operation, timeout: float) -> None:
        """Wait until every record sent is durable; what was lost on the way is sent again, under the same name."""
        held, queue = own(lease), self._sent.get(operation.id, deque())
        deadline = self._clock.now() + timeout
        while queue:
            left = deadline - self._clock.now()
            if left <= 0:
                raise Away(
                    "the journal could not be written in time",
                    f"{counted(len(queue), 'record')} of {operation.id} not confirmed",
                )
            if self._confirmed(held, queue[0], left):
                queue.popleft()
            else:
                self._clock.sleep(min(0.02, left))
                queue[0] = self._send(held, queue[0].writes)
        held.check()

    def end(self, lease: Lease, operation: Operation, report: Report) -> None:
        """Close an operation with its report, in one transaction with the end of its being open."""
        self.settle(lease, operation, self._session.settings.patience)
        held, layout = own(lease), Layout.of(self._root, operation.cluster)
        base = layout.operation(operation.id)
        record = codec.end_record(report)
        packed = pack(record)
        for part in _parts(base, "end", packed):
            write(self._session, held, part)
        closing: list[Write] = [Create(f"{base}/end", packed.head), Set(layout.open, b"")]
        if (done_at := codec.failover_done_at(report)) is not None:
            text = repr(done_at).encode()
            known = self._session.read(layout.last_failover) is not None
            closing.append(Set(layout.last_failover, text) if known else Create(layout.last_failover, text))
        write(self._session, held, *closing)
        self._next.pop(operation.id, None)
        self._sent.pop(operation.id, None)
        if self.copies:
            self.copies.end(operation.cluster, operation.id, record)
        self._trim(held, layout)

    def open_operation(self, cluster: str) -> str:
        """The id of the operation without an end, empty when there is none."""
        return (self._session.read(Layout.of(self._root, cluster).open) or b"").decode()

    def unfinished(self, cluster: str) -> Unfinished | None:
        """The operation without an end, read for going on with it: what is sent from now on has a mark of its own.

        A record of ours whose answer was lost may still come to light beside what is written now; under another name
        it can neither hide a new record nor be taken for one.
        """
        name = self.open_operation(cluster)
        if not name:
            return None
        self._next.pop(name, None)
        self._sent.pop(name, None)
        self._mark = uuid.uuid4().hex[:8]
        base = Layout.of(self._root, cluster).operation(name)
        begin = self._session.read(f"{base}/operation")
        if begin is None:
            raise CoordinationError(f"operation {name} of {cluster} is open and its record is gone", base)
        opening, entries = self._unpacked(base, "operation", begin), self._entries(base)
        if self.copies:
            self.copies.keep(cluster, name, (opening, *entries))
        return unfinished_from(name, opening, entries)

    def operations(self, cluster: str) -> tuple[Mapping[str, object], ...]:
        """All operations without steps, newest first."""
        layout = Layout.of(self._root, cluster)
        bases = [f"{layout.ops}/{name}" for name in self._session.children(layout.ops)]
        heads = self._session.read_all([f"{base}/{name}" for base in bases for name in ("operation", "end")])
        told = []
        for base, begin, end in zip(bases, heads[::2], heads[1::2], strict=True):
            if begin is not None:
                opening = self._unpacked(base, "operation", begin)
                told.append(codec.summary(opening, self._unpacked(base, "end", end) if end is not None else None))
        return tuple(sorted(told, key=codec.started_at, reverse=True))

    def operation(self, operation: str) -> Mapping[str, object] | None:
        """One operation of any cluster, with its entries."""
        for cluster in self._session.children(self._root):
            base = Layout.of(self._root, cluster).operation(operation)
            begin = self._session.read(f"{base}/operation")
            if begin is not None:
                return self._whole(base, begin)
        return None

    def last_failover_at(self, cluster: str) -> float | None:
        """Wall-clock seconds of the last failover that ended done."""
        data = self._session.read(Layout.of(self._root, cluster).last_failover)
        return None if data is None else float(data)

    def _whole(self, base: str, begin: bytes) -> Mapping[str, object]:
        entries = self._entries(base)
        end = self._session.read(f"{base}/end")
        opening = self._unpacked(base, "operation", begin)
        return codec.whole(opening, entries, self._unpacked(base, "end", end) if end is not None else None)

    def _entries(self, base: str) -> list[Mapping[str, Any]]:
        names = sorted(self._session.children(f"{base}/entries"))
        heads = self._session.read_all([f"{base}/entries/{name}" for name in names])
        return [self._unpacked(base, name, head) for name, head in zip(names, heads, strict=True) if head is not None]

    def _unpacked(self, base: str, name: str, head: bytes) -> Mapping[str, Any]:
        where = f"{base}/{name}"
        parts = self._session.read_all([_part(base, name, index) for index in range(parts_of(head))])
        return codec.opened(unpack(head, [part or b"" for part in parts], where), where)

    def _number(self, base: str, operation: str) -> int:
        if operation not in self._next:
            last = max((int(name.partition("-")[0]) for name in self._session.children(f"{base}/entries")), default=0)
            self._next[operation] = last + 1
        number = self._next[operation]
        self._next[operation] = number + 1
        return number

    def _send(self, lease: ZooKeeperLease, writes: tuple[Write, ...]) -> Sent:
        try:
            return Sent(writes, send(self._session, lease, writes))
        except Away:
            return Sent(writes, None)

    def _confirmed(self, lease: ZooKeeperLease, sent: Sent, timeout: float) -> bool:
        if sent.answer is None:
            return False
        try:
            confirm(self._session, lease, sent.writes, sent.answer, timeout)
        except Away:
            return False
        except WriteRefused as refused:
            if not isinstance(refused.reason, EXISTS):
                raise
        return True  # what exists under our number was written by an earlier sending whose answer was lost

    def _trim(self, lease: ZooKeeperLease, layout: Layout) -> None:
        if len(self._session.children(layout.ops)) <= min(codec.KEPT, codec.KEPT_ALWAYS):
            return
        told = self.operations(layout.base.rsplit("/", 1)[1])
        for name in codec.too_old(told, self._clock.wall().timestamp()):
            self._remove(lease, f"{layout.ops}/{name}")

    def _remove(self, lease: ZooKeeperLease, base: str) -> None:
        below = [
            f"{base}/{part}/{name}"
            for part in ("entries", "parts")
            for name in self._session.children(f"{base}/{part}")
        ]
        rest = [f"{base}/{name}" for name in self._session.children(base)]
        try:
            write(self._session, lease, *(Delete(path) for path in (*below, *rest, base)))
        except WriteRefused as refused:
            if not isinstance(refused.reason, NOT_EMPTY):
                raise


def _parts(base: str, name: str, packed: Packed) -> tuple[Write, ...]:
    return tuple(Create(_part(base, name, index), part) for index, part in enumerate(packed.parts))


def _part(base: str, name: str, index: int) -> str:
    return f"{base}/parts/{name}.{index:04d}"
