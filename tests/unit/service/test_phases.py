"""The manager's state table: complete, and an impossible event changes nothing."""

from __future__ import annotations

import itertools

import pytest

from failoverd.model.errors import InvariantBroken
from failoverd.service.phases import TABLE, Event, Phase, after

# What cannot happen, row by row: an event that is neither here nor in the table has been forgotten.
IMPOSSIBLE: dict[Phase, set[Event]] = {
    Phase.STANDBY: {
        Event.PRIMARY_SEEN,
        Event.PRIMARY_MISSED,
        Event.OPERATION_OPENED,
        Event.OPERATION_CLOSED,
        Event.OPERATION_LEFT,
        Event.PERSON_NEEDED,
    },
    Phase.WATCHING: {Event.LOCK_WON, Event.OPERATION_CLOSED, Event.OPERATION_LEFT, Event.PERSON_NEEDED},
    Phase.SUSPECTING: {Event.LOCK_WON, Event.OPERATION_CLOSED, Event.OPERATION_LEFT, Event.PERSON_NEEDED},
    Phase.OPERATING: {Event.LOCK_WON, Event.PRIMARY_SEEN, Event.PRIMARY_MISSED, Event.OPERATION_OPENED},
    Phase.HALTED: {Event.LOCK_WON, Event.OPERATION_CLOSED, Event.OPERATION_LEFT, Event.PERSON_NEEDED},
}


@pytest.mark.parametrize(("phase", "event"), list(itertools.product(Phase, Event)))
def test_every_pair_is_in_the_table_or_impossible(phase: Phase, event: Event) -> None:
    assert (event in TABLE[phase]) != (event in IMPOSSIBLE[phase])


@pytest.mark.parametrize("phase", list(Phase))
def test_a_lost_lock_leads_to_standby_from_everywhere(phase: Phase) -> None:
    assert after(phase, Event.LOCK_LOST) is Phase.STANDBY


def test_an_impossible_event_is_an_error() -> None:
    with pytest.raises(InvariantBroken, match="standby cannot meet operation-opened"):
        after(Phase.STANDBY, Event.OPERATION_OPENED)


def test_halted_is_left_only_by_an_operation_or_the_lock() -> None:
    left = {event for event, phase in TABLE[Phase.HALTED].items() if phase is not Phase.HALTED}
    assert left == {Event.OPERATION_OPENED, Event.LOCK_LOST}
