"""Coordination over ZooKeeper: the port's methods, and the worker that keeps every cluster's place in line."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from kazoo.exceptions import KazooException

from failoverd.drivers import journal_codec as codec
from failoverd.drivers.identity import Identity
from failoverd.drivers.journal_copies import JournalCopies
from failoverd.drivers.zookeeper.election import Election, found_cluster, raise_epoch
from failoverd.drivers.zookeeper.journal import Journal
from failoverd.drivers.zookeeper.layout import Layout, in_line, sequence
from failoverd.drivers.zookeeper.records import pack, unpack
from failoverd.drivers.zookeeper.session import ABSENT, Away, Session
from failoverd.drivers.zookeeper.settings import ZooKeeperSettings
from failoverd.drivers.zookeeper.standbys import Standbys
from failoverd.drivers.zookeeper.told import Told, in_force, told_by
from failoverd.drivers.zookeeper.writes import Create, Delete, Set, WriteRefused, own, write
from failoverd.model.errors import ConfigError, CoordinationError
from failoverd.model.history import Pause, Recorded
from failoverd.model.host import StandbyWord
from failoverd.model.journal import Unfinished
from failoverd.model.plans import Entry, Operation, Report, Request
from failoverd.model.settings import InForce, Settings
from failoverd.ports import Clock, Lease, Tasks, Wakeups

_ANSWERS_KEPT = 100
_MODESTY = 0.3  # seconds, for each lock held already
_STATUS_COMPRESS_OVER = 64 * 1024
_STATUS_PART = 1 << 30  # one entry always: a status is replaced as a whole


class ZooKeeperCoordination:
    """Implements `ports.Coordination`.

    The constructor waits for the first connection no longer than the settings say, and raises ConfigError where the
    ensemble negotiates another session time-out. Everything else fails with CoordinationError while ZooKeeper is away.
    """

    kind = "zookeeper"

    def __init__(
        self, settings: ZooKeeperSettings, identity: Identity, clock: Clock, tasks: Tasks, wakeups: Wakeups
    ) -> None:
        self._settings = settings
        self._identity = identity
        self._clock = clock
        self._tasks = tasks
        self._wakeups = wakeups
        self._settings_of: Mapping[str, Settings] = MappingProxyType({})
        self._elections: dict[str, Election] = {}
        self._leaving: tuple[Election, ...] = ()
        self._lines: dict[str, dict[str, str]] = {}
        self._woken = threading.Event()
        self._ended = threading.Event()
        self._works = False
        self._session = Session(settings, clock, self._changed)
        self._journal = Journal(self._session, settings.root, clock)
        self._standbys = Standbys(self._session, wakeups)
        try:
            self._session.open()
        except ConfigError:
            self._session.close()
            raise

    def state(self) -> str:
        """`ok` or `lost`."""
        return "ok" if self._session.connected else "lost"

    def tell_settings(self, settings: Mapping[str, Settings]) -> None:
        """What this manager runs each cluster with, told by every lease from now on."""
        self._settings_of = MappingProxyType(dict(settings))
        for cluster, election in self._elections.items():
            election.retell(self._told(cluster))

    def in_force(self) -> Mapping[str, InForce]:
        """What the active manager of each cluster runs with."""
        found = {}
        for name in sorted(self._session.children(self._settings.root)):
            told = in_force(self._session.read(self._layout(name).config)) if self._line(name) else None
            if told is not None:
                found[name] = told
        return found

    def keep_copies(self, copies: JournalCopies) -> None:
        """Copy the journal of every operation that this process runs."""
        self._journal.copies = copies

    def campaign(self, cluster: str) -> None:
        """Contend for the cluster's lock from now on; does not wait."""
        if cluster in self._elections:
            return
        if self._journal.copies:
            self._journal.copies.prove()
        layout = Layout.of(self._settings.root, cluster)
        election = Election(layout, self._session, self._told(cluster), self._clock, self._wakeups)
        self._elections = {**self._elections, cluster: election}
        if not self._works:
            self._works = True
            self._tasks.start("zookeeper election", self._work)
        self._woken.set()

    def lease(self, cluster: str) -> Lease | None:
        """The lease if we are active now; CoordinationError where it is our turn and the epoch forbids to take the
        lock.
        """
        election = self._elections.get(cluster)
        if election is None:
            return None
        self._session.refuse_other_timeout()
        if (refusal := election.refusal or election.trouble) is not None:
            raise refusal
        return election.lease

    def other_settings(self, cluster: str) -> str:
        """The manager that was active before our lease with other settings than ours."""
        election = self._elections.get(cluster)
        return election.other if election is not None else ""

    def adopt(self, cluster: str, epoch: int) -> None:
        """Raise the recorded epoch, founding the cluster's records where they are gone; the lock is taken anew."""
        layout = self._layout(cluster)
        found_cluster(self._session, layout)
        raise_epoch(self._session, layout, epoch)
        for name in self._session.children(layout.lock):
            self._session.remove(f"{layout.lock}/{name}")

    def resign(self, cluster: str) -> None:
        """Give the lock back and stop contending: at once, or as soon as ZooKeeper can be told."""
        election = self._elections.get(cluster)
        if election is None:
            return
        self._elections = {name: other for name, other in self._elections.items() if name != cluster}
        try:
            election.leave()
        except CoordinationError:
            self._leaving = (*self._leaving, election)

    def holder(self, cluster: str) -> str | None:
        """The name of the manager that is first in line."""
        return next(iter(self._line(cluster)), None)

    def contenders(self, cluster: str) -> tuple[str, ...]:
        """Names of the managers behind the first."""
        return self._line(cluster)[1:]

    def recorded(self, cluster: str) -> Recorded | None:
        """Who the primary is, as last published."""
        data = self._read(self._layout(cluster).primary)
        return None if data is None else codec.recorded_from(data)

    def publish_primary(self, lease: Lease, cluster: str, record: Recorded) -> None:
        """Record the primary, conditional on the lease."""
        packed = pack(codec.versioned(codec.plain(record)))
        if packed.parts:  # a history that no entry holds is left unknown, as older records leave it
            packed = pack(codec.versioned(codec.plain(replace(record, inherited=None))))
        self._put(lease, self._layout(cluster).primary, packed.head)

    def pauses(self, cluster: str) -> tuple[Pause, ...]:
        """The pauses in force; one whose end has passed is none."""
        layout = self._layout(cluster)
        paths = [layout.paused(name) for name in layout.paused_of(self._session.children(layout.base))]
        found = zip(paths, self._session.read_all(paths), strict=True)
        told = [
            codec.pause_from(codec.opened(unpack(data, (), path), path)) for path, data in found if data is not None
        ]
        return codec.in_force(told, self._clock.wall().timestamp())

    def pause(self, cluster: str, pause: Pause) -> None:
        """Record a pause, also for a cluster that has never had a manager."""
        layout = self._layout(cluster)
        self._session.ensure(layout.base)
        self._session.put(layout.paused(pause.server), pack(codec.versioned(codec.plain(pause))).head)

    def unpause(self, cluster: str, server: str) -> None:
        """End a pause."""
        self._session.remove(self._layout(cluster).paused(server))

    def begin(self, lease: Lease, operation: Operation) -> None:
        """Open an operation in the journal."""
        self._journal.begin(lease, operation)

    def write(self, lease: Lease, operation: Operation, entry: Entry, wait: bool) -> None:
        """Append a record."""
        self._journal.write(lease, operation, entry, wait)

    def settle(self, lease: Lease, operation: Operation, timeout: float) -> None:
        """Wait until every record sent so far is durable."""
        self._journal.settle(lease, operation, timeout)

    def end(self, lease: Lease, operation: Operation, report: Report) -> None:
        """Close the operation with its report."""
        self._journal.end(lease, operation, report)

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
        """Let every manager know that this cluster's primary failed at that time."""
        self._put(lease, self._layout(cluster).failing, pack(codec.versioned({"since": since})).head)

    def failing(self) -> Mapping[str, float]:
        """When the primary of each cluster last failed; an entry of a later version counts for nobody."""
        names = sorted(self._session.children(self._settings.root))
        paths = [self._layout(name).failing for name in names]
        told = {}
        for name, path, data in zip(names, paths, self._session.read_all(paths), strict=True):
            if data is not None:
                told[name] = float(codec.opened(unpack(data, (), path), path)["since"])
        return told

    def ask_standbys(self, lease: Lease, cluster: str, question: str) -> None:
        """Ask every standby manager to look at the primary now."""
        self._standbys.ask(own(lease), self._layout(cluster), question)

    def question(self, cluster: str) -> str:
        """What the active manager asked last."""
        return self._standbys.question(self._layout(cluster), cluster)

    def testify(self, cluster: str, word: StandbyWord) -> None:
        """Answer the active manager's question."""
        self._standbys.testify(self._layout(cluster), word)

    def testimonies(self, cluster: str) -> tuple[StandbyWord, ...]:
        """The last answer of every standby manager."""
        return self._standbys.testimonies(self._layout(cluster))

    def publish_status(self, lease: Lease, cluster: str, status: Mapping[str, object]) -> None:
        """Publish what `failoverd status` shows."""
        data = codec.versioned({"status": codec.plain(status)})
        self._put(lease, self._layout(cluster).status, pack(data, _STATUS_COMPRESS_OVER, _STATUS_PART).head)

    def status(self, cluster: str) -> Mapping[str, object] | None:
        """What the active manager last published, None where none is active."""
        if self.holder(cluster) is None:
            return None
        data = self._read(self._layout(cluster).status)
        return None if data is None else dict(data["status"])

    def ask(self, request: Request) -> str:
        """Hand a request to the active manager; CoordinationError where the cluster has never had one."""
        place = f"{self._layout(request.cluster).requests}/{uuid.uuid4().hex}_"
        data = pack(codec.versioned(codec.plain(request))).head
        try:
            made = self._session.call(
                lambda client: client.create_async(place, data, acl=self._session.acl, sequence=True)
            )
        except ABSENT as error:
            raise CoordinationError(f"no manager has ever been active for {request.cluster}", place) from error
        return str(made).rsplit("/", 1)[1]

    def requests(self, cluster: str) -> tuple[tuple[str, Request], ...]:
        """Requests that wait, oldest first; one of a later version is left to whoever understands it.

        Nothing is read where a watch would have told of one.
        """
        election = self._elections.get(cluster)
        if election is not None and election.unasked:
            return ()
        layout = self._layout(cluster)
        names = in_line(self._session.children(layout.requests))
        found = zip(names, self._session.read_all([f"{layout.requests}/{name}" for name in names]), strict=True)
        told = []
        for name, data in found:
            try:
                told.append((name, codec.request_from(codec.opened(unpack(data or b"", (), name), name))))
            except (CoordinationError, KeyError, ValueError, TypeError):
                continue
        return tuple(told)

    def answer(self, lease: Lease, cluster: str, request_id: str, body: Mapping[str, object]) -> None:
        """Answer a request and take it away, in one transaction."""
        layout, held = self._layout(cluster), own(lease)
        name = codec.checked_name("request", request_id)
        data = pack(codec.versioned({"answer": codec.plain(body)}), part=_STATUS_PART).head
        write(self._session, held, Create(f"{layout.answers}/{name}", data), Delete(f"{layout.requests}/{name}"))
        old = sorted(self._session.children(layout.answers), key=sequence)[:-_ANSWERS_KEPT]
        if old:
            write(self._session, held, *(Delete(f"{layout.answers}/{one}") for one in old))

    def answered(self, cluster: str, request_id: str) -> Mapping[str, object] | None:
        """The answer to a request, None while there is none."""
        name = codec.checked_name("request", request_id)
        data = self._read(f"{self._layout(cluster).answers}/{name}")
        return None if data is None else dict(data["answer"])

    def close(self) -> None:
        """Release every lock and end the session."""
        self._ended.set()
        self._woken.set()
        for cluster in tuple(self._elections):
            self.resign(cluster)
        self._session.close()
        if self._journal.copies:
            self._journal.copies.close()

    def _work(self) -> None:
        while not self._ended.is_set():
            self._woken.wait(self._settings.beat)
            self._woken.clear()
            self._session.tend()
            self._round()

    def _round(self) -> None:
        for election in (*self._elections.values(), *self._leaving):
            if self._ended.is_set() or not self._session.connected:
                return
            if self._modest(election):
                continue
            try:
                election.beat(self._woken.set)
            except Away:
                return  # for all clusters alike; leases end by their own deadlines
            except (CoordinationError, ConfigError, KazooException) as error:
                election.trouble = in_words(error)
            else:
                election.trouble = None
        self._leaving = tuple(election for election in self._leaving if not election.gone)

    def _modest(self, election: Election) -> bool:
        """Whether others go first: whoever holds locks enters further lines a little later, so that managers that
        start together share the clusters. Nobody gives a lock up for that.
        """
        held = sum(one.lease is not None for one in self._elections.values())
        return not election.in_line and self._clock.now() - election.since < held * _MODESTY

    def _changed(self, what: str) -> None:
        elections = tuple(getattr(self, "_elections", {}).values())
        for election in elections:
            if what == "suspended":
                election.suspend()
            elif what == "lost":
                election.lose("the ZooKeeper session has ended")
        self._woken.set()
        self._wakeups.ring("coordination")

    def _line(self, cluster: str) -> tuple[str, ...]:
        """Who stands in line. An entry says the same as long as it is there, so that it is read once."""
        lock = self._layout(cluster).lock
        names, known = in_line(self._session.children(lock)), self._lines.get(cluster, {})
        new = [name for name in names if name not in known]
        read = zip(new, self._session.read_all([f"{lock}/{name}" for name in new]), strict=True)
        known = {**known, **{name: str(json.loads(data)["manager"]) for name, data in read if data is not None}}
        self._lines[cluster] = line = {name: known[name] for name in names if name in known}
        return tuple(line.values())

    def _told(self, cluster: str) -> Told:
        return told_by(self._identity, self._settings_of.get(cluster, Settings()))

    def _layout(self, cluster: str) -> Layout:
        return Layout.of(self._settings.root, cluster)

    def _read(self, path: str) -> Mapping[str, Any] | None:
        data = self._session.read(path)
        return None if data is None else codec.opened(unpack(data, (), path), path)

    def _put(self, lease: Lease, path: str, data: bytes) -> None:
        try:
            write(self._session, own(lease), Set(path, data))
        except WriteRefused as error:
            if not isinstance(error.reason, ABSENT):
                raise
            write(self._session, own(lease), Create(path, data))


def in_words(error: Exception) -> CoordinationError:
    """An error of the worker as those who ask for the lease are told it."""
    if isinstance(error, CoordinationError):
        return error
    return CoordinationError("the lock cannot be contended for", f"{type(error).__name__} {error}".strip())
