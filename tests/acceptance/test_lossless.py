"""Lossless mode on real servers: what a client was answered survives, and the next primary waits for replicas too."""

from __future__ import annotations

from typing import Any

import pytest

from failoverd.lab import Lab
from failoverd.lab.demo import parse
from failoverd.model.semisync import INFINITE
from tests.acceptance.conftest import LabFactory
from tests.acceptance.interruptions import SETTINGS as NO_COOLDOWN
from tests.acceptance.interruptions import Interrupted
from tests.acceptance.rehearsal import Rehearsal, ends_of, eventually, executed, inside, rehearsal, writable

NOTHING_LOST = {"transactions": 0, "gtids": "", "at_least": False}
SETTINGS = (
    "SELECT @@GLOBAL.rpl_semi_sync_source_enabled, @@GLOBAL.rpl_semi_sync_source_timeout,"
    " @@GLOBAL.rpl_semi_sync_source_wait_point, @@GLOBAL.rpl_semi_sync_source_wait_no_replica,"
    " @@GLOBAL.rpl_semi_sync_source_wait_for_replica_count"
)
LOSSLESS = (1, INFINITE, "AFTER_SYNC", 1, 1)


def semi_sync(lab: Lab, server: str, what: str) -> str:
    """One status value of semi-sync."""
    ((_, value),) = lab.sql(server, f"SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_{what}'")
    return str(value)


def waits_for(lab: Lab, primary: str, replicas: int) -> None:
    """The primary's commits wait without limit, and that many replicas acknowledge to it."""
    assert lab.sql(primary, SETTINGS) == (LOSSLESS,)
    eventually(lambda: semi_sync(lab, primary, "source_clients"), lambda n: n == str(replicas), "acknowledgers")
    assert semi_sync(lab, primary, "source_status") == "ON"


def problems(play: Rehearsal, server: str) -> set[str]:
    """The ids of what the status says is wrong with one server."""
    return set(play.problems(server))


def test_a_failover_keeps_semi_sync(lab: LabFactory) -> None:
    with rehearsal(lab(lossless=True)) as play:
        play.begin()
        waits_for(play.lab, "db1", 2)
        killed_at = play.kill_primary()
        shown = play.ended()
        elect = shown["new_primary"]
        (other,) = set(play.replicas()) - {elect}
        play.settled(elect, (other,))
        waits_for(play.lab, elect, 1)
        assert play.lab.sql(other, "SELECT @@GLOBAL.rpl_semi_sync_source_enabled") == ((0,),)
        assert shown["lost"] == NOTHING_LOST
        assert ends_of(shown)[other] == (True, None)
        titles = [step["title"] for step in shown["steps"] if step["outcome"] in {"done", "already"}]
        order = [
            f"let {other} acknowledge what it receives",
            f"let {other} follow {elect}",
            f"let the commits of {elect} wait for 1 replica",
            f"open {elect} for writes",
        ]
        assert [title for title in titles if title in order] == order
        assert parse(shown["writable"]) - killed_at < 10
        evidence: dict[str, Any] = {entry["kind"]: entry["body"] for entry in shown["entries"]}["acknowledgers"]
        assert evidence["possible"] == ["db2", "db3"]
        assert evidence["seen"] == ["db2", "db3"]
        assert evidence["servers"][elect]["replica_on"]


def test_with_a_replica_lost_at_the_same_time_the_dead_hosts_logs_account_for_it(lab: LabFactory) -> None:
    with rehearsal(lab(lossless=True, replicas=3)) as play:
        play.begin()
        play.lab.fault.kill("db4")
        play.kill_primary()
        shown = play.ended()
        elect = shown["new_primary"]
        (other,) = {"db2", "db3"} - {elect}
        play.settled(elect, (other,))
        waits_for(play.lab, elect, 1)
        assert shown["lost"] == NOTHING_LOST


def test_with_a_replica_and_the_primarys_host_lost_nobody_is_promoted(lab: LabFactory) -> None:
    with rehearsal(lab(lossless=True, replicas=3)) as play:
        play.begin()
        play.lab.fault.kill("db4")
        play.lab.fault.poweroff("db1")
        told = play.managers.wait_for(
            "the refusal", lambda s: "acks-unaccounted" in {r["id"] for r in s["refusals"]}, 60.0
        )
        assert told["verdict"] == "primary-dead"
        (refusal,) = (r for r in told["refusals"] if r["id"] == "acks-unaccounted")
        assert "db4" in refusal["sentence"]
        assert writable(play.lab) == ()
        code, document, _ = play.command(
            "failover", "shop", "--override", "acks-unaccounted", "--override", "cooldown", "--yes"
        )
        assert document["outcome"] == "done", document
        assert code == 1, "the old primary is not proven fenced"
        elect = document["new_primary"]
        (other,) = {"db2", "db3"} - {elect}
        play.settled(elect, (other,))


def test_without_anybody_to_acknowledge_nobody_is_promoted_and_the_last_one_degrades_on_request(
    lab: LabFactory,
) -> None:
    with rehearsal(lab(lossless=True, replicas=2)) as play:
        play.begin()
        play.lab.fault.kill("db3")
        play.kill_primary()
        told = play.managers.wait_for("the refusal", lambda s: "no-ackers" in {r["id"] for r in s["refusals"]}, 60.0)
        assert told["verdict"] == "primary-dead"
        assert play.operations() == []
        _, document, _ = play.command("failover", "shop", "--override", "no-ackers", "--yes")
        assert (document["outcome"], document["new_primary"]) == ("done", "db2"), document
        play.settled("db2", ())
        assert play.lab.sql("db2", "SELECT @@GLOBAL.rpl_semi_sync_source_enabled") == ((0,),)
        assert "not-waiting" in problems(play, "db2")


def test_the_active_manager_sets_semi_sync_up_and_keeps_it(lab: LabFactory) -> None:
    with rehearsal(lab(lossless=True)) as play:
        for server in ("db2", "db3"):
            play.lab.sql(server, "SET GLOBAL rpl_semi_sync_replica_enabled = OFF")
        play.lab.sql(
            "db1",
            "SET GLOBAL rpl_semi_sync_source_enabled = OFF, GLOBAL rpl_semi_sync_source_timeout = 1000,"
            " GLOBAL rpl_semi_sync_source_wait_no_replica = OFF",
        )
        for server in ("db2", "db3"):
            play.lab.sql(server, "STOP REPLICA IO_THREAD; START REPLICA IO_THREAD")
        play.managers.start("mgr1")
        play.managers.wait_ready(standbys=0, timeout=60.0)
        eventually(lambda: play.lab.sql("db1", SETTINGS), lambda found: found == (LOSSLESS,), "lossless settings")
        waits_for(play.lab, "db1", 2)
        eventually(lambda: problems(play, "db1") | problems(play, "db2"), lambda p: not p, "no problem left")
        play.lab.sql("db3", "SET GLOBAL rpl_semi_sync_replica_enabled = OFF")
        play.lab.sql("db3", "STOP REPLICA IO_THREAD; START REPLICA IO_THREAD")
        eventually(lambda: semi_sync(play.lab, "db3", "replica_status"), lambda v: v == "ON", "db3 acknowledging again")
        _, document, _ = play.command("check", "shop")
        assert not [f for f in document["findings"] if f["id"] in SEMI_SYNC_FINDINGS], document


SEMI_SYNC_FINDINGS = {"semi-sync-missing", "not-waiting", "acks-too-few", "not-acknowledging", "unlisted-acker"}


def test_commits_wait_or_are_let_go_on_as_the_configuration_says(lab: LabFactory) -> None:
    one = lab(lossless=True, replicas=1)
    one.configure({"clusters": {"shop": {"semi_sync": {"on_no_ackers": "degrade"}}}})
    with rehearsal(one) as play:
        play.managers.start("mgr1")
        play.managers.wait_ready(standbys=0, timeout=60.0)
        play.write()
        one.fault.kill("db2")
        eventually(lambda: play.logged("commits go on without acknowledgements"), bool, "the degrading")
        play.go_on()
        assert one.sql("db1", "SELECT @@GLOBAL.rpl_semi_sync_source_enabled") == ((0,),)
        one.fault.start("db2")
        eventually(lambda: one.sql("db1", SETTINGS), lambda found: found == (LOSSLESS,), "lossless settings again")
        eventually(lambda: problems(play, "db1"), lambda p: not p, "no problem left")
        play.go_on()


def test_a_restarted_primary_is_opened_only_when_its_commits_are_acknowledged(lab: LabFactory) -> None:
    with rehearsal(lab(lossless=True)) as play:
        play.lab.configure({"clusters": {"shop": {"detection": {"crash_grace": "30s"}}}})
        play.begin(("mgr1",))
        play.lab.fault.kill("db1")
        play.lab.start_mysqld("db1")
        shown = play.ended("reopen")
        play.go_on()
        waits_for(play.lab, "db1", 2)
        titles = [step["title"] for step in shown["steps"]]
        assert titles.index("let the commits of db1 wait for 1 replica") < titles.index("open db1 for writes")
        account = play.writer.stop()
        for server in play.replicas():
            wanted = executed(play.lab, "db1")
            eventually(lambda server=server, wanted=wanted: inside(play.lab, server, wanted), bool, server)  # type: ignore[misc]
        assert account.acks


@pytest.mark.timeout(400)
def test_a_manager_that_dies_while_the_elect_gets_ready_leaves_it_to_the_standby(lab: LabFactory) -> None:
    with rehearsal(lab(lossless=True, settings=NO_COOLDOWN)) as play:
        rounds = Interrupted(play)
        rounds.begin()
        for moment in ("after:AwaitAcks", "after:OpenWrites"):
            rounds.enter("mgr1", f"kill {moment}")
            rounds.enter("mgr2", "")
            rounds.ready("mgr1")
            old = play.primary
            play.kill_primary()
            rounds.struck("mgr1", "kill")
            eventually(lambda: play.logged("operation ended"), lambda n: len(n) > rounds.ended, f"an end ({moment})")
            shown = rounds.whole()
            waits_for(play.lab, shown["new_primary"], 1)
            rounds.restore(old, str(shown["new_primary"]), int(shown["epoch"]))
            waits_for(play.lab, shown["new_primary"], 2)


def test_a_primary_whose_commits_hang_is_said_and_not_failed_over(lab: LabFactory) -> None:
    with rehearsal(lab(lossless=True)) as play:
        play.begin(("mgr1",))
        for server in play.replicas():
            play.lab.fault.kill(server)
        found = eventually(lambda: play.problems("db1"), lambda p: "acks-too-few" in p, "the hang in the status")
        assert "0 of 1" in found["acks-too-few"]
        assert play.operations() == []
        for server in play.replicas():
            play.lab.start_mysqld(server)
        play.go_on()
        assert writable(play.lab) == ("db1",)
