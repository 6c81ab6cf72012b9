"""The checksum of one table, on a session of its own, ended on the server where nobody waits for it any more."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable

from failoverd.drivers.mysql import statements
from failoverd.drivers.mysql.access import ServerAccess
from failoverd.drivers.mysql.session import Doors, Session
from failoverd.gtid import GtidSet
from failoverd.model.comparing import TableSum, parted
from failoverd.model.errors import FailoverdError, ServerError

_NO_RIGHT = frozenset({1044, 1142})
_EVERY = 0.5  # seconds between two times that the caller is heard
_LIMIT = 4.0


def table_sum(doors: Doors, access: ServerAccess, table: str, heed: Callable[[float], None]) -> TableSum:
    """The checksum with the sets around it; what `heed` raises ends the statement on the server, and is raised."""
    try:
        session = doors.open(access, _LIMIT)
        try:
            before = executed(session)
            checksum = read(doors, access, session, table, heed)
            return TableSum(before, executed(session), checksum)
        finally:
            session.close()
    except ServerError as error:
        if error.code in _NO_RIGHT:
            return TableSum(problem=f"{access.name}: GRANT SELECT ON {table} TO {access.user} is missing")
        return TableSum(problem=str(error))


def read(doors: Doors, access: ServerAccess, session: Session, table: str, heed: Callable[[float], None]) -> int | None:
    """The checksum itself; None where there is no such table."""
    said, begun = statements.checksum(*parted(table)), doors.clock.now()
    session.ask((said,), limit=_LIMIT)
    try:
        while not select.select([session.line], [], [], _EVERY)[0]:
            heed(doors.clock.now() - begun)
    except BaseException:
        with contextlib.suppress(FailoverdError), contextlib.closing(doors.open(access, _LIMIT)) as another:
            another.rows(statements.KILL, session.number, limit=_LIMIT)
        raise
    ((row,),) = session.hear(limit=_LIMIT)
    found = row["Checksum"]
    return None if found is None else int(found)


def executed(session: Session) -> GtidSet:
    """What the server has executed now."""
    (row,) = session.rows(statements.READ_SETS, limit=_LIMIT)
    return GtidSet.parse(str(row["executed"]))
