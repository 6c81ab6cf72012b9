"""Where missing transactions come from when logs cannot be read or a set has holes.

Remedies: the step `Fetch`; for a hole the target set, which is a union of sets and no highest number; for forgotten
relay logs `model.sources.forgot`, asked in a scan and before it; for purged ones `service.links`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from failoverd.drivers.mysql.local import hold
from failoverd.lab import Lab
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import (
    MANAGERS,
    PATIENCE,
    Rehearsal,
    eventually,
    executed,
    inside,
    received,
    rehearsal,
    saved_count,
)
from tests.acceptance.test_main_job_by_hand import BY_HAND

NEVER_DB2: dict[str, Any] = {"clusters": {"shop": {"servers": {"db2": {"promote": "never"}}}}}


def host_gone_with_all_on_db2(play: Rehearsal) -> None:
    """The primary's host disappears; db2 holds everything, db3 what it got before it went deaf."""
    play.writer.pause()
    wanted = executed(play.lab, "db1")
    eventually(lambda: inside(play.lab, "db2", wanted), bool, "db2 with all that db1 has")
    play.lab.fault.poweroff("db1")
    play.writer.resume()


def test_a_living_peer_without_an_agent_gives_by_replication(lab: LabFactory) -> None:
    one = lab()
    one.configure({"clusters": {"shop": {"servers": {"db2": {"promote": "never", "ssh": {"port": 1}}}}}})
    with rehearsal(one) as play:
        for name in MANAGERS:
            play.managers.start(name)
        play.managers.wait_for("a watched cluster", lambda s: bool(s["active_manager"]) and s["verdict"] == "healthy")
        play.write()
        play.deaf("db3")
        host_gone_with_all_on_db2(play)
        shown = play.ended()
        assert shown["new_primary"] == "db3"
        assert {(saved["from"], saved["how"]) for saved in shown["saved"]} == {
            ("db2", "replication from a living peer")
        }
        assert saved_count(shown) >= 50
        play.settled("db3", ("db2",))


def test_a_hole_is_filled_from_a_peer_before_promotion(lab: LabFactory) -> None:
    with rehearsal(lab()) as play:
        play.lab.configure(NEVER_DB2)
        play.begin()
        play.writer.pause()
        gap = hole(play.lab)
        for name in MANAGERS:
            play.managers.kill(name)
        play.writer.resume()
        host_gone_with_all_on_db2(play)
        play.lab.start_mysqld("db3")  # and it has thrown away what it had received and not executed
        for name in MANAGERS:
            play.managers.start(name)
        shown = play.ended()
        assert shown["new_primary"] == "db3"
        assert "db2" in {saved["from"] for saved in shown["saved"]}
        assert inside(play.lab, "db3", gap)
        assert play.lab.sql("db3", "SELECT body FROM app.g WHERE id = 1") == ((b"changed",),)
        play.settled("db3", ("db2",))


def hole(lab: Lab) -> str:
    """db3 executes what follows a transaction that it cannot execute yet; that one's name."""
    lab.sql("db1", "CREATE TABLE app.g (id INT PRIMARY KEY, body BLOB); INSERT INTO app.g VALUES (1, 'as it was')")
    wanted = executed(lab, "db1")
    eventually(lambda: inside(lab, "db3", wanted), bool, "db3 with the table")
    again = "STOP REPLICA SQL_THREAD FOR CHANNEL ''; SET GLOBAL replica_preserve_commit_order = OFF;"
    lab.sql("db3", f"{again} START REPLICA SQL_THREAD FOR CHANNEL ''; SET GLOBAL read_only = OFF")
    lab.sql("db1", "INSERT INTO app.g VALUES (2, 'the first one after a start waits for no other, and others for it')")
    wanted = executed(lab, "db1")
    eventually(lambda: inside(lab, "db3", wanted), bool, "db3 with the first one")
    with hold(lab.socket("db3"), "BEGIN; SELECT * FROM app.g WHERE id = 1 FOR UPDATE"):
        lab.sql("db3", "SET GLOBAL super_read_only = ON")
        before = executed(lab, "db1")
        lab.sql("db1", "UPDATE app.g SET body = 'changed' WHERE id = 1")
        ((gap,),) = lab.sql("db1", f"SELECT GTID_SUBTRACT(@@GLOBAL.gtid_executed, '{before}')")
        lab.sql("db1", "INSERT INTO app.g VALUES (7, 'x')")
        after = executed(lab, "db1")
        ((rest,),) = lab.sql("db1", f"SELECT GTID_SUBTRACT('{after}', CONCAT('{before}', ',', '{gap}'))")
        eventually(lambda: inside(lab, "db3", str(rest)), bool, "db3 with what follows")
        assert not inside(lab, "db3", str(gap))
        lab.sql("db3", "SET PERSIST_ONLY relay_log_recovery = ON")
        lab.fault.kill("db3")
    return str(gap)


def received_only(play: Rehearsal) -> str:
    """All replicas have everything that the primary has, the end of it in relay logs that a restart makes them forget;
    that set.
    """
    for server in play.replicas():
        play.lab.sql(server, "SET PERSIST_ONLY relay_log_recovery = ON; STOP REPLICA SQL_THREAD FOR CHANNEL ''")
    play.go_on(60)
    play.writer.pause()
    wanted = executed(play.lab, "db1")
    for server in play.replicas():
        eventually(lambda server=server: received(play.lab, server, wanted), bool, f"{server} with all")  # type: ignore[misc]
    return wanted


def test_what_a_restart_made_both_replicas_forget_is_read_from_their_disks(lab: LabFactory) -> None:
    with rehearsal(lab()) as play:
        play.begin()
        wanted = received_only(play)
        for name in MANAGERS:
            play.managers.kill(name)
        play.lab.fault.poweroff("db1")
        for server in play.replicas():
            play.lab.fault.kill(server)
            play.lab.start_mysqld(server)
            assert not received(play.lab, server, wanted), "the server itself does not know any more"
        play.writer.resume()
        for name in MANAGERS:
            play.managers.start(name)
        shown = play.ended()
        elect = shown["new_primary"]
        assert inside(play.lab, elect, wanted)
        assert saved_count(shown) >= 60
        assert {saved["how"] for saved in shown["saved"]} == {"relay logs over SSH, spliced"}
        play.settled(elect, tuple(set(play.replicas()) - {elect}))


def test_a_manager_that_remembers_more_than_anybody_still_knows_asks_their_disks(lab: LabFactory) -> None:
    """The memory of the dead primary's set refuses nothing that forgotten relay logs may give back."""
    with rehearsal(lab()) as play:
        play.begin()
        wanted = received_only(play)
        play.managers.wait_for("a look at all of it", lambda status: primarys_set(status) == wanted)
        for server in play.replicas():
            play.lab.fault.kill(server)  # first, or one of them were promoted while it still knows
        play.lab.fault.poweroff("db1")
        for server in play.replicas():
            play.lab.start_mysqld(server)
            assert not received(play.lab, server, wanted), "the server itself does not know any more"
        play.writer.resume()
        shown = failed_over(play)
        elect = shown["new_primary"]
        assert inside(play.lab, elect, wanted)
        assert saved_count(shown) >= 60
        play.settled(elect, ())  # the other one may have come back too late to be repointed in the same operation


def test_links_made_at_the_first_sign_of_trouble_give_what_a_restart_has_purged(lab: LabFactory) -> None:
    with rehearsal(lab(settings=BY_HAND)) as play:
        play.begin()
        wanted = received_only(play)
        before = {server: relay_logs(play.lab, server) for server in play.replicas()}
        play.lab.fault.poweroff("db1")
        for server in play.replicas():
            kept = functools.partial(relay_logs, play.lab, server, "#failoverd_kept/trouble-*/")
            eventually(kept, lambda found, at=server: before[at] <= found, f"links of all relay logs on {server}")  # type: ignore[misc]
        for server in play.replicas():
            play.lab.fault.kill(server)
            play.lab.start_mysqld(server)
            play.lab.sql(server, "FLUSH LOCAL RELAY LOGS FOR CHANNEL ''; FLUSH LOCAL RELAY LOGS FOR CHANNEL ''")
            there = functools.partial(relay_logs, play.lab, server)
            eventually(there, lambda found, at=server: not found & before[at], f"purged relay logs of {server}")  # type: ignore[misc]
            assert not received(play.lab, server, wanted)
        play.managers.wait_for("a dead primary", lambda status: status["verdict"] == "primary-dead", PATIENCE)
        play.writer.resume()
        _, document, _ = play.command("failover", "shop", "--yes")
        assert document["outcome"] == "done", document
        elect = document["new_primary"]
        assert inside(play.lab, elect, wanted)
        assert saved_count(document) >= 60
        assert {saved["how"] for saved in document["saved"]} == {"kept relay logs over SSH, spliced"}
        assert any("from the kept relay logs of" in step["title"] for step in document["steps"])
        play.settled(elect, tuple(set(play.replicas()) - {elect}))
        for server in play.replicas():
            eventually(
                lambda server=server: relay_logs(play.lab, server, "#failoverd_kept/*/"),  # type: ignore[misc]
                lambda found: not found,
                f"no links on {server} any more",
            )


def relay_logs(lab: Lab, server: str, below: str = "") -> set[int]:
    """The files of the default channel's relay log, by inode, where they lie or where they were linked."""
    found = set()
    for path in Path(lab.hosts[server].datadir).glob(f"{below}*relay*.[0-9]*"):
        with contextlib.suppress(FileNotFoundError):
            found |= set() if "fo_" in path.name else {path.stat().st_ino}
    return found


FORCED = "SET GLOBAL sync_binlog = 1, GLOBAL innodb_flush_log_at_trx_commit = 1"


def failed_over(play: Rehearsal) -> Mapping[str, Any]:
    """The failover that was done; an attempt with one replica alone may have come before it, a rejoin behind it."""

    def done() -> list[str]:
        found = play.operations()
        return [str(o["operation"]) for o in found if (o["kind"], o["outcome"]) == ("failover", "done")]

    return play.shown(eventually(done, bool, "a failover that is done", 2 * PATIENCE)[0])


def test_much_is_brought_in_parts_and_nothing_forced_meanwhile(lab: LabFactory) -> None:
    one = lab()
    one.configure({"clusters": {"shop": {"failover": {"relax_durability": True}}}})
    with rehearsal(one) as play:
        play.begin()
        for server in play.replicas():
            play.lab.sql(server, FORCED)
        play.lab.sql("db1", "CREATE TABLE app.big (id INT PRIMARY KEY AUTO_INCREMENT, body LONGBLOB)")
        made = executed(play.lab, "db1")
        for server in play.replicas():
            eventually(lambda server=server: inside(play.lab, server, made), bool, f"{server} with the table")  # type: ignore[misc]
        play.deaf(*play.replicas())
        play.lab.sql("db1", ";".join([MEGABYTE] * 20))
        play.kill_primary()
        shown = play.ended()
        (step,) = (step for step in shown["steps"] if step["title"].startswith("bring "))
        assert "executed in 2 parts" in step["detail"]
        (relaxed, restored) = (step for step in shown["steps"] if "to its disk" in step["title"])
        assert (relaxed["outcome"], restored["outcome"]) == ("done", "done")
        assert restored["detail"] == "sync_binlog = 1, innodb_flush_log_at_trx_commit = 1, read back"
        assert play.lab.sql(shown["new_primary"], "SELECT @@sync_binlog, @@innodb_flush_log_at_trx_commit") == ((1, 1),)
        assert play.lab.sql(shown["new_primary"], "SELECT COUNT(*), SUM(LENGTH(body)) FROM app.big") == (
            (20, 20 * 1024 * 1024),
        )
        play.settled(shown["new_primary"], tuple(set(play.replicas()) - {shown["new_primary"]}))


MEGABYTE = "INSERT INTO app.big (body) VALUES (REPEAT(RANDOM_BYTES(1024), 1024))"


def primarys_set(status: Mapping[str, Any]) -> str:
    """What the status says that the primary has executed."""
    return next((str(s["gtid_executed"]) for s in status["servers"] if s["name"] == status["primary"]), "")
