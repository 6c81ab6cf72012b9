"""Without ZooKeeper: a second host with the same configuration takes nothing from a manager that is at work."""

from __future__ import annotations

from failoverd.drivers.failpoint import VARIABLE
from failoverd.lab import Lab
from failoverd.lab.processes import state
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import NOTHING_LOST, PATIENCE, eventually, rehearsal, writable


def holders(lab: Lab, *servers: str) -> list[object]:
    """Which session holds the session lock of each server."""
    return [lab.sql(server, "SELECT IS_USED_LOCK('failoverd/shop')")[0][0] for server in servers]


def test_a_command_on_another_host_takes_no_server_from_a_manager_in_mid_operation(lab: LabFactory) -> None:
    with rehearsal(lab(zookeepers=0, managers=2), at="mgr1") as play:
        process = play.managers.start("mgr1", {VARIABLE: "stop after:StopReceiver"})
        play.managers.wait_ready(standbys=0, timeout=PATIENCE)
        play.write()
        play.kill_primary()
        eventually(lambda: state(process.pid), lambda now: now == "T", "a manager that stands still")
        before = holders(play.lab, "db2", "db3")
        assert None not in before
        argv = play.lab.manager_argv("mgr2", "failover", "shop", "--yes", "--override", "blind", "--json")
        answer = play.lab.call_in("mgr2", argv, deadline=60.0)
        assert answer.returncode != 0, answer
        assert "another manager" in answer.stderr, answer
        assert holders(play.lab, "db2", "db3") == before
        assert writable(play.lab) == ()
        play.managers.kill("mgr1")
        play.managers.start("mgr1")  # the same host and folder: its own sessions are taken over
        shown = play.ended()
        elect = shown["new_primary"]
        (other,) = set(play.replicas()) - {elect}
        play.settled(elect, (other,))
        assert shown["lost"] == NOTHING_LOST
