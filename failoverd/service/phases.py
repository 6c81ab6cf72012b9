"""The states of a manager towards one cluster, as a table. An event that is not in the table is an error and changes
nothing.
"""

from __future__ import annotations

from enum import StrEnum

from failoverd.model.errors import InvariantBroken


class Phase(StrEnum):
    """What this manager is doing for one cluster."""

    STANDBY = "standby"  # another manager is active, or nobody is yet
    WATCHING = "watching"  # active, and the primary answers
    SUSPECTING = "suspecting"  # active, and the primary does not answer
    OPERATING = "operating"  # an operation is open
    HALTED = "halted"  # an operation needs a person; nothing is done by itself any more


class Event(StrEnum):
    """What can happen to it."""

    LOCK_WON = "lock-won"
    LOCK_LOST = "lock-lost"
    PRIMARY_SEEN = "primary-seen"
    PRIMARY_MISSED = "primary-missed"
    OPERATION_OPENED = "operation-opened"
    OPERATION_CLOSED = "operation-closed"
    OPERATION_LEFT = "operation-left"  # it stays open, and is taken up again
    PERSON_NEEDED = "person-needed"


TABLE: dict[Phase, dict[Event, Phase]] = {
    Phase.STANDBY: {
        Event.LOCK_WON: Phase.WATCHING,
        Event.LOCK_LOST: Phase.STANDBY,
    },
    Phase.WATCHING: {
        Event.PRIMARY_SEEN: Phase.WATCHING,
        Event.PRIMARY_MISSED: Phase.SUSPECTING,
        Event.OPERATION_OPENED: Phase.OPERATING,
        Event.LOCK_LOST: Phase.STANDBY,
    },
    Phase.SUSPECTING: {
        Event.PRIMARY_SEEN: Phase.WATCHING,
        Event.PRIMARY_MISSED: Phase.SUSPECTING,
        Event.OPERATION_OPENED: Phase.OPERATING,
        Event.LOCK_LOST: Phase.STANDBY,
    },
    Phase.OPERATING: {
        Event.OPERATION_CLOSED: Phase.WATCHING,
        Event.OPERATION_LEFT: Phase.WATCHING,
        Event.PERSON_NEEDED: Phase.HALTED,
        Event.LOCK_LOST: Phase.STANDBY,
    },
    Phase.HALTED: {
        Event.PRIMARY_SEEN: Phase.HALTED,
        Event.PRIMARY_MISSED: Phase.HALTED,
        Event.OPERATION_OPENED: Phase.OPERATING,
        Event.LOCK_LOST: Phase.STANDBY,
    },
}


def after(phase: Phase, event: Event) -> Phase:
    """The phase that follows; InvariantBroken for an event that cannot happen there."""
    try:
        return TABLE[phase][event]
    except KeyError:
        raise InvariantBroken(
            f"a manager that is {phase} cannot meet {event}", "service/phases.py has no such row"
        ) from None
