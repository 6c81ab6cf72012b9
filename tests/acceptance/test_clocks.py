"""A clock that jumps: set by an hour it changes nothing, and a manager that was suspended has lost its lock.

The jumps are put in where a manager reads its clocks. Of these a suspend moves the one that goes on meanwhile
(CLOCK_BOOTTIME), and not the one that the kernel measures waiting by.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import MANAGERS, PATIENCE, Rehearsal, eventually, rehearsal

HOUR = 3600
# Read by Python before anything else.
PUT_IN = """
from datetime import timedelta
from pathlib import Path
from failoverd.drivers.clock import SystemClock
here = Path(__file__).parent
wall, now = SystemClock.wall, SystemClock.now
SystemClock.wall = lambda self: wall(self) + timedelta(seconds=int((here / "wall").read_text()))
SystemClock.now = lambda self: now(self) + int((here / "now").read_text())
"""


class Clocks:
    """The two clocks of one manager, off by some seconds."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.set("wall", 0)
        self.set("now", 0)
        (folder / "sitecustomize.py").write_text(PUT_IN, encoding="utf-8")

    def set(self, clock: str, seconds: int) -> None:
        """Let it be that much later than it is."""
        new = self.folder / "new"
        new.write_text(str(seconds), encoding="utf-8")
        new.replace(self.folder / clock)


def begun(play: Rehearsal, folder: Path) -> tuple[str, Clocks]:
    """Both managers with clocks of their own, and a client that writes; the active one."""
    clocks = {name: Clocks(folder / name) for name in MANAGERS}
    for name, one in clocks.items():
        play.managers.start(name, {"PYTHONPATH": str(one.folder)})
    status = play.managers.wait_ready(standbys=1, timeout=PATIENCE)
    play.write()
    active = str(status["active_manager"])
    return active, clocks[active]


def failed_over(play: Rehearsal) -> None:
    """The primary is killed, and all is as it must be afterwards."""
    play.kill_primary()
    shown = play.ended()
    assert shown["lost"]["transactions"] == 0
    play.settled(shown["new_primary"], tuple(set(play.replicas()) - {shown["new_primary"]}))


@pytest.mark.parametrize("hours", [-1, 1], ids=["back", "on"])
def test_a_time_of_day_set_by_an_hour_fails_nobody_over_and_holds_nothing_up(
    lab: LabFactory, tmp_path: Path, hours: int
) -> None:
    with rehearsal(lab()) as play:
        active, clocks = begun(play, tmp_path)
        clocks.set("wall", hours * HOUR)
        play.quiet()
        assert play.managers.status()["active_manager"] == active, "a lock has nothing to do with the time of day"
        failed_over(play)


def test_a_manager_that_was_suspended_has_lost_its_lock_and_nobody_is_failed_over(
    lab: LabFactory, tmp_path: Path
) -> None:
    with rehearsal(lab()) as play:
        _, clocks = begun(play, tmp_path)
        epoch = play.managers.status()["epoch"]
        clocks.set("now", HOUR)
        eventually(play.managers.status, lambda s: s["epoch"] > epoch and s["active_manager"], "a new lock")
        play.quiet()
        failed_over(play)
