"""The journal as files: `operations/CLUSTER/ID.jsonl`, one JSON line per record, the first opens, the last closes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from failoverd.drivers import files
from failoverd.drivers import journal_codec as codec
from failoverd.drivers.journal_reading import unfinished_from
from failoverd.model.errors import CoordinationError
from failoverd.model.journal import Unfinished
from failoverd.model.plans import Entry, Operation, Report
from failoverd.ports import Clock


class LocalJournal:
    """All operations below one folder; who may write is judged by the caller."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._closed: set[Path] = set()  # what has its end never changes again, and is not read to look for an open one

    def begin(self, operation: Operation) -> None:
        """Open an operation; CoordinationError where another one of the cluster is still open."""
        if still := self.open_operation(operation.cluster):
            raise CoordinationError(
                f"operation {still} of {operation.cluster} is still open", hint="it is finished first"
            )
        path = self._path(operation.cluster, operation.id)
        if path.exists():
            raise CoordinationError(f"operation {operation.id} is in the journal already", str(path))
        self._append(path, codec.begin_record(operation), durable=True)

    def write(self, operation: Operation, entry: Entry, wait: bool) -> None:
        """Append a record; without `wait` it may still be in memory on return."""
        self._append(self._path(operation.cluster, operation.id), codec.entry_record(entry), durable=wait)

    def settle(self, operation: Operation) -> None:
        """Bring every record to disk."""
        files.sync_file(self._path(operation.cluster, operation.id))

    def end(self, operation: Operation, report: Report) -> None:
        """Close the operation with its report and drop the oldest ones."""
        self._append(self._path(operation.cluster, operation.id), codec.end_record(report), durable=True)
        if (done_at := codec.failover_done_at(report)) is not None:
            files.replace_file(self._done_file(operation.cluster), repr(done_at).encode())
        for old in codec.too_old(self.operations(operation.cluster), self._clock.wall().timestamp()):
            self._path(operation.cluster, old).unlink(missing_ok=True)

    def open_operation(self, cluster: str) -> str:
        """The id of an operation without an end, empty when there is none."""
        for path in set(self._files(cluster)) - self._closed:
            records = self._records(path)
            if records and "report" not in records[-1]:
                return path.stem
            if records:
                self._closed.add(path)
        return ""

    def unfinished(self, cluster: str) -> Unfinished | None:
        """The operation without an end with its whole journal."""
        name = self.open_operation(cluster)
        if not name:
            return None
        path = self._path(cluster, name)
        records = self._records(path)
        return unfinished_from(name, records[0], [one for one in records[1:] if "kind" in one])

    def operations(self, cluster: str) -> tuple[Mapping[str, Any], ...]:
        """All operations without steps, newest first."""
        told = [
            codec.summary(records[0], _end(records))
            for path in self._files(cluster)
            if (records := self._records(path))
        ]
        return tuple(sorted(told, key=codec.started_at, reverse=True))

    def operation(self, operation: str) -> Mapping[str, Any] | None:
        """One operation of any cluster, with its entries."""
        name = codec.checked_name("operation", operation)
        for path in sorted(self._folder.glob(f"*/{name}.jsonl")):
            if records := self._records(path):
                return codec.whole(records[0], [one for one in records[1:] if "kind" in one], _end(records))
        return None

    def last_failover_at(self, cluster: str) -> float | None:
        """Wall-clock seconds of the last failover that ended done."""
        data = files.read_file(self._done_file(cluster))
        return None if data is None else float(data)

    def _files(self, cluster: str) -> list[Path]:
        return list((self._folder / codec.checked_name("cluster", cluster)).glob("*.jsonl"))

    def _path(self, cluster: str, operation: str) -> Path:
        folder = self._folder / codec.checked_name("cluster", cluster)
        return folder / f"{codec.checked_name('operation', operation)}.jsonl"

    def _done_file(self, cluster: str) -> Path:
        return self._folder / codec.checked_name("cluster", cluster) / "last_failover"

    def _append(self, path: Path, record: Mapping[str, Any], *, durable: bool) -> None:
        files.append_line(path, json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode(), durable=durable)

    def _records(self, path: Path) -> list[Mapping[str, Any]]:
        lines = (files.read_file(path) or b"").split(b"\n")[:-1]  # what follows the last line end was torn by a crash
        return [_record(line, path, number) for number, line in enumerate(lines, 1)]


def _record(line: bytes, path: Path, number: int) -> Mapping[str, Any]:
    where = f"{path}:{number}"
    try:
        return codec.opened(json.loads(line), where)
    except (ValueError, AttributeError) as error:
        raise CoordinationError(f"record {where} cannot be read", str(error)) from error


def _end(records: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return records[-1] if "report" in records[-1] else None
