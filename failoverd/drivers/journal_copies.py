"""Copies of journals on the host of whoever runs an operation, for people while ZooKeeper is away.

One file for each operation, `CLUSTER/ID.jsonl`, one line for each record. Nobody ever acts on a copy, so writing one is
never waited for, and a disk that is full or hangs holds nobody up: it is said, once for each reason.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from failoverd.drivers import files
from failoverd.drivers import journal_codec as codec
from failoverd.drivers.local.journal import LocalJournal
from failoverd.model.errors import CoordinationError
from failoverd.model.published import as_copy
from failoverd.ports import Clock, Tasks

Record = Mapping[str, Any]
Say = Callable[[str, str], None]
_WAITING_MOST = 5000  # records in memory while the disk does not take them
_PARTING = 2.0  # seconds for what is left when the process ends


class JournalCopies:
    """Writes copies below one folder on a thread of its own; `say` is told (what, why) where that fails."""

    def __init__(self, folder: Path, tasks: Tasks, clock: Clock, say: Say) -> None:
        self._folder = folder
        self._tasks = tasks
        self._clock = clock
        self._say = say
        self._jobs: queue.Queue[Callable[[], None]] = queue.Queue(_WAITING_MOST)
        self._starting = threading.Lock()
        self._works = False
        self._said = ""
        self._lines: dict[str, int] = {}

    def prove(self) -> None:
        """Try the folder now: what is wrong with it is said before there is an operation."""
        self._do(lambda: files.replace_file(self._folder / ".tried", b""))

    def keep(self, cluster: str, operation: str, records: Sequence[Record]) -> None:
        """Hold these records, and no others, unless as many are held already."""
        if self._lines.get(operation) == len(records):
            return
        self._lines[operation] = len(records)
        path = self._path(cluster, operation)
        self._do(lambda: files.replace_file(path, b"".join(_line(record) + b"\n" for record in records)))

    def add(self, cluster: str, operation: str, record: Record) -> None:
        """Hold one record more; nothing happens for an operation whose beginning is not held."""
        if operation not in self._lines:
            return
        self._lines[operation] += 1
        path = self._path(cluster, operation)
        self._do(lambda: files.append_line(path, _line(record), durable=False))

    def end(self, cluster: str, operation: str, record: Record) -> None:
        """Hold the last record, and let go of the oldest copies."""
        self.add(cluster, operation, record)
        self._lines.pop(operation, None)
        self._do(lambda: self._trim(self._folder / cluster))

    def close(self) -> None:
        """Wait a little for what is on its way to the disk."""
        done = threading.Event()
        if self._works:
            self._do(done.set)
            done.wait(_PARTING)

    def _path(self, cluster: str, operation: str) -> Path:
        name = codec.checked_name("operation", operation)
        return self._folder / codec.checked_name("cluster", cluster) / f"{name}.jsonl"

    def _do(self, job: Callable[[], None]) -> None:
        with self._starting:
            if not self._works:
                self._works = True
                self._tasks.start("journal copies", self._work)
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            self._tell("the disk does not take them")

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                job()
            except (CoordinationError, OSError) as error:
                self._tell(str(error))
            else:
                self._said = ""

    def _tell(self, why: str) -> None:
        if why != self._said:
            self._said = why
            self._say("journals are not copied to this host", why)

    def _trim(self, folder: Path) -> None:
        changed = {path: path.stat().st_mtime for path in folder.glob("*.jsonl")}
        newest = sorted(changed, key=lambda path: changed[path], reverse=True)
        now = self._clock.wall().timestamp()
        for place, path in enumerate(newest):
            if not codec.worth_keeping(place, now - changed[path]):
                path.unlink(missing_ok=True)


def read_copies(folder: Path, clock: Clock, clusters: Sequence[str], away: CoordinationError) -> tuple[Record, ...]:
    """All operations of these clusters as far as this host holds copies, each marked `copied`; `away` where there are
    none: it says why the journal itself cannot be read.
    """
    held = LocalJournal(folder, clock)
    told = [as_copy(one) for cluster in clusters for one in held.operations(cluster)]
    if not told:
        raise away
    return tuple(told)


def read_copy(folder: Path, clock: Clock, operation: str, away: CoordinationError) -> Record:
    """One operation with its entries, marked `copied`; `away` where this host holds no copy of it."""
    told = LocalJournal(folder, clock).operation(operation)
    if told is None:
        raise away
    return as_copy(told)


def _line(record: Record) -> bytes:
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
