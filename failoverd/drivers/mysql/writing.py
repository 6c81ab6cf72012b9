"""The write probe: the only transaction that failoverd makes, on the primary only, and only where people want it.

The statement looks for itself whether it may write: on a server that was closed or replaced meanwhile it changes no
row, which leaves no transaction. Where it is waiting while a server is closed, the server refuses it at its end.
"""

from __future__ import annotations

import contextlib
import threading

from failoverd.drivers.mysql import statements
from failoverd.drivers.mysql.access import ServerAccess
from failoverd.drivers.mysql.session import Doors, Session
from failoverd.drivers.mysql.statements import Statement
from failoverd.model.errors import ConnectFailed, FailoverdError, ServerError, TimedOut
from failoverd.model.writing import Unwritten, WriteProbe
from failoverd.ports import Lease

# Seconds for logging in, and for one write; what waits longer is ended before the next one begins, so that they never
# pile up on a server that hangs.
LOGIN, WRITE = 2.0, 10.0
# A server that refuses with one of these cannot write: no space, a file that cannot be written, a lock that was not
# given in time. Every other number is about our table or our account.
CANNOT_WRITE = frozenset({1021, 1026, 1030, 1114, 1205, 1598})
# It was closed meanwhile, or is ending: looking tells that.
CLOSED = frozenset({1053, 1290, 1792, 1836, 3032})


def write_into(table: str) -> Statement:
    """One row of this table, on the server with this server_uuid while it takes writes."""
    name = ".".join(f"`{part}`" for part in table.split("."))
    text = (  # the configuration takes nothing but plain names
        f"INSERT INTO {name} (id, writer, written_at) SELECT 1, %s, NOW(6) FROM DUAL"  # noqa: S608
        " WHERE @@GLOBAL.read_only = 0 AND @@GLOBAL.super_read_only = 0 AND @@GLOBAL.server_uuid = %s"
        " ON DUPLICATE KEY UPDATE writer = %s, written_at = NOW(6)"
    )
    return Statement(text, "write a row", changes=True)


class Writer:
    """Writes on one server, one write at a time; nobody waits for it."""

    def __init__(self, doors: Doors, access: ServerAccess, manager: str) -> None:
        self.access = access
        self._doors = doors
        self._manager = manager
        self._lock = threading.Lock()
        self._under_way = False
        self._began = float("-inf")
        self._unwritten: Unwritten | None = None
        self._session: Session | None = None
        self._left = 0

    def write(self, probe: WriteProbe, server_uuid: str, lease: Lease) -> Unwritten | None:
        """Begin a write unless one is under way or was begun lately; since when none has come to its end."""
        with self._lock:
            now = self._doors.clock.now()
            if self._under_way:
                return self._unwritten or Unwritten(self._began)
            if now - self._began < probe.every:
                return self._unwritten
            self._under_way, self._began = True, now
            found = self._unwritten
        work = threading.Thread(target=self._try, args=(probe, server_uuid, lease), name="write probe", daemon=True)
        work.start()
        return found

    def close(self) -> None:
        """End its session; a write under way ends with it."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def _try(self, probe: WriteProbe, server_uuid: str, lease: Lease) -> None:
        found = self._unwritten
        try:
            session = self._open()
            lease.check()
            session.rows(write_into(probe.table), self._manager, server_uuid, self._manager, limit=WRITE)
            found = None
        except ConnectFailed:
            self._session = None  # no write was tried: it says nothing, and looking tells more
        except TimedOut:
            self._left = self._session.number if self._session is not None else 0
            self._session = None
            found = found if found is not None and not found.ours else Unwritten(self._began)
        except ServerError as error:
            ours = error.code not in CANNOT_WRITE | CLOSED
            since = found.since if found is not None and not found.ours else self._began
            found = Unwritten(since, str(error) if ours else f"error {error.code}", ours)
            found = None if error.code in CLOSED else found
        except FailoverdError:
            found = None  # we may not act any more
        finally:
            with self._lock:
                self._under_way, self._unwritten = False, found

    def _open(self) -> Session:
        if self._session is None or self._session.lost is not None:
            self._session = self._doors.open(self.access, LOGIN)
        if self._left:
            with contextlib.suppress(ServerError):
                self._session.rows(statements.KILL, self._left, limit=LOGIN)
            self._left = 0
        return self._session
