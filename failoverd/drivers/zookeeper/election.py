"""One cluster's line for the lock: our own entry, the one before it, the epoch that comes with being first.

Plain ephemeral sequential entries with a GUID in the name (so that a create whose answer was lost is found again), a
watch on the entry before ours, and an epoch taken in one transaction with the check of our entry. Only the
coordination's worker and `leave` touch ZooKeeper here; both hold the election's own lock.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from typing import Any

from failoverd.drivers.zookeeper.layout import Layout, in_line
from failoverd.drivers.zookeeper.lease import ZooKeeperLease
from failoverd.drivers.zookeeper.session import ABSENT, Away, Session
from failoverd.drivers.zookeeper.told import Told, other_settings
from failoverd.drivers.zookeeper.writes import Create, Set, found, write
from failoverd.model.errors import CoordinationError, LockRefused
from failoverd.ports import Clock, Wakeups

# Seconds between two looks at the line by whoever is not first: a watch tells when the turn comes.
_LOOK = 1.0
# Seconds after which the watch on requests is set anew, should its word have been lost.
_LISTEN = 5.0
_FIRST_EPOCH = b"0"  # what stands there before anybody was active; the first lease has epoch 1


class Election:
    """Our part in the line of one cluster.

    `since` is when it last wanted to enter the line. `other` names the manager that was active before our lease with
    other settings, empty where there was none. `refusal` says why we do not take the lock although it is our turn,
    `trouble` why we cannot even stand in line.
    """

    def __init__(self, layout: Layout, session: Session, told: Told, clock: Clock, wakeups: Wakeups) -> None:
        self.layout = layout
        self.refusal: LockRefused | None = None
        self.trouble: CoordinationError | None = None
        self._session = session
        self._told = told
        self._untold = False
        self._clock = clock
        self._wakeups = wakeups
        self._busy = threading.RLock()
        self._guid = uuid.uuid4().hex
        self._path = ""
        self._owner = 0
        self._asked = False
        self._lease: ZooKeeperLease | None = None
        self._taking: ZooKeeperLease | None = None
        self._watched = ""
        self._looked = float("-inf")
        self._listening = False
        self._listened = float("-inf")
        self._waiting = False
        self._wake: Any = None
        self._highest = 0
        self._left = False
        self.other = ""
        self.since = clock.now()

    @property
    def lease(self) -> ZooKeeperLease | None:
        """The lease if it is alive."""
        lease = self._lease
        return lease if lease is not None and lease.alive else None

    @property
    def unasked(self) -> bool:
        """Whether no request waits, as far as the watch on them tells."""
        return self._listening and not self._waiting

    @property
    def in_line(self) -> bool:
        """Whether an entry of ours stands in the line, or may."""
        return bool(self._path or self._asked)

    @property
    def gone(self) -> bool:
        """Whether we have left and nothing of ours is in the line."""
        return self._left and not self._path and not self._asked

    def suspend(self) -> None:
        """The connection is gone for now."""
        for lease in (self._lease, self._taking):
            if lease is not None:
                lease.suspend()

    def lose(self, why: str) -> None:
        """The session is gone for good."""
        for lease in (self._lease, self._taking):
            if lease is not None:
                lease.lose(why)

    def leave(self) -> None:
        """Stop contending and take our entry away, so that the next in line has the lock at once."""
        self._left = True
        self.lose("resigned")
        with self._busy:
            self._step_out()

    def beat(self, wake: Any) -> None:
        """One round of the worker: stay in line, take the lock when first, prove that it is still ours.

        `wake` is called when ZooKeeper says that something has changed. Raises CoordinationError where ZooKeeper is
        away.
        """
        with self._busy:
            if self._left:
                self._step_out()
                return
            if self._path and (self._owner != self._session.id or self._ended()):
                self._start_over()
            if not self._path:
                self._enter()
            if self._lease is not None:
                self._renew()
                self._tell()
                self._listen(wake)
            elif not self._watched or self._clock.now() - self._looked >= _LOOK:
                self._advance(wake)

    def _ended(self) -> bool:
        return self._lease is not None and not self._lease.alive

    def _start_over(self) -> None:
        # An entry that a lost lease stood on is never used again: whoever finds it gone knows that the epoch is over.
        self.lose("the session has changed")
        self._wakeups.ring("lock")
        self._lease = None
        self._step_out()

    def _step_out(self) -> None:
        path = self._path or (self._asked and self._created()) or ""
        if path:
            with contextlib.suppress(ABSENT):
                self._session.call(lambda client: client.delete_async(path))
        self._path, self._owner, self._asked, self._watched, self._listening = "", 0, False, "", False
        self._guid, self.since = uuid.uuid4().hex, self._clock.now()

    def _enter(self) -> None:
        found_cluster(self._session, self.layout)
        path = self._asked and self._created()
        if not path:
            place = f"{self.layout.lock}/{self._guid}_"
            self._asked = True
            path = self._session.call(
                lambda client: client.create_async(
                    place, self._told.line, acl=self._session.acl, ephemeral=True, sequence=True
                )
            )
        stat = self._session.call(lambda client: client.exists_async(path))
        if stat is None or stat.ephemeralOwner != self._session.id:
            self._guid, self._asked = uuid.uuid4().hex, False  # made by a session that has ended: it goes by itself
            raise Away("our entry in the line was another session's", str(path))
        self._path, self._owner, self._asked = str(path), int(stat.ephemeralOwner), False

    def _created(self) -> str:
        """Our entry, if the create whose answer was lost has made it."""
        names = self._session.children(self.layout.lock)
        return next((f"{self.layout.lock}/{name}" for name in names if name.startswith(self._guid)), "")

    def _advance(self, wake: Any) -> None:
        self._looked = self._clock.now()
        line = in_line(self._session.children(self.layout.lock))
        own = self._path.rsplit("/", 1)[1]
        if own not in line:
            self._start_over()
            raise Away("our entry in the line is gone", self.layout.lock)
        place = line.index(own)
        if place == 0:
            self._take()
            self._listen(wake)
        else:
            self._watch(f"{self.layout.lock}/{line[place - 1]}", wake)

    def _watch(self, before: str, wake: Any) -> None:
        if self._watched == before:
            return

        def changed(_: Any) -> None:
            self._watched = ""
            wake()

        self._watched = before
        if self._session.call(lambda client: client.exists_async(before, watch=changed)) is None:
            self._watched = ""
            wake()

    def _take(self) -> None:
        sent = self._clock.now()
        path, owner = self._path, self._owner
        stat = self._session.call(lambda client: client.exists_async(path))
        if stat is None or stat.ephemeralOwner != owner:
            raise Away("our entry in the line is gone", path)
        known = self._known_epoch()
        if known is None:
            return
        epoch, version = known[0] + 1, known[1]
        deadline = sent + self._session.settings.lease
        lease = ZooKeeperLease(path, owner, epoch, deadline, self._clock)
        self._taking = lease  # from here on a suspension reaches it; nobody is given it before the epoch is written
        before = self._session.read(self.layout.config)
        write(self._session, lease, Set(self.layout.epoch, str(epoch).encode(), version), self._config(before))
        self.other = other_settings(before, self._told)
        self._lease, self._taking, self._highest, self._untold = lease, None, epoch, False
        self._wakeups.ring("lock")

    def retell(self, told: Told) -> None:
        """Our settings have changed: said under the lease we have, and by every entry of ours from now on.

        The entry in the line itself stays: every write of ours checks that nobody has touched it. While ZooKeeper is
        away it is left to the next round.
        """
        with self._busy:
            self._told, self._untold = told, True
            with contextlib.suppress(CoordinationError):
                self._tell()

    def _tell(self) -> None:
        lease = self.lease
        if self._untold and lease is not None:
            write(self._session, lease, self._config(self._session.read(self.layout.config)))
            self._untold = False

    def _config(self, before: bytes | None) -> Create | Set:
        place, data = self.layout.config, self._told.config
        return Create(place, data) if before is None else Set(place, data)

    def _known_epoch(self) -> tuple[int, int] | None:
        try:
            data, stat = self._session.call(lambda client: client.get_async(self.layout.epoch))
        except ABSENT:
            self._refuse("the epoch is missing while other records of the cluster exist")
            return None
        if not data.isdigit():
            self._refuse(f"the epoch is {bytes(data[:40])!r}, not a number")
            return None
        if int(data) < self._highest:
            self._refuse(f"the epoch went back from {self._highest} to {int(data)}")
            return None
        self.refusal = None
        return int(data), int(stat.version)

    def _refuse(self, why: str) -> None:
        hint = f"write it with `failoverd init --adopt` after looking at the servers; entry {self.layout.epoch}"
        self.refusal = LockRefused("the lock is not taken", why, hint)

    def _renew(self) -> None:
        lease = self._lease
        if lease is None:
            return
        sent = self._clock.now()
        stat = self._session.call(lambda client: client.exists_async(lease.path), self._session.settings.lease)
        if stat is None:
            lease.lose("our lock entry is gone")
        elif stat.ephemeralOwner != lease.session or self._session.id != lease.session:
            lease.lose("our lock entry belongs to another session")
        else:
            lease.renewed(sent, self._session.settings.lease)

    def _listen(self, wake: Any) -> None:
        now = self._clock.now()
        if self._lease is None or (self._listening and now - self._listened < _LISTEN):
            return
        self._listening, self._listened, self._wake = True, now, wake
        watch = self._heard_of_requests
        try:
            names = self._session.call(lambda client: client.get_children_async(self.layout.requests, watch=watch))
        except (CoordinationError, ABSENT):
            self._listening = False
            raise
        self._waiting = bool(names)

    # kazoo calls a watch also when the connection is suspended: nothing is missed meanwhile, it is set anew afterwards
    def _heard_of_requests(self, _: Any) -> None:
        self._listening = False
        self._wakeups.ring("request")
        self._wake()


def found_cluster(session: Session, layout: Layout) -> None:
    """Make a cluster's entries where there are none, all at once."""
    if session.read(layout.base) is not None:
        return
    session.ensure(layout.base.rsplit("/", 1)[0])
    entries = [Create(layout.base), Create(layout.epoch, _FIRST_EPOCH)]
    found(session, [*entries, *(Create(path) for path in layout.directories())])


def raise_epoch(session: Session, layout: Layout, epoch: int) -> None:
    """Let the recorded epoch be at least this: a person's act, without a lock."""
    known, text = session.read(layout.epoch), str(epoch).encode()
    if known is None:
        session.call(lambda client: client.create_async(layout.epoch, text, acl=session.acl))
    elif not known.isdigit() or int(known) < epoch:
        session.call(lambda client: client.set_async(layout.epoch, text))
