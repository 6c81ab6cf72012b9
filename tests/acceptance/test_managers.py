"""Managers that die, freeze and stop: one of them is always there, and never two of them act."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

from failoverd.lab.managers import armed
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import MANAGERS, NOTHING_LOST, PATIENCE, Rehearsal, eventually, rehearsal, writable

# A lock must not move by itself here, whatever the machine is busy with: epochs are counted.
LONG_SESSION = {"zookeeper": {"session_timeout": "4s"}}


def roles(status: Mapping[str, Any]) -> tuple[str, str]:
    """The active manager and the one that stands by."""
    active = str(status["active_manager"])
    (standby,) = set(MANAGERS) - {active}
    return active, standby


def failed_over_by(play: Rehearsal, epoch: int) -> str:
    """A failover under that epoch that left nothing open and lost nothing; the new primary."""
    shown = play.ended()
    elect = str(shown["new_primary"])
    (other,) = set(play.replicas()) - {elect}
    play.settled(elect, (other,))
    assert shown["epoch"] == epoch
    assert shown["lost"] == NOTHING_LOST
    return elect


def active_is(play: Rehearsal, name: str) -> None:
    """The status names this manager."""
    play.managers.wait_for(f"{name} as active", lambda s: s["active_manager"] == name, PATIENCE)


def test_a_standby_that_is_killed_is_not_missed(lab: LabFactory) -> None:
    with rehearsal(lab(settings=LONG_SESSION)) as play:
        status = play.begin()
        active, standby = roles(status)
        play.managers.kill(standby)
        gone = play.managers.wait_for("a lone manager", lambda s: s["standby_managers"] == [], PATIENCE)
        assert (gone["active_manager"], gone["epoch"]) == (active, status["epoch"])
        play.quiet()
        play.kill_primary()
        failed_over_by(play, status["epoch"])


def test_the_standby_does_the_job_of_an_active_manager_that_was_killed(lab: LabFactory) -> None:
    with rehearsal(lab(settings=LONG_SESSION)) as play:
        status = play.begin()
        active, standby = roles(status)
        play.managers.kill(active)
        play.kill_primary()
        failed_over_by(play, status["epoch"] + 1)
        active_is(play, standby)


def test_a_primary_that_is_back_before_the_standby_takes_over_is_opened_again(lab: LabFactory) -> None:
    """The supervisor needs a tenth of a second, the lock of a dead manager at least a session time-out."""
    with rehearsal(lab(supervised=True)) as play:
        status = play.begin()
        active, standby = roles(status)
        play.managers.kill(active)
        play.kill_primary()
        shown = play.ended("reopen")
        assert (shown["new_primary"], shown["epoch"]) == ("db1", status["epoch"] + 1)
        assert shown["lost"] == NOTHING_LOST
        play.settled("db1", play.replicas())
        active_is(play, standby)


def test_a_manager_that_was_frozen_changes_nothing_when_it_wakes(lab: LabFactory) -> None:
    with rehearsal(lab(settings=LONG_SESSION)) as play:
        status = play.begin()
        active, standby = roles(status)
        play.managers.kill(active, signal.SIGSTOP)
        play.kill_primary()
        elect = failed_over_by(play, status["epoch"] + 1)
        before = play.untouched()
        play.managers.kill(active, signal.SIGCONT)
        back = play.managers.wait_for("both managers", lambda s: s["standby_managers"] == [active], PATIENCE)
        assert (back["active_manager"], back["epoch"], back["primary"]) == (standby, status["epoch"] + 1, elect)
        eventually(lambda: play.logged("lock lost", active), bool, "the woken manager's own word")
        assert play.untouched() == before
        assert writable(play.lab) == (elect,)
        assert len(play.operations()) == 1
        assert play.logged("operation opened", active) == []


def test_a_manager_that_is_told_to_stop_hands_over_before_its_session_ends(lab: LabFactory) -> None:
    with rehearsal(lab(settings=LONG_SESSION)) as play:
        status = play.begin()
        active, standby = roles(status)
        play.writer.pause()
        eventually(lambda: len({row[0] for row in sets(play)}), lambda n: n == 1, "quiet replicas")
        before = play.untouched()
        told_at = time.time()
        assert play.managers.end(active) == 0
        (won_at,) = eventually(lambda: play.logged("lock won", standby), bool, "the standby's turn")
        assert won_at - told_at < 2.5
        assert play.untouched() == before
        play.writer.resume()
        now = play.managers.wait_for(
            "the standby as active", lambda s: (s["active_manager"], s["verdict"]) == (standby, "healthy"), PATIENCE
        )
        assert (now["epoch"], now["primary"]) == (status["epoch"] + 1, "db1")
        play.quiet()


def sets(play: Rehearsal) -> list[tuple[object, ...]]:
    return [play.lab.sql(server, "SELECT @@GLOBAL.gtid_executed")[0] for server in play.lab.servers]


def test_of_three_managers_two_of_them_with_one_name_one_acts(lab: LabFactory) -> None:
    with rehearsal(lab(settings=LONG_SESSION)) as play:
        status = play.begin()
        active, standby = roles(status)
        twin = play.lab.run_in(standby, play.lab.manager_argv(active, "run"), stdout=DEVNULL, stderr=DEVNULL)
        try:
            three = play.managers.wait_for("three managers", lambda s: len(s["standby_managers"]) == 2, PATIENCE)
            assert (three["active_manager"], three["standby_managers"]) == (active, [standby, active])
            play.managers.kill(active)
            play.kill_primary()
            elect = failed_over_by(play, status["epoch"] + 1)
            play.managers.kill(standby)
            last = play.managers.wait_for("the twin as active", lambda s: s["active_manager"] == active, PATIENCE)
            assert (last["epoch"], last["primary"]) == (status["epoch"] + 2, elect)
            assert len(play.operations()) == 1
        finally:
            twin.terminate()
            twin.wait(timeout=15)


def test_a_full_disk_of_the_manager_stops_no_failover(lab: LabFactory) -> None:
    """What it cannot keep is its log, its copies of journals, and the status on its own host."""
    with rehearsal(lab(managers=1)) as play, Path("/dev/full").open("wb") as full:
        for name in ("state/copies", "run/shop"):
            place = play.lab.folder / "mgr1" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("where a folder ought to be")
        argv = play.lab.manager_argv("mgr1", "run")
        process = play.lab.run_in("mgr1", argv, stdout=full, stderr=full)
        try:
            play.managers.wait_for("a healthy cluster", lambda s: armed(s, 0), PATIENCE)
            play.write()
            play.kill_primary()
            (found,) = eventually(play.operations, lambda o: bool(o) and o[0]["ended"] is not None, "the end")
            assert (found["outcome"], found["lost"]) == ("done", NOTHING_LOST)
            elect = str(found["new_primary"])
            (other,) = set(play.replicas()) - {elect}
            play.settled(elect, (other,))
            assert process.poll() is None
        finally:
            process.terminate()
            process.wait(timeout=15)
