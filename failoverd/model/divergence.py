"""Transactions that a server has made for itself: what they changed, who was told of them, where they are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from failoverd.gtid import GtidSet

# What a column holds; bytes where its kind or its character set is not known to us.
Value = int | float | str | bytes | None
Row = tuple[tuple[str, Value], ...]


class Act(StrEnum):
    """What was done to a row."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """One row that a transaction has changed: its columns by name, before and after; `key` are those that name it."""

    act: Act
    schema: str
    table: str
    before: Row = ()
    after: Row = ()
    key: Row = ()


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction out of a binary log; `at` is wall-clock seconds, `problem` why a part of it is not shown."""

    gtid: str
    at: float | None
    statements: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of a table in their order, and those of its primary key; empty where nobody could say it."""

    columns: tuple[str, ...] = ()
    key: tuple[str, ...] = ()


Shapes = Callable[[str, str], Shape]  # schema and table


class Clash(StrEnum):
    """What stands on the new primary against making a change there."""

    NONE = "none"
    DONE = "done-already"  # the row is as the change would leave it
    MISSING = "missing"  # there is no row with this key
    DIFFERS = "differs"  # somebody else has changed the row since
    UNKNOWN = "unknown"  # the table has no primary key, or may not be read


class Told(StrEnum):
    """Whether a client was told that its transaction is committed."""

    ACKNOWLEDGED = "acknowledged"
    NOT_ACKNOWLEDGED = "not-acknowledged"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of these transactions' acknowledgement, and by which evidence."""

    gtids: GtidSet
    told: Told
    why: str


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What is to be kept: the transactions of one server, under the name of an operation, with what is known of them.

    `primary` is the server whose tables tell the names of columns, `most_bytes` how large the raw log may be; 0: any.
    """

    cluster: str
    server: str
    gtids: GtidSet
    operation: str
    primary: str
    judged: tuple[Judged, ...] = ()
    most_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Exported:
    """What was kept, on this host's disk for good: `lacking` is what the log did not give, `problems` say why."""

    folder: str
    gtids: GtidSet
    transactions: int
    lacking: GtidSet = field(default_factory=GtidSet)
    problems: tuple[str, ...] = ()


class Cure(StrEnum):
    """What a person wants done about transactions that only one server has, on the primary."""

    INJECT = "inject-empty"  # each gets an empty one of the same name: what it did stays on that server alone
    REPLAY = "replay"  # their rows are changed there by new transactions


@dataclass(frozen=True, slots=True)
class Resolution:
    """A person's word about exactly these transactions."""

    cure: Cure
    gtids: GtidSet
