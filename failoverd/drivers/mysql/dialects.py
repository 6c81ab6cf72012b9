"""What differs between the versions of MySQL, as a table of values.

From 8.0.26 on all statements failoverd sends, and all columns it reads, have their new names; what is older is refused.
SHOW SLAVE STATUS, STOP SLAVE and CHANGE MASTER, gone in 8.4, are therefore nowhere needed. What differs without being
named (a new channel of version 9 uses TLS unasked) is always named by us.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from failoverd.model.errors import ServerError

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Dialect:
    """One family of versions: its name, and the first version that speaks it."""

    name: str
    since: tuple[int, int, int]


MYSQL_80 = Dialect("MySQL 8.0", (8, 0, 26))
MYSQL_84 = replace(MYSQL_80, name="MySQL 8.4", since=(8, 1, 0))
MYSQL_9 = replace(MYSQL_84, name="MySQL 9", since=(9, 0, 0))
DIALECTS = (MYSQL_9, MYSQL_84, MYSQL_80)


def dialect_of(version: str) -> Dialect:
    """The dialect of a server's version text; numbers decide, calendar versions follow 9.7.

    ServerError for what is too old, and for MariaDB, whose GTIDs are of another kind.
    """
    match = _VERSION.match(version)
    if match and "mariadb" not in version.lower():
        numbers = tuple(int(part) for part in match.groups())
        for dialect in DIALECTS:
            if numbers >= dialect.since:
                return dialect
    raise ServerError(f"version {version} is not supported", "", "failoverd needs MySQL 8.0.26 or later")
