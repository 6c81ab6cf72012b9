"""What the manager's account must be granted, and why: a table, the statements made of it, and what a server lacks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MISSING_GRANT: Final = "missing-grant"
UNREAD_GRANTS: Final = "unread-grants"
ALL_GRANTED: Final = "all-granted"
ABOUT_GRANTS: Final = frozenset({MISSING_GRANT, UNREAD_GRANTS, ALL_GRANTED})
ACCOUNT_HOST: Final = "%"

_GRANT: Final = re.compile(r"GRANT (?P<privileges>.+?) ON (?P<object>\S+) TO ", re.IGNORECASE)
_COLUMNS: Final = re.compile(r"\([^)]*\)")
_EVERYTHING: Final = frozenset({"ALL", "ALL PRIVILEGES"})
_PERFORMANCE_SCHEMA: Final = "performance_schema.*"
DONOR: Final = "giving its data to a clone"
RECIPIENT: Final = "being overwritten by a clone"


@dataclass(frozen=True, slots=True)
class Privilege:
    """One row: a privilege, what it is granted on, what it is for, and whether a failover can do without it."""

    name: str
    on: str
    used_for: str
    needed: bool = True

    @property
    def key(self) -> str:
        """How the set of held privileges names it."""
        return self.name if self.on == "*.*" else f"{self.name} ON {self.on}"


PRIVILEGES: Final = (
    Privilege("REPLICATION CLIENT", "*.*", "reading the state of replication"),
    Privilege("REPLICATION SLAVE", "*.*", "listing replicas and log events"),
    Privilege("RELOAD", "*.*", "removing a channel"),
    Privilege("PROCESS", "*.*", "naming sessions that hold up the applier", needed=False),
    Privilege("REPLICATION_SLAVE_ADMIN", "*.*", "stopping, changing and starting replication"),
    Privilege("SYSTEM_VARIABLES_ADMIN", "*.*", "closing and opening a server for writes"),
    Privilege("CONNECTION_ADMIN", "*.*", "ending client sessions and staying connected in offline mode"),
    Privilege("XA_RECOVER_ADMIN", "*.*", "seeing prepared transactions that can still commit on a closed server"),
    Privilege("SYSTEM_USER", "*.*", "ending an applier that sits in a half-received transaction"),
    Privilege("SELECT", _PERFORMANCE_SCHEMA, "reading heartbeats and the errors of single workers"),
)


# Only where servers are cloned; accounts are the same on all of them, so each may become donor and recipient.
FOR_CLONE: Final = (
    Privilege("BACKUP_ADMIN", "*.*", DONOR, needed=False),
    Privilege("CLONE_ADMIN", "*.*", RECIPIENT, needed=False),
)


def for_clone(part: str) -> tuple[Privilege, ...]:
    """What one part in a clone needs beside the table; DONOR or RECIPIENT."""
    return tuple(privilege for privilege in FOR_CLONE if privilege.used_for == part)


def rows_for(clones: bool) -> tuple[Privilege, ...]:
    """What is wanted in a cluster whose manager clones servers by itself, or does not."""
    return (*PRIVILEGES, *FOR_CLONE) if clones else PRIVILEGES


def statements(user: str, rows: tuple[Privilege, ...] = PRIVILEGES) -> tuple[str, ...]:
    """The statements that grant everything in these rows; the account's host is for people to narrow."""
    account = f"'{user}'@'{ACCOUNT_HOST}'"
    made = []
    for on, newer in (("*.*", False), ("*.*", True), (_PERFORMANCE_SCHEMA, False)):
        names = ", ".join(p.name for p in rows if p.on == on and dynamic(p.name) is newer)
        made.append(f"GRANT {names} ON {on} TO {account};")
    return tuple(made)


def dynamic(privilege: str) -> bool:
    """Whether it is one of the newer privileges, which SHOW GRANTS and careful people keep on a line of their own."""
    return "_" in privilege


def held(rows: Iterable[str]) -> frozenset[str]:
    """The privileges that the lines of SHOW GRANTS give; those on other objects than everything with their object."""
    found: set[str] = set()
    for row in rows:
        grant = _GRANT.match(row)
        if grant is None:
            continue
        on = grant["object"].replace("`", "")
        for privilege in _COLUMNS.sub("", grant["privileges"]).split(","):
            name = privilege.strip().upper()
            found.add(name if on == "*.*" else f"{name} ON {on}")
    return frozenset(found)


def lacking(having: frozenset[str], rows: tuple[Privilege, ...] = PRIVILEGES) -> tuple[Privilege, ...]:
    """The rows that a set of held privileges does not cover; a privilege on everything covers each part."""
    everything = bool(having & _EVERYTHING)
    return tuple(
        p for p in rows if p.key not in having and p.name not in having and not (everything and not dynamic(p.name))
    )
