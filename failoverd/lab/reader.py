"""The reading client: asks replicas for the newest row, and notes how much of what was acknowledged they lacked."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right

from failoverd.drivers.mysql.application import ApplicationSession
from failoverd.lab.writer import Ack, Writer
from failoverd.model.errors import ServerError
from failoverd.model.rehearsed import StaleRead
from failoverd.model.sight import Endpoint

NEWEST = "SELECT COALESCE(MAX(n), 0) FROM numbered"
# Clients who know one address do not say whose row it was: so each answer says whether it is a replica's.
_ANSWER = "SELECT COALESCE(MAX(n), 0), @@GLOBAL.read_only FROM numbered"
_EVERY = 0.05
_PATIENCE = 0.5


class Reader:
    """A thread that reads one server after the other, but for the one that took the last row."""

    def __init__(self, servers: dict[str, Endpoint], user: str, password: str, writer: Writer) -> None:
        self._servers = servers
        self._login = (user, password)
        self._writer = writer
        self._sessions: dict[str, ApplicationSession] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)
        self.stale: list[StaleRead] = []
        self.reads = 0

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the read in hand."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=10 * _PATIENCE)

    def _run(self) -> None:
        while not self._stop.wait(_EVERY):
            acks = self._writer.account.acks
            if not acks:
                continue
            for server in self._servers:
                if server != acks[-1].server and not self._stop.is_set():
                    self._read(server, acks)
        for session in self._sessions.values():
            session.close()

    def _read(self, server: str, acks: list[Ack]) -> None:
        promised, asked = len(acks), time.time()
        try:
            session = self._sessions.get(server) or ApplicationSession(
                self._servers[server], *self._login, self._writer.database, _PATIENCE
            )
            self._sessions[server] = session
            ((newest, closed),) = session.execute(_ANSWER)
        except ServerError:
            gone = self._sessions.pop(server, None)
            if gone is not None:
                gone.close()
            return
        if not closed:
            return
        self.reads += 1
        lacking = acks[bisect_right(acks, int(str(newest)), hi=promised, key=lambda ack: ack.number) : promised]
        if lacking:
            self.stale.append(StaleRead(asked, server, len(lacking), max(asked - lacking[0].at, 0.0)))
