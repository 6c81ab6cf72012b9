"""Coordination in memory: several managers over one store, with leases that a test can end."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from failoverd.drivers import journal_codec as codec
from failoverd.drivers.journal_reading import unfinished_from
from failoverd.model.errors import CoordinationError, LockLost
from failoverd.model.history import Pause, Recorded
from failoverd.model.host import StandbyWord
from failoverd.model.journal import Unfinished
from failoverd.model.plans import Entry, Operation, Report, Request
from failoverd.model.settings import InForce, Settings
from failoverd.ports import Lease


class FakeLease:
    """A lease that ends when the store says so."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self.why = ""

    @property
    def epoch(self) -> int:
        """Grows with each taking of the lock."""
        return self._epoch

    def check(self) -> None:
        """Raise LockLost once it has ended."""
        if self.why:
            raise LockLost(f"the lease of epoch {self._epoch} has ended", self.why)


@dataclass
class Cluster:
    """All that is stored of one cluster."""

    line: list[str] = field(default_factory=list)
    lease: FakeLease | None = None
    epoch: int = 0
    recorded: Recorded | None = None
    pauses: dict[str, Pause] = field(default_factory=dict)
    status: Mapping[str, object] | None = None
    operations: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    answers: dict[str, Mapping[str, object]] = field(default_factory=dict)
    last_failover: float | None = None
    other_settings: str = ""
    in_force: InForce | None = None
    failing: float | None = None
    question: str = ""
    testimonies: dict[str, StandbyWord] = field(default_factory=dict)


class Store:
    """What all managers share; `away` makes every call fail."""

    def __init__(self, now: Callable[[], float] = lambda: datetime.now(UTC).timestamp()) -> None:
        self.now = now
        self.clusters: dict[str, Cluster] = {}
        self.away = False
        self.numbers = itertools.count(1)

    def of(self, cluster: str) -> Cluster:
        """The cluster's records. Raises CoordinationError while the store is away."""
        if self.away:
            raise CoordinationError("coordination is away", "fake")
        return self.clusters.setdefault(codec.checked_name("cluster", cluster), Cluster())

    def depose(self, cluster: str) -> None:
        """End the lease of the active manager and put it at the end of the line."""
        known = self.of(cluster)
        if known.lease is not None:
            known.lease.why = "deposed"
            known.lease = None
            known.line.append(known.line.pop(0))


class FakeCoordination:
    """Implements `ports.Coordination` over a Store."""

    def __init__(self, store: Store, name: str, kind: str = "zookeeper") -> None:
        self._store = store
        self._name = name
        self._settings: Mapping[str, Settings] = {}
        self.kind = kind

    def tell_settings(self, settings: Mapping[str, Settings]) -> None:
        self._settings = dict(settings)
        for cluster, known in self._store.clusters.items():
            if known.lease is not None and known.line[0] == self._name:
                known.in_force = self._told(cluster)

    def in_force(self) -> Mapping[str, InForce]:
        found = self._store.clusters.items()
        return {name: known.in_force for name, known in found if known.line and known.in_force is not None}

    def _told(self, cluster: str) -> InForce:
        return InForce(self._name, "", self._settings.get(cluster, Settings()))

    def state(self) -> str:
        if self._store.away:
            return "lost"
        return "ok" if self.kind == "zookeeper" else "local"

    def campaign(self, cluster: str) -> None:
        line = self._store.of(cluster).line
        if self._name not in line:
            line.append(self._name)

    def lease(self, cluster: str) -> Lease | None:
        known = self._store.of(cluster)
        if not known.line or known.line[0] != self._name:
            return None
        if known.lease is None:
            known.epoch += 1
            known.lease = FakeLease(known.epoch)
            known.in_force = self._told(cluster)
        return known.lease

    def other_settings(self, cluster: str) -> str:
        return self._store.of(cluster).other_settings

    def adopt(self, cluster: str, epoch: int) -> None:
        known = self._store.of(cluster)
        known.epoch = max(known.epoch, epoch)
        if known.lease is not None:
            known.lease.why, known.lease = "adopted", None

    def resign(self, cluster: str) -> None:
        known = self._store.of(cluster)
        if known.lease is not None and known.line[0] == self._name:
            known.lease.why, known.lease = "resigned", None
        if self._name in known.line:
            known.line.remove(self._name)

    def holder(self, cluster: str) -> str | None:
        return next(iter(self._store.of(cluster).line), None)

    def contenders(self, cluster: str) -> tuple[str, ...]:
        return tuple(self._store.of(cluster).line[1:])

    def recorded(self, cluster: str) -> Recorded | None:
        return self._store.of(cluster).recorded

    def publish_primary(self, lease: Lease, cluster: str, record: Recorded) -> None:
        lease.check()
        self._store.of(cluster).recorded = record

    def pauses(self, cluster: str) -> tuple[Pause, ...]:
        return codec.in_force(self._store.of(cluster).pauses.values(), self._store.now())

    def pause(self, cluster: str, pause: Pause) -> None:
        self._store.of(cluster).pauses[pause.server] = pause

    def unpause(self, cluster: str, server: str) -> None:
        self._store.of(cluster).pauses.pop(server, None)

    def begin(self, lease: Lease, operation: Operation) -> None:
        lease.check()
        if still := self.open_operation(operation.cluster):
            raise CoordinationError(f"operation {still} of {operation.cluster} is still open")
        self._store.of(operation.cluster).operations[operation.id] = [codec.begin_record(operation)]

    def write(self, lease: Lease, operation: Operation, entry: Entry, wait: bool) -> None:
        lease.check()
        self._store.of(operation.cluster).operations[operation.id].append(codec.entry_record(entry))

    def settle(self, lease: Lease, operation: Operation, timeout: float) -> None:
        self._store.of(operation.cluster)
        lease.check()

    def end(self, lease: Lease, operation: Operation, report: Report) -> None:
        lease.check()
        known = self._store.of(operation.cluster)
        known.operations[operation.id].append(codec.end_record(report))
        done_at = codec.failover_done_at(report)
        known.last_failover = known.last_failover if done_at is None else done_at

    def open_operation(self, cluster: str) -> str:
        told = self._store.of(cluster).operations.items()
        return next((name for name, records in told if "report" not in records[-1]), "")

    def unfinished(self, cluster: str) -> Unfinished | None:
        name = self.open_operation(cluster)
        if not name:
            return None
        records = self._store.of(cluster).operations[name]
        return unfinished_from(name, records[0], records[1:])

    def operations(self, cluster: str) -> tuple[Mapping[str, object], ...]:
        told = [codec.summary(records[0], _end(records)) for records in self._store.of(cluster).operations.values()]
        return tuple(sorted(told, key=codec.started_at, reverse=True))

    def operation(self, operation: str) -> Mapping[str, object] | None:
        for known in self._store.clusters.values():
            if records := known.operations.get(operation):
                return codec.whole(records[0], [one for one in records[1:] if "kind" in one], _end(records))
        return None

    def last_failover_at(self, cluster: str) -> float | None:
        return self._store.of(cluster).last_failover

    def report_failing(self, lease: Lease, cluster: str, since: float) -> None:
        lease.check()
        self._store.of(cluster).failing = since

    def failing(self) -> Mapping[str, float]:
        return {name: known.failing for name, known in self._store.clusters.items() if known.failing is not None}

    def ask_standbys(self, lease: Lease, cluster: str, question: str) -> None:
        lease.check()
        self._store.of(cluster).question = question

    def question(self, cluster: str) -> str:
        return self._store.of(cluster).question

    def testify(self, cluster: str, word: StandbyWord) -> None:
        self._store.of(cluster).testimonies[word.manager] = word

    def testimonies(self, cluster: str) -> tuple[StandbyWord, ...]:
        return tuple(self._store.of(cluster).testimonies.values())

    def publish_status(self, lease: Lease, cluster: str, status: Mapping[str, object]) -> None:
        lease.check()
        self._store.of(cluster).status = codec.plain(status)

    def status(self, cluster: str) -> Mapping[str, object] | None:
        known = self._store.of(cluster)
        return known.status if known.line else None

    def ask(self, request: Request) -> str:
        name = f"{next(self._store.numbers):010d}"
        self._store.of(request.cluster).requests[name] = request
        return name

    def requests(self, cluster: str) -> tuple[tuple[str, Request], ...]:
        return tuple(self._store.of(cluster).requests.items())

    def answer(self, lease: Lease, cluster: str, request_id: str, body: Mapping[str, object]) -> None:
        lease.check()
        self._store.of(cluster).answers[request_id] = codec.plain(body)
        self._store.of(cluster).requests.pop(request_id, None)

    def answered(self, cluster: str, request_id: str) -> Mapping[str, object] | None:
        return self._store.of(cluster).answers.get(request_id)

    def close(self) -> None:
        for cluster in tuple(self._store.clusters):
            self.resign(cluster)


def _end(records: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return records[-1] if "report" in records[-1] else None
