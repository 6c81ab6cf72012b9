"""Whole hosts and what runs beside mysqld on them: sshd dead or frozen, a manager's host lost with the primary's, a
disk of a replica that is full, links that are cut or come and go. One writable server, nothing lost.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from failoverd.lab import keeping, network
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import (
    MANAGERS,
    NOTHING_LOST,
    PATIENCE,
    Rehearsal,
    ends_of,
    eventually,
    executed,
    inside,
    prepared,
    rehearsal,
    writable,
)


def level(play: Rehearsal) -> None:
    """The client rests, and every replica has all that the primary has."""
    play.writer.pause()
    wanted = executed(play.lab, play.primary)
    for replica in play.replicas():
        eventually(
            lambda replica=replica: inside(play.lab, replica, wanted),  # type: ignore[misc]
            bool,
            f"{replica} with all that {play.primary} has",
        )


def without_sshd(play: Rehearsal, server: str, number: int) -> int:
    """Kill or freeze that host's sshd and end its open connections; its process number."""
    host = play.lab.hosts[server]
    pid = keeping.service_pid(host, "sshd")
    if number == signal.SIGSTOP:
        os.kill(pid, number)
    else:
        keeping.ask(host, "stop", service="sshd", signal=number)  # else the lab would start it again
    for one in network.inhabitants(host.namespace):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if one != pid and Path(f"/proc/{one}/comm").read_text(encoding="utf-8").startswith("sshd"):
                os.kill(one, signal.SIGKILL)
    return pid


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["dead", "frozen"])
def test_without_sshd_on_the_primary_and_a_replica_mysql_alone_decides(lab: LabFactory, number: int) -> None:
    with rehearsal(lab()) as play:
        play.begin()
        level(play)
        pids = [without_sshd(play, server, number) for server in ("db1", "db2")]
        for server in ("db1", "db2"):
            eventually(lambda server=server: play.problems(server), lambda p: "agent" in p, f"no agent of {server}")  # type: ignore[misc]
        play.kill_primary()
        play.writer.resume()
        shown = play.ended()
        elect = str(shown["new_primary"])
        assert shown["fenced"] == {"server": "db1", "how": "UNFENCED"}
        assert (shown["lost"]["transactions"], shown["lost"]["at_least"]) == (0, True), "nobody read its logs"
        (other,) = set(play.replicas()) - {elect}
        play.settled(elect, (other,))
        if number == signal.SIGSTOP:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


def test_a_primary_and_the_active_manager_on_one_host_that_is_lost(lab: LabFactory) -> None:
    with rehearsal(lab()) as play:
        status = play.begin()
        active = str(status["active_manager"])
        level(play)
        play.lab.fault.poweroff(active)
        play.lab.fault.poweroff("db1")
        play.writer.resume()
        shown = play.ended()
        assert shown["epoch"] > status["epoch"], "the other manager acted"
        elect = str(shown["new_primary"])
        (other,) = set(play.replicas()) - {elect}
        play.settled(elect, (other,))


def test_a_replica_whose_disk_is_full_is_passed_over_and_comes_back(lab: LabFactory) -> None:
    with rehearsal(lab()) as play:
        play.begin()
        play.lab.fault.fill_disk("db2")
        play.go_on(100)
        eventually(lambda: play.problems("db2"), lambda p: "disk" in p, "the full disk of db2 in the status")
        play.kill_primary()
        shown = play.ended()
        assert (shown["new_primary"], shown["lost"]) == ("db3", NOTHING_LOST)
        play.lab.fault.heal()
        play.settled("db3", ("db2",))


def test_a_replica_that_cannot_reach_the_elect_follows_when_it_can(lab: LabFactory) -> None:
    with rehearsal(prepared(lab, never="db3", supervised=False)) as play:
        play.begin()
        play.lab.fault.cut("db2", "db3")
        play.kill_primary()
        shown = play.ended()
        assert (shown["new_primary"], shown["lost"]) == ("db2", NOTHING_LOST)
        attached, problem = ends_of(shown)["db3"]
        assert (attached, bool(problem)) == (False, True)
        assert play.problems("db3")
        play.lab.fault.heal()
        play.settled("db2", ("db3",))
        assert len(play.operations()) == 1


def test_a_new_primary_whose_link_comes_and_goes_is_not_replaced_again(lab: LabFactory) -> None:
    with rehearsal(lab()) as play:
        play.begin()
        play.kill_primary()
        elect = str(play.ended()["new_primary"])
        for _ in range(2):
            play.lab.fault.link(elect, up=False)
            play.managers.wait_for(
                "a dead primary that is left alone",
                lambda s: s["verdict"] == "primary-dead" and "cooldown" in {r["id"] for r in s["refusals"]},
                PATIENCE,
            )
            play.lab.fault.link(elect, up=True)
            play.managers.wait_for("a healthy one", lambda s: s["verdict"] == "healthy", PATIENCE)
            play.go_on(20)
        (other,) = set(play.replicas()) - {elect}
        play.settled(elect, (other,))
        assert len(play.operations()) == 1


def test_the_half_with_most_of_zookeeper_sees_its_primary_and_does_nothing(lab: LabFactory) -> None:
    with rehearsal(lab(zookeepers=3)) as play:
        status = play.begin()
        active = str(status["active_manager"])
        (other,) = set(MANAGERS) - {active}
        few, most = (active, "db2", "zk1"), (other, "db1", "db3", "zk2", "zk3")
        for one in few:
            for another in most:
                play.lab.fault.cut(one, another)

        def kept() -> Mapping[str, Any]:
            return play.managers.kept(other)

        now = eventually(kept, lambda s: s.get("active_manager") == other, f"{other} active")
        assert now["epoch"] > status["epoch"]
        play.go_on(100)
        eventually(kept, lambda s: (s["primary"], s["verdict"]) == ("db1", "healthy"), "a healthy db1")
        assert writable(play.lab) == ("db1",)
        play.lab.fault.heal()
        play.managers.wait_for("db2 back", lambda s: all(one["reachable"] for one in s["servers"]), PATIENCE)
        play.quiet(turns=1)
