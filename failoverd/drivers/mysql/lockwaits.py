"""Who waits for whom, out of a server's lock tables. Pure: rows in, edges and sentences out.

Metadata locks are queued: a waiting session is held up by every granted lock that conflicts with its own, and by a
waiting one that goes first. The table of conflicts is MySQL's own (sql/mdl.cc).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

Row = Mapping[str, Any]
Edges = Mapping[int, Mapping[int, str]]
"""For each waiting session who holds it up, and by what."""

SYSTEM = "system user"
_TABLE_LOCKS = frozenset({"SHARED_READ_ONLY", "SHARED_NO_WRITE", "SHARED_NO_READ_WRITE", "EXCLUSIVE"})
# Which granted locks a wanted one has to wait for; a kind that is not named here waits for every other one.
_CONFLICTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "SHARED": frozenset({"EXCLUSIVE"}),
        "SHARED_HIGH_PRIO": frozenset({"EXCLUSIVE"}),
        "SHARED_READ": frozenset({"SHARED_NO_READ_WRITE", "EXCLUSIVE"}),
        "SHARED_WRITE": _TABLE_LOCKS,
        "SHARED_WRITE_LOW_PRIO": _TABLE_LOCKS,
        "INTENTION_EXCLUSIVE": frozenset({"SHARED", "EXCLUSIVE"}),
    }
)
# Locks whose waiting alone holds others up: who asks for them goes before readers and writers.
_FIRST = frozenset({"EXCLUSIVE", "SHARED_NO_READ_WRITE", "SHARED_NO_WRITE", "SHARED_READ_ONLY"})
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "GLOBAL": "the global read lock",
        "COMMIT": "the lock on commits",
        "BACKUP LOCK": "the backup lock",
    }
)


def object_edges(rows: Iterable[Row]) -> Edges:
    """Edges out of metadata_locks joined with itself."""
    found: dict[int, dict[int, str]] = {}
    for row in rows:
        if _holds_up(str(row["wanted"]), str(row["held"]), granted=row["status"] == "GRANTED"):
            found.setdefault(int(row["waiting"]), {})[int(row["holding"])] = _named(row)
    return found


def row_edges(rows: Iterable[Row]) -> Edges:
    """Edges out of data_lock_waits."""
    found: dict[int, dict[int, str]] = {}
    for row in rows:
        found.setdefault(int(row["waiting"]), {})[int(row["holding"])] = "row locks"
    return found


def guessed_edges(transactions: Iterable[Row], appliers: frozenset[int]) -> Edges:
    """Without lock tables: a waiting applier, and exactly one transaction that has row locks and is none of theirs."""
    rows = list(transactions)
    waiting = [int(row["session"]) for row in rows if row["state"] == "LOCK WAIT" and int(row["session"]) in appliers]
    held = {int(row["session"]) for row in rows if int(row["locked"]) and row["state"] != "LOCK WAIT"}
    if not waiting or len(held) != 1 or held & appliers:
        return {}
    return {session: dict.fromkeys(held, "row locks, the only ones there are") for session in waiting}


def holders(appliers: frozenset[int], *edges: Edges) -> Mapping[int, str]:
    """Who holds up any of the appliers, directly or through others that wait themselves; appliers left out."""
    found: dict[int, str] = {}
    seen: set[int] = set()
    front = set(appliers)
    while front:
        session = front.pop()
        seen.add(session)
        for part in edges:
            for holder, what in part.get(session, {}).items():
                if holder not in appliers:
                    found.setdefault(holder, what)
                if holder not in seen:
                    front.add(holder)
    return found


def _holds_up(wanted: str, held: str, *, granted: bool) -> bool:
    conflicts = wanted not in _CONFLICTS or held in _CONFLICTS[wanted]
    return conflicts and (granted or (held in _FIRST and wanted not in _FIRST))


def _named(row: Row) -> str:
    kind = str(row["kind"])
    place = ".".join(str(row[key]) for key in ("db", "name") if row[key])
    return _NAMES.get(kind, f"a lock on {kind.lower()} {place}".rstrip())
