"""The writing client: one numbered row every few milliseconds to whoever takes it, with its own list of what was
acknowledged.

A row whose answer never came is neither acknowledged nor lost: it is unknown and its number is never used again, so
that the
comparison with what the servers hold is exact.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from dataclasses import dataclass

from failoverd.drivers.mysql.application import ApplicationSession
from failoverd.lab.lab import Lab
from failoverd.model.errors import ServerError
from failoverd.model.sight import Endpoint

TABLE = "CREATE TABLE IF NOT EXISTS app.numbered (n BIGINT PRIMARY KEY, written_at DOUBLE NOT NULL, filler VARCHAR(64))"
INSERT = "INSERT INTO numbered VALUES (%s, %s, REPEAT('x', 64))"
# How long one attempt to connect or to write may take before the next server is tried; the client's own patience.
PATIENCE = 0.5
MYSQL_PORT = 3306


@dataclass(frozen=True, slots=True)
class Ack:
    """One acknowledged row: its number, when the answer came (wall seconds), from which server, after how long."""

    number: int
    at: float
    server: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt that failed: when (wall seconds), with which of MySQL's numbers, at which server."""

    at: float
    code: int
    server: str


class Account:
    """What the client saw; it grows while the client writes."""

    def __init__(self) -> None:
        self.acks: list[Ack] = []
        self.unknown: list[int] = []
        self.errors: Counter[int] = Counter()
        self.failures: list[Failure] = []

    def longest_gap(self, after: float = 0.0) -> tuple[float, float, float]:
        """The longest time between two acknowledged rows, in seconds, with when it began and ended (wall seconds)."""
        times = [a.at for a in self.acks if a.at >= after]
        gaps = [(later - earlier, earlier, later) for earlier, later in itertools.pairwise(times)]
        return max(gaps, default=(0.0, after, after))

    def first_ack_after(self, moment: float) -> float | None:
        """When the first row begun and acknowledged after that moment came through, None if none did."""
        return next((a.at for a in self.acks if a.at > moment), None)

    def numbers(self) -> set[int]:
        """All acknowledged numbers."""
        return {a.number for a in self.acks}


def writer_for(lab: Lab, every: float = 0.01, patience: float = PATIENCE) -> Writer:
    """A client of the lab's application account that knows all its servers by address."""
    servers = {host.name: Endpoint(host.address, MYSQL_PORT) for host in lab.layout.servers}
    return Writer(servers, "app", lab.password("app"), every, patience)


class Writer:
    """A thread that writes until it is stopped; servers are tried in turn, as an application with a host list does: the
    next one at once, and after a round of all of them it rests as between two rows.
    """

    def __init__(
        self, servers: dict[str, Endpoint], user: str, password: str, every: float = 0.01, patience: float = PATIENCE
    ) -> None:
        self._patience = patience
        self._servers = list(servers.items())
        self._user = user
        self._password = password
        self._every = every
        self._stop = threading.Event()
        self._gate = threading.Lock()  # held for each attempt, and by a pause between two
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._number = 0
        self._turn = 0
        self._refused = 0  # in a row
        self.account = Account()
        self.database = "app"

    def start(self) -> None:
        """Begin writing; the table is made by whoever set the cluster up."""
        self._thread.start()

    def go_on_after(self, number: int) -> None:
        """Begin above this number, because rows of an earlier client are there; before `start`."""
        self._number = number

    def pause(self) -> None:
        """Write nothing until `resume`; returns when no row is under way."""
        self._gate.acquire()

    def resume(self) -> None:
        """Write on."""
        self._gate.release()

    def stop(self) -> Account:
        """Stop after the row in hand, and hand over what was seen."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=10 * self._patience)
        return self.account

    def wait_for_acks(self, count: int, timeout: float) -> bool:
        """Whether that many more rows were acknowledged in time."""
        goal, end = len(self.account.acks) + count, time.monotonic() + timeout
        while len(self.account.acks) < goal:
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True

    def _run(self) -> None:
        session: ApplicationSession | None = None
        due = time.monotonic()
        while not self._stop.is_set():
            with self._gate:
                session = self._write(session or self._connect())
            if session is None and self._refused % len(self._servers):
                continue
            due = max(due + self._every, time.monotonic())
            self._stop.wait(max(0.0, due - time.monotonic()))
        if session:
            session.close()

    def _connect(self) -> ApplicationSession | None:
        _, endpoint = self._servers[self._turn % len(self._servers)]
        try:
            return ApplicationSession(endpoint, self._user, self._password, self.database, self._patience)
        except ServerError as error:
            self._failed(error.code)
            return None

    def _write(self, session: ApplicationSession | None) -> ApplicationSession | None:
        """One row; the session to go on with, None after an error."""
        if session is None:
            return None
        self._number += 1
        begun = time.monotonic()
        try:
            session.execute(INSERT, self._number, time.time())
        except ServerError as error:
            if error.code not in READ_ONLY:
                self.account.unknown.append(self._number)
            self._failed(error.code)
            session.close()
            return None
        self._refused = 0
        self.account.acks.append(Ack(self._number, time.time(), self._here(), time.monotonic() - begun))
        return session

    def _here(self) -> str:
        return self._servers[self._turn % len(self._servers)][0]

    def _failed(self, code: int) -> None:
        self.account.errors[code] += 1
        self.account.failures.append(Failure(time.time(), code, self._here()))
        self._turn += 1
        self._refused += 1


# The server refused before it did anything: the row is certainly not there.
READ_ONLY = frozenset({1290, 1836})
