"""A primary that must be replaced: frozen, cut off, without a disk, hung on a lock, crashing again and again."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from failoverd.drivers.clock import SystemClock
from failoverd.drivers.identity import Identity
from failoverd.drivers.mysql.application import ApplicationSession
from failoverd.drivers.tasks import ThreadTasks
from failoverd.drivers.wakeups import Bell
from failoverd.drivers.zookeeper.coordination import ZooKeeperCoordination
from failoverd.drivers.zookeeper.settings import ZooKeeperSettings
from failoverd.lab.compare import compare
from failoverd.lab.layout import Kind
from failoverd.lab.writer import INSERT, MYSQL_PORT
from failoverd.model.errors import ServerError
from failoverd.model.sight import Endpoint
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import NOTHING_LOST, PATIENCE, Rehearsal, eventually, follows, rehearsal


def shop(**sections: object) -> dict[str, object]:
    """Settings of the cluster."""
    return {"clusters": {"shop": sections}}


def replaced(play: Rehearsal) -> Mapping[str, Any]:
    """The first primary was replaced and fenced, nothing was lost, and whoever is left follows; the report."""
    shown = play.ended()
    elect = str(shown["new_primary"])
    play.settled(elect, tuple(set(play.replicas()) - {elect}))
    assert shown["lost"]["transactions"] == 0
    assert "UNFENCED" not in shown["fenced"]["how"]
    return shown


def stale_session(play: Rehearsal) -> ApplicationSession:
    """A client that keeps its address: open on the first primary before anything happens."""
    address = play.lab.hosts["db1"].address
    return ApplicationSession(Endpoint(address, MYSQL_PORT), "app", play.lab.password("app"), "app", 5.0)


def stray(session: ApplicationSession, count: int = 20) -> int:
    """How many rows a client is acknowledged there; they carry numbers that no other client uses."""
    taken = 0
    for number in range(10_000_000, 10_000_000 + count):
        try:
            session.execute(INSERT, number, 0.0)
        except ServerError:
            break
        taken += 1
    return taken


def test_a_frozen_primary_takes_no_write_when_it_wakes(lab: LabFactory) -> None:
    with rehearsal(lab()) as play:
        play.begin()
        client = stale_session(play)
        pid = play.lab.mysqld_pid("db1")
        play.lab.fault.stop("db1")
        shown = replaced(play)
        assert "lives and answers nobody" in shown["cause"]
        assert shown["lost"] == NOTHING_LOST
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        assert stray(client) == 0


def test_a_frozen_primary_that_nobody_can_fence_is_starved_in_lossless_mode(lab: LabFactory) -> None:
    """Its agent is gone, so it wakes up as it was: its commits find nobody who acknowledges them any more."""
    with rehearsal(lab(lossless=True)) as play:
        play.begin()
        client = stale_session(play)
        play.lab.fault.stop("db1")
        for manager in ("mgr1", "mgr2"):
            play.lab.fault.cut(manager, "db1")
        shown = play.managers.wait_for("another primary", lambda s: s["primary"] not in {None, "db1"}, PATIENCE)
        eventually(play.operations, lambda found: found[0]["ended"] is not None, "the end of the failover")
        play.go_on(20)
        (found,) = play.operations()
        assert (found["outcome"], found["fenced"]) == ("done", {"server": "db1", "how": "UNFENCED"}), shown
        play.lab.fault.cont("db1")
        assert stray(client) == 0


def test_a_primary_cut_off_from_everybody(lab: LabFactory) -> None:
    with rehearsal(lab()) as play:
        play.begin()
        play.writer.pause()  # what nobody else has cannot be given back: here everybody has everything
        eventually(lambda: behind(play), lambda found: found == [], "replicas with all that the primary has")
        play.lab.fault.link("db1", up=False)
        play.writer.resume()
        shown = play.ended()
        assert "answers nobody" in shown["cause"]
        assert (shown["fenced"], shown["lost"]["transactions"]) == ({"server": "db1", "how": "UNFENCED"}, 0)
        elect = str(shown["new_primary"])
        eventually(lambda: play.writer.account.acks[-1].server, lambda server: server == elect, f"a row on {elect}")
        play.go_on()
        account = play.writer.stop()
        others = set(play.replicas()) - {elect}
        follows(play.lab, elect, tuple(others))
        assert all(compare(play.lab, server, account).clean for server in play.replicas())


def behind(play: Rehearsal) -> list[str]:
    """The replicas that lack something."""
    ((wanted,),) = play.lab.sql("db1", "SELECT @@GLOBAL.gtid_executed")
    question = f"SELECT GTID_SUBSET('{wanted}', @@GLOBAL.gtid_executed)"
    return [server for server in play.replicas() if play.lab.sql(server, question) == ((0,),)]


def test_a_full_disk_by_policy(lab: LabFactory) -> None:
    settings = shop(failover={"on": {"unfit": "failover"}})
    with rehearsal(lab(disk_mb=512, settings=settings)) as play:
        play.begin()
        play.lab.fault.fill_disk("db1")
        shown = replaced(play)
        assert "has been full" in shown["cause"]


def test_a_read_only_file_system_by_policy(lab: LabFactory) -> None:
    """The server ends itself as soon as it has to write; either way another one takes over."""
    settings = shop(failover={"on": {"unfit": "failover"}})
    with rehearsal(lab(disk_mb=512, settings=settings)) as play:
        play.begin()
        play.writer.pause()
        play.lab.fault.read_only_fs("db1")
        eventually(lambda: play.logged("operation opened"), bool, "the failover")
        play.writer.resume()
        shown = replaced(play)
        assert "read-only" in shown["cause"] or "no mysqld is left" in shown["cause"]


def test_writes_that_hang_by_policy(lab: LabFactory) -> None:
    """Nobody writes for us here: the sessions alone tell it."""
    settings = shop(detection={"hung_after": "2s"}, failover={"on": {"hung": "failover"}})
    with rehearsal(lab(settings=settings)) as play:
        play.begin()
        play.lab.fault.hold_lock("db1")
        shown = replaced(play)
        assert "commits nothing" in shown["cause"]
        assert "global read lock" in shown["cause"]


HEARTBEAT = (
    "CREATE DATABASE failoverd",
    "CREATE TABLE failoverd.heartbeat (id INT PRIMARY KEY, writer VARCHAR(255), written_at DATETIME(6))",
    "GRANT INSERT, UPDATE ON failoverd.heartbeat TO failoverd@'%'",
)


def test_writes_that_hang_where_no_session_shows_it(lab: LabFactory) -> None:
    """Every table is locked against writers, which is no lock that a session's state tells apart from a lock of one
    table: the write probe alone finds that nothing can be written.
    """
    probe = {"hung_after": "2s", "write_probe": {"table": "failoverd.heartbeat", "every": "500ms"}}
    settings = shop(detection=probe, failover={"on": {"hung": "failover"}})
    with rehearsal(lab(settings=settings)) as play:
        play.lab.sql("db1", "; ".join(HEARTBEAT))
        play.begin()
        play.lab.fault.hold_lock("db1", "LOCK TABLES app.numbered READ, failoverd.heartbeat READ")
        shown = replaced(play)
        assert "no write comes to its end" in shown["cause"]


def test_one_crash_too_many(lab: LabFactory) -> None:
    detection = {"crash_grace": "40s", "crash_loop": {"restarts": 2, "within": "10m"}}
    with rehearsal(lab(supervised=True, settings=shop(detection=detection))) as play:
        play.begin()
        os.kill(play.lab.mysqld_pid("db1"), signal.SIGKILL)
        eventually(lambda: kinds(play), lambda found: found == ["reopen"], "the first restart")
        play.managers.wait_for("a healthy cluster", lambda s: s["verdict"] == "healthy", PATIENCE)
        play.go_on(30)
        os.kill(play.lab.mysqld_pid("db1"), signal.SIGKILL)
        eventually(lambda: kinds(play), lambda found: found == ["failover", "reopen"], "the failover")
        elect = str(play.operations()[0]["new_primary"])
        play.settled(elect, tuple(set(play.replicas()) - {elect}))
        assert "crash" in str(play.operations()[0]["cause"])


def kinds(play: Rehearsal) -> list[str]:
    """What has ended, newest first."""
    return [str(found["kind"]) for found in play.operations() if found["ended"] is not None]


def test_a_site_that_fails_is_left_to_people(lab: LabFactory) -> None:
    """Other clusters of the same ensemble have failed; then somebody says which primary to replace all the same."""
    settings = {"manager": {"site_guard": {"clusters": 2, "within": "10m"}}}
    with rehearsal(lab(settings=settings)) as play:
        play.begin()
        elsewhere_failed(play, "blog", "mail")
        play.kill_primary()
        told = play.managers.wait_for("the refusal", lambda s: "site-guard" in refusals(s), PATIENCE)
        assert told["verdict"] == "primary-dead"
        (refusal,) = (one for one in told["refusals"] if one["id"] == "site-guard")
        assert "blog, mail" in refusal["sentence"]
        assert play.operations() == []
        code, document, said = play.command("failover", "shop", "--override", "site-guard", "--yes")
        assert (code, document["outcome"]) == (0, "done"), said
        elect = str(document["new_primary"])
        play.settled(elect, tuple(set(play.replicas()) - {elect}))


def refusals(status: Mapping[str, Any]) -> set[str]:
    """What stands against acting, by ids."""
    return {refusal["id"] for refusal in status["refusals"]}


def elsewhere_failed(play: Rehearsal, *clusters: str) -> None:
    """Another manager, of other clusters, tells the ensemble that their primaries failed just now."""
    hosts = tuple(f"{host.address}:2181" for host in play.lab.layout.of_kind(Kind.ZOOKEEPER))
    identity = Identity.mine("mgr9")
    made = ZooKeeperCoordination(
        ZooKeeperSettings(hosts, session_timeout=1.0), identity, SystemClock(), ThreadTasks(), Bell()
    )
    try:
        for cluster in clusters:
            made.campaign(cluster)
            lease = eventually(lambda cluster=cluster: made.lease(cluster), lambda one: one is not None, "a lease")  # type: ignore[misc]
            assert lease is not None
            made.report_failing(lease, cluster, time.time())
    finally:
        made.close()
