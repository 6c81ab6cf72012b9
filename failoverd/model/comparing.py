"""Tables that a person wants compared after an attaching: their names, what one side says, and the step."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from failoverd.gtid import GtidSet
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.stage import Stage

# A sample: each is read whole on two servers, while the operation stays open.
MOST_TABLES = 20
# What every server keeps for itself differs, and means nothing.
OWN_SCHEMAS = frozenset({"mysql", "sys", "information_schema", "performance_schema"})
_NAME = re.compile(r"([\w$-]{1,64})\.([\w$-]{1,64})")


def parted(name: str) -> tuple[str, str]:
    """Schema and table of `schema.table`; ValueError for anything else, and for schemas of the server's own."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise ValueError(f"{name!r} is no table: say schema.table")
    if found[1].lower() in OWN_SCHEMAS:
        raise ValueError(f"{name} is each server's own: there is nothing to compare")
    return found[1], found[2]


@dataclass(frozen=True, slots=True)
class TableSum:
    """What a server says of one table: its checksum, None where it has no such table, and what it had executed before
    and after that was read. `problem` is why it could not be asked.
    """

    before: GtidSet = field(default_factory=GtidSet)
    after: GtidSet = field(default_factory=GtidSet)
    checksum: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CompareTable:
    """Compare one table of a server that was attached with the primary's, at the same executed set, within so many
    seconds.
    """

    server: str
    primary: str
    table: str
    seconds: float
    stage = Stage.VERIFY

    def title(self) -> str:
        """What it does, for people."""
        return f"compare {self.table} of {self.server} with {self.primary}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Nothing that was seen before counts: it looks for itself."""
        return False
