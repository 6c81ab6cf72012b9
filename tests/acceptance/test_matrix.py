"""The active manager is killed or frozen at every step of a failover, and the standby ends it.

Here each step once with each; `make matrix` runs every cell.
"""

from __future__ import annotations

import os

import pytest

from tests.acceptance.conftest import LabFactory
from tests.acceptance.interruptions import MOMENTS, RECORDS, SETTINGS, STEPS, Interrupted
from tests.acceptance.rehearsal import rehearsal

EVERY = bool(os.environ.get("FAILOVERD_MATRIX"))
# A subset that meets every step with both: before it for one half, after it for the other, turned round for the other
# way to strike.
SIDES = ("before", "after")
COVERING = {
    verb: (
        *(f"{SIDES[(number + turn) % 2]}:{step}" for number, step in enumerate(STEPS)),
        RECORDS[1],
        RECORDS[2 + turn],
    )
    for turn, verb in enumerate(("kill", "stop"))
}
# What a frozen manager has written before it was frozen is no freeze in an operation.
CELLS = {verb: MOMENTS[:-1] if verb == "stop" else MOMENTS for verb in COVERING} if EVERY else COVERING
HALVES = [(verb, half) for verb in COVERING for half in (0, 1)]


@pytest.mark.timeout(1500 if EVERY else 600)
@pytest.mark.parametrize(("verb", "half"), HALVES)
def test_the_standby_ends_what_the_active_manager_began(lab: LabFactory, verb: str, half: int) -> None:
    with rehearsal(lab(settings=SETTINGS)) as play:
        rounds = Interrupted(play)
        rounds.begin()
        for moment in CELLS[verb][half::2]:
            shown = rounds.round(verb, moment)
            assert shown["fenced"]["how"] != "UNFENCED", moment


def test_the_cells_meet_every_step_with_both() -> None:
    for verb in COVERING:
        assert {moment.partition(":")[2] for moment in CELLS[verb]} >= set(STEPS)
