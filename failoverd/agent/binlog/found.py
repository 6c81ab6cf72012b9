"""What the walk over a log file finds, and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from failoverd.agent.faults import Fault
    from failoverd.gtid import GtidSet

START = 4
"""Where the first event of a file stands: behind the magic."""


class Transaction(NamedTuple):
    """One whole transaction: bytes [start, end) of its file; uuid is "" and number 0 for an anonymous one."""

    uuid: str
    tag: str
    number: int
    start: int
    end: int


@dataclass(frozen=True)
class Torn:
    """Where a file stops making whole transactions: the offset from which on bytes are left over, and how many."""

    file: str
    offset: int
    bytes: int

    def as_json(self) -> dict[str, object]:
        """For replies."""
        return {"file": self.file, "offset": self.offset, "bytes": self.bytes}


class Damage(NamedTuple):
    """A transaction whose beginning is sound and whose rest is not; `uuid` is "" for an anonymous one."""

    uuid: str
    tag: str
    number: int
    fault: Fault


class State:
    """How far a walk has come: everything before `position` is read, and a later walk can go on from there.

    `description` is the format description that governs what follows, `previous` the set of PREVIOUS_GTIDS (None until
    one was read), `in_use` the mark of a file that was not closed, `halves` the offsets of transactions that never end,
    `damage` the transactions that a verifying walk has left out.
    """

    def __init__(self) -> None:
        self.position = START
        self.checksums = False
        self.description = b""
        self.previous: GtidSet | None = None
        self.in_use = False
        self.anonymous = 0
        self.halves: list[int] = []
        self.damage: list[Damage] = []

    def again(self) -> State:
        """A state that stands at the same place, for another walk over what follows."""
        other = State()
        other.position, other.checksums, other.description = self.position, self.checksums, self.description
        return other
