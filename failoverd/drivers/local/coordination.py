"""Coordination for a single manager: a file lock and files in the state directory. There is no standby."""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from failoverd.drivers import files
from failoverd.drivers import journal_codec as codec
from failoverd.drivers.identity import Identity
from failoverd.drivers.local import lock
from failoverd.drivers.local.journal import LocalJournal
from failoverd.drivers.local.lock import LocalLease
from failoverd.model.errors import CoordinationError, LockRefused
from failoverd.model.history import Pause, Recorded
from failoverd.model.host import StandbyWord
from failoverd.model.journal import Unfinished
from failoverd.model.plans import Entry, Operation, Report, Request
from failoverd.model.settings import InForce, Settings
from failoverd.ports import Clock, Lease, Wakeups

_ANSWERS_KEPT = 100


class LocalCoordination:
    """Implements `ports.Coordination`. The lock is tried again whenever the lease is asked for."""

    kind = "local"

    def __init__(self, state_dir: Path, identity: Identity, clock: Clock, wakeups: Wakeups) -> None:
        self._state_dir = state_dir
        self._identity = identity
        self._clock = clock
        self._wakeups = wakeups
        self._journal = LocalJournal(state_dir / "operations", clock)
        self._busy = threading.RLock()
        self._campaigns: set[str] = set()
        self._leases: dict[str, LocalLease] = {}
        self._settings_of: Mapping[str, Settings] = {}

    def state(self) -> str:
        """Always `local`."""
        return "local"

    def tell_settings(self, settings: Mapping[str, Settings]) -> None:
        """What this manager runs each cluster with, told with every lock it has from now on.

        Raises CoordinationError, and goes on with what was told before, where it cannot be written.
        """
        with self._busy:
            for cluster in self._leases:
                self._tell(cluster, settings)
            self._settings_of = dict(settings)

    def in_force(self) -> Mapping[str, InForce]:
        """What the manager of this state directory runs each cluster with."""
        found = {path.stem: self._read(path) for path in sorted(self._state_dir.glob("*.config"))}
        told = {cluster: data for cluster, data in found.items() if data is not None and self.holder(cluster)}
        return {
            cluster: InForce(data["manager"], data["version"], Settings(data["digest"], data["settings"]))
            for cluster, data in told.items()
        }

    def _tell(self, cluster: str, settings: Mapping[str, Settings]) -> None:
        ours = settings.get(cluster, Settings())
        told = {"manager": self._identity.name, "version": self._identity.version, "digest": ours.digest}
        files.replace_file(self._file(cluster, "config"), _bytes({**told, "settings": dict(ours.told)}))

    def campaign(self, cluster: str) -> None:
        """Contend for the cluster's lock from now on."""
        codec.checked_name("cluster", cluster)
        with self._busy:
            self._campaigns.add(cluster)

    def lease(self, cluster: str) -> Lease | None:
        """The lease if we are active now; the first time it takes the lock and the next epoch."""
        with self._busy:
            if cluster not in self._campaigns:
                return None
            known = self._leases.get(cluster)
            if known is not None and known.alive:
                return known
            if known is not None:
                known.give_back("the lock is taken anew")
                del self._leases[cluster]
                self._wakeups.ring("lock")
            return self._take(cluster)

    def other_settings(self, cluster: str) -> str:
        """A file lock has one manager, so nobody else had settings."""
        return ""

    def adopt(self, cluster: str, epoch: int) -> None:
        """Raise the recorded epoch. CoordinationError while a manager runs here: it is stopped first."""
        if (name := self.holder(cluster)) is not None:
            raise CoordinationError(f"manager {name} runs", f"cluster {cluster}", "stop it first")
        data = files.read_file(self._file(cluster, "epoch")) or b""
        if not data.strip().isdigit() or int(data) < epoch:
            files.replace_file(self._file(cluster, "epoch"), str(epoch).encode())

    def resign(self, cluster: str) -> None:
        """Give the lock back at once and stop contending."""
        with self._busy:
            self._campaigns.discard(cluster)
            if (known := self._leases.pop(cluster, None)) is not None:
                known.give_back("resigned")

    def holder(self, cluster: str) -> str | None:
        """The name of the manager whose process holds the lock."""
        return lock.holder(self._file(cluster, "lock"))

    def contenders(self, cluster: str) -> tuple[str, ...]:
        """Nobody stands in line for a file lock."""
        return ()

    def recorded(self, cluster: str) -> Recorded | None:
        """Who the primary is, as last published."""
        data = self._read(self._file(cluster, "primary"))
        return None if data is None else codec.recorded_from(data)

    def publish_primary(self, lease: Lease, cluster: str, record: Recorded) -> None:
        """Record the primary, conditional on the lease."""
        self._put(lease, self._file(cluster, "primary"), codec.plain(record))

    def pauses(self, cluster: str) -> tuple[Pause, ...]:
        """The pauses in force; one whose end has passed is none."""
        whole = self._file(cluster, "paused")
        found = [self._read(path) for path in (whole, *_named(whole.parent, f"{whole.name}@"))]
        told = [codec.pause_from(data) for data in found if data is not None]
        return codec.in_force(told, self._clock.wall().timestamp())

    def pause(self, cluster: str, pause: Pause) -> None:
        """Record a pause."""
        files.replace_file(self._pause_file(cluster, pause.server), _bytes(codec.plain(pause)))

    def unpause(self, cluster: str, server: str) -> None:
        """End a pause."""
        files.remove_file(self._pause_file(cluster, server))

    def _pause_file(self, cluster: str, server: str) -> Path:
        return self._file(cluster, f"paused@{codec.checked_name('server', server)}" if server else "paused")

    def begin(self, lease: Lease, operation: Operation) -> None:
        """Open an operation in the journal."""
        lease.check()
        self._journal.begin(operation)

    def write(self, lease: Lease, operation: Operation, entry: Entry, wait: bool) -> None:
        """Append a record."""
        lease.check()
        self._journal.write(operation, entry, wait)

    def settle(self, lease: Lease, operation: Operation, timeout: float) -> None:
        """Bring every record to disk."""
        lease.check()
        self._journal.settle(operation)

    def end(self, lease: Lease, operation: Operation, report: Report) -> None:
        """Close the operation with its report."""
        lease.check()
        self._journal.end(operation, report)

    def open_operation(self, cluster: str) -> str:
        """The id of an operation without an end, empty when there is none."""
        return self._journal.open_operation(cluster)

    def unfinished(self, cluster: str) -> Unfinished | None:
        """The operation without an end with its whole journal."""
        return self._journal.unfinished(cluster)

    def operations(self, cluster: str) -> tuple[Mapping[str, object], ...]:
        """All operations, newest first, without steps."""
        return self._journal.operations(cluster)

    def operation(self, operation: str) -> Mapping[str, object] | None:
        """One operation with its journal entries."""
        return self._journal.operation(operation)

    def last_failover_at(self, cluster: str) -> float | None:
        """Wall-clock seconds of the last failover that ended done."""
        return self._journal.last_failover_at(cluster)

    def report_failing(self, lease: Lease, cluster: str, since: float) -> None:
        """Keep when this cluster's primary failed, for the manager's other clusters."""
        self._put(lease, self._file(cluster, "failing"), {"since": since})

    def failing(self) -> Mapping[str, float]:
        """When the primary of each cluster of this manager last failed."""
        found = {path.stem: self._read(path) for path in sorted(self._state_dir.glob("*.failing"))}
        return {cluster: float(data["since"]) for cluster, data in found.items() if data is not None}

    def ask_standbys(self, lease: Lease, cluster: str, question: str) -> None:
        """Nobody stands by where the lock is a file."""
        lease.check()

    def question(self, cluster: str) -> str:
        """Nobody asks."""
        return ""

    def testify(self, cluster: str, word: StandbyWord) -> None:
        """Nobody listens."""

    def testimonies(self, cluster: str) -> tuple[StandbyWord, ...]:
        """Nobody answers."""
        return ()

    def publish_status(self, lease: Lease, cluster: str, status: Mapping[str, object]) -> None:
        """Publish what `failoverd status` shows."""
        self._put(lease, self._file(cluster, "status"), {"status": codec.plain(status)})

    def status(self, cluster: str) -> Mapping[str, object] | None:
        """What the active manager last published, None where none is active."""
        data = self._read(self._file(cluster, "status")) if self.holder(cluster) is not None else None
        return None if data is None else dict(data["status"])

    def ask(self, request: Request) -> str:
        """Leave a request for the manager of this machine."""
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
        path = self._folder("requests", request.cluster) / f"{name}.json"
        files.replace_file(path, _bytes(codec.plain(request)))
        return name

    def requests(self, cluster: str) -> tuple[tuple[str, Request], ...]:
        """Requests that wait, oldest first; one of a later version is left to whoever understands it."""
        told = []
        for path in _named(self._folder("requests", cluster), "", ".json"):
            try:
                if (data := self._read(path)) is not None:
                    told.append((path.stem, codec.request_from(data)))
            except (CoordinationError, KeyError, ValueError, TypeError):
                continue
        return tuple(told)

    def answer(self, lease: Lease, cluster: str, request_id: str, body: Mapping[str, object]) -> None:
        """Answer a request and take it away."""
        name = codec.checked_name("request", request_id)
        answers = self._folder("answers", cluster)
        self._put(lease, answers / f"{name}.json", {"answer": codec.plain(body)})
        (self._folder("requests", cluster) / f"{name}.json").unlink(missing_ok=True)
        for old in sorted(answers.glob("[0-9]*.json"))[:-_ANSWERS_KEPT]:
            old.unlink(missing_ok=True)

    def answered(self, cluster: str, request_id: str) -> Mapping[str, object] | None:
        """The answer to a request, None while there is none."""
        path = self._folder("answers", cluster) / f"{codec.checked_name('request', request_id)}.json"
        data = self._read(path)
        return None if data is None else dict(data["answer"])

    def close(self) -> None:
        """Release every lock."""
        for cluster in tuple(self._campaigns):
            self.resign(cluster)

    def _take(self, cluster: str) -> LocalLease | None:
        """The lock, None where another process has it. What cannot be written is a refusal: people must hear of it."""
        try:
            return self._taken(cluster)
        except LockRefused:
            raise
        except CoordinationError as error:
            raise LockRefused("the lock is not taken", f"{error.what}: {error.detail}", error.hint) from error

    def _taken(self, cluster: str) -> LocalLease | None:
        path = self._file(cluster, "lock")
        descriptor = lock.acquire(path, self._identity)
        if descriptor is None:
            return None
        try:
            epoch = self._next_epoch(cluster)
            self._tell(cluster, self._settings_of)
        except CoordinationError:
            os.close(descriptor)
            raise
        self._leases[cluster] = lease = LocalLease(path, descriptor, epoch)
        return lease

    def _next_epoch(self, cluster: str) -> int:
        path = self._file(cluster, "epoch")
        data = files.read_file(path)
        hint = f"write it with `failoverd init --adopt` after looking at the servers; file {path}"
        if data is None and (self._file(cluster, "primary").exists() or self._journal.operations(cluster)):
            raise LockRefused("the lock is not taken", "the epoch is missing while other records exist", hint)
        if data is not None and not data.strip().isdigit():
            raise LockRefused("the lock is not taken", f"the epoch is {data[:40]!r}, not a number", hint)
        epoch = int(data or b"0") + 1
        files.replace_file(path, str(epoch).encode())
        return epoch

    def _file(self, cluster: str, what: str) -> Path:
        return self._state_dir / f"{codec.checked_name('cluster', cluster)}.{what}"

    def _folder(self, what: str, cluster: str) -> Path:
        return self._state_dir / what / codec.checked_name("cluster", cluster)

    def _put(self, lease: Lease, path: Path, data: Mapping[str, Any]) -> None:
        lease.check()
        files.replace_file(path, _bytes(data))

    def _read(self, path: Path) -> Mapping[str, Any] | None:
        data = files.read_file(path)
        try:
            return None if data is None else codec.opened(json.loads(data), str(path))
        except (ValueError, AttributeError) as error:
            hint = "look at the servers, then move the file away: what it told is recorded anew"
            raise CoordinationError(f"{path} cannot be read", str(error), hint) from error


def _named(folder: Path, head: str, tail: str = "") -> list[Path]:
    """Files whose names begin and end so, in order, but hidden ones: a glob would cost many times as much, and this is
    asked with every look at every cluster.
    """
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CoordinationError(f"{folder} cannot be read", error.strerror or str(error)) from error
    return [folder / name for name in sorted(names) if name.startswith(head) and name.endswith(tail) and name[0] != "."]


def _bytes(data: Mapping[str, Any]) -> bytes:
    return json.dumps(codec.versioned(data), separators=(",", ":"), ensure_ascii=False).encode()
