"""What is published of a cluster, for whoever looks at no server and holds no lock: with its age, and with what is
wrong with it as news.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from failoverd.model.documents import word
from failoverd.model.errors import CoordinationError
from failoverd.model.status import with_pauses
from failoverd.ports import Clock, Coordination
from failoverd.service.board import FRESH

Document = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Reading:
    """One cluster's news: the document that was published last (None before there was any), its age in seconds (None
    where it bears no time), what people must know of it in sentences, and the operation that is open with its journal.
    """

    cluster: str
    document: Document | None
    age: float | None
    warnings: tuple[str, ...]
    operation: Document | None = None

    @property
    def fresh(self) -> bool:
        """Whether it says something about now."""
        return self.document is not None and not self.warnings


@dataclass(frozen=True, slots=True)
class Sources:
    """Where it is read: coordination, and `kept`, what this host itself knows of a cluster: the status that its manager
    wrote, or that was read before.
    """

    coordination: Coordination
    clock: Clock
    kept: Callable[[str], Document | None]


def read(sources: Sources, cluster: str) -> Reading:
    """The last published status, as coordination has it; where that cannot be asked, as this host kept it."""
    asked, active, away = None, None, None
    try:
        asked, active = sources.coordination.status(cluster), sources.coordination.holder(cluster)
    except CoordinationError as error:
        away = error
    document = asked if asked is not None else sources.kept(cluster)
    operation = open_one(sources.coordination, cluster)
    age = age_of(document, sources.clock) if document is not None else None
    told = tuple(warned(document, active, away, age, busy=operation is not None))
    if document is not None and away is None:
        document = completed(sources.coordination, cluster, document, active)
    return Reading(cluster, document, age, told, operation)


def open_one(coordination: Coordination, cluster: str) -> Document | None:
    """The operation without an end, with its steps so far; None where there is none, or nobody can be asked."""
    with contextlib.suppress(CoordinationError):
        open_id = coordination.open_operation(cluster)
        return coordination.operation(open_id) if open_id else None
    return None


def completed(coordination: Coordination, cluster: str, document: Document, active: str | None) -> Document:
    """The document with what coordination knows better than whoever published it."""
    with contextlib.suppress(CoordinationError):
        told = with_pauses(document, coordination.pauses(cluster))
        standby = list(coordination.contenders(cluster))
        return {**told, "active_manager": active, "standby_managers": standby}
    return document


def age_of(document: Document, clock: Clock) -> float | None:
    """Seconds since the look that it tells of, by this host's time of day; never below zero, None where it tells of
    none.
    """
    try:
        seen = datetime.fromisoformat(word(document, "seen"))
    except ValueError:
        return None
    return max(0.0, clock.wall().timestamp() - seen.timestamp())


def warned(
    document: Document | None, active: str | None, away: CoordinationError | None, age: float | None, *, busy: bool
) -> list[str]:
    """What people must know before they believe the document."""
    told = []
    if away is not None:
        told.append(f"{away.what}: what is shown is what this host saw last" if document else str(away.what))
    elif active is None:
        told.append("No active manager: nobody acts when this primary dies")
    elif document is not None and document.get("active_manager") != active:
        told.append(f"{active} has taken over and has not told of its first look yet")
    if document is None:
        told.append("Nobody has published anything about this cluster yet" if away is None else "Nothing is known here")
    elif age is None or (age > FRESH and not busy):
        told.append("Old news: it says nothing about now" if age is None else f"Old news: it was seen {age:.0f} s ago")
    return told
