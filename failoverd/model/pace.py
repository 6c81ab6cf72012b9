"""How fast a server applies and how large its transactions are, measured from what was watched over the last minutes.

A replica that has nothing to do shows only how fast its source writes: what it can do is seen while it has a backlog.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from failoverd.model.sight import ServerState

# Transactions a second that an applier runs, on durable settings, where nothing was measured.
USUAL_RATE = 900.0
# Seconds between two marks, and how many are kept: five minutes.
EVERY = 5.0
KEPT = 60


@dataclass(frozen=True, slots=True)
class Mark:
    """One moment of a replica: how much it had executed and received, whether it lagged behind what it had, and where
    its receiver stood in its source's logs; our clock's seconds.
    """

    at: float
    executed: int
    received: int
    busy: bool
    file: str
    position: int


@dataclass(frozen=True, slots=True)
class Pace:
    """What a plan reckons with: transactions a second and bytes of a transaction, None where nobody knows."""

    rate: float | None = None
    bytes_each: float | None = None


UNKNOWN = Pace()


@dataclass(frozen=True, slots=True)
class Track:
    """The marks of one server, oldest first, and what they show: reckoned with each mark, asked for with each look."""

    server_uuid: str = ""
    marks: tuple[Mark, ...] = ()
    pace: Pace = UNKNOWN

    def after(self, state: ServerState) -> Track:
        """With one more mark if it is time; another server there begins anew."""
        known = self.marks if self.server_uuid == state.server_uuid else ()
        channel = state.main
        if channel is None or (known and state.read_at - known[-1].at < EVERY):
            return self if known or not self.marks else Track(state.server_uuid)
        mark = Mark(
            at=state.read_at,
            executed=len(state.executed),
            received=len(channel.received),
            busy=not channel.received <= state.executed,
            file=channel.source_file,
            position=channel.source_position,
        )
        marks = (*known, mark)[-KEPT:]
        return Track(state.server_uuid, marks, measured(marks))


def measured(marks: tuple[Mark, ...]) -> Pace:
    """What marks show. Without a backlog the fastest stretch counts, where it is faster than usual: it could do it."""
    steps = [(a, b) for a, b in pairwise(marks) if b.at > a.at and b.executed >= a.executed]
    busy = [(a, b) for a, b in steps if a.busy and b.busy and b.executed > a.executed]
    fastest = max(((b.executed - a.executed) / (b.at - a.at) for a, b in steps), default=0.0)
    rate = fastest if fastest > USUAL_RATE else None
    if busy:
        rate = sum(b.executed - a.executed for a, b in busy) / sum(b.at - a.at for a, b in busy)
    return Pace(rate, bytes_each(steps))


def bytes_each(steps: Iterable[tuple[Mark, Mark]]) -> float | None:
    """Bytes of a source's log for each transaction that came in, over stretches within one file."""
    same = [(a, b) for a, b in steps if a.file == b.file and b.received > a.received and b.position > a.position]
    count = sum(b.received - a.received for a, b in same)
    return sum(b.position - a.position for a, b in same) / count if count else None
