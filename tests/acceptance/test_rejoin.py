"""Servers that come back are attached by themselves, and a writing client notices nothing; who diverged is not."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping

import pytest

from failoverd.model.errors import ServerError
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import (
    PATIENCE,
    ROW,
    Rehearsal,
    eventually,
    executed,
    inside,
    prepared,
    rehearsal,
    replication,
    supervisor,
    takes_writes,
    writable,
)

# A host out of reach, its failover, its return: much waiting, and a busy machine waits longer.
pytestmark = pytest.mark.timeout(300)


def operations(play: Rehearsal) -> list[tuple[str, str]]:
    return [(o["kind"], o["outcome"]) for o in play.journal()]


def attached(play: Rehearsal, server: str, source: str) -> dict[str, object]:
    """Its replication once it follows; it may start anew meanwhile, as a copy makes it do."""
    address = play.lab.hosts[source].address
    return dict(
        eventually(
            lambda: replication_if_up(play, server),
            lambda row: (
                bool(row)
                and (row["Source_Host"], row["Replica_IO_Running"], row["Replica_SQL_Running"])
                == (address, "Yes", "Yes")
            ),
            f"{server} following {source}",
        )
    )


def test_a_replica_that_was_restarted_without_its_threads_replicates_again(lab: LabFactory) -> None:
    with rehearsal(lab(), patience=ROW) as play:
        play.begin()
        play.lab.sql("db3", "STOP REPLICA IO_THREAD FOR CHANNEL ''")
        play.lab.sql("db3", "CHANGE REPLICATION SOURCE TO SOURCE_CONNECT_RETRY=7 FOR CHANNEL ''")
        play.lab.sql("db3", "START REPLICA IO_THREAD FOR CHANNEL ''")
        play.lab.sql("db3", "SET PERSIST_ONLY skip_replica_start=ON")
        os.kill(play.lab.mysqld_pid("db3"), signal.SIGKILL)
        play.go_on()
        eventually(lambda: play.lab.mysqld_pid("db3"), lambda pid: not pid, "the end of db3")
        play.managers.wait_for(
            "a missing db3", lambda s: not {x["name"]: x for x in s["servers"]}["db3"]["reachable"], PATIENCE
        )
        play.lab.start_mysqld("db3")
        begun = time.monotonic()
        row = attached(play, "db3", "db1")
        print(f"attached {time.monotonic() - begun:.1f} s after it was started")
        assert row["Connect_Retry"] == 7, "its options are kept"
        eventually(lambda: operations(play), lambda o: o == [("rejoin", "done")], "the operation")
        account = play.settled("db1", ("db2", "db3"))
        assert not account.errors, "the client noticed nothing"


@pytest.mark.parametrize("diverged", [False, True], ids=["clean", "diverged"])
def test_an_old_primary_that_nobody_could_fence_is_closed_when_it_is_back(lab: LabFactory, diverged: bool) -> None:
    with rehearsal(lab()) as play:
        play.begin()
        elect = out_of_reach(play)
        (other,) = set(play.replicas()) - {elect}
        play.lab.sql("db1", "SET PERSIST super_read_only = OFF; SET PERSIST read_only = OFF")
        if diverged:
            play.lab.sql("db1", "CREATE DATABASE only_here")
        play.lab.fault.link("db1", up=True)
        begun = time.monotonic()
        eventually(lambda: takes_writes(play.lab, "db1"), lambda writes: not writes, "a closed db1")
        print(f"closed {time.monotonic() - begun:.1f} s after its link was back")
        if not diverged:
            attached(play, "db1", elect)
            eventually(lambda: operations(play)[0], lambda o: o == ("rejoin", "done"), "the operation")
            starts_closed(play)
            attached(play, "db1", elect)
            play.settled(elect, (other, "db1"))
            return
        left_alone(play, elect)
        starts_closed(play)
        play.settled(elect, (other,))


@supervisor
def test_a_killed_primary_is_let_go_and_attached_when_it_is_up(lab: LabFactory, supervised: bool) -> None:
    with rehearsal(prepared(lab, supervised=supervised)) as play:
        play.begin()
        play.kill_primary()
        elect = str(play.ended()["new_primary"])
        (other,) = set(play.replicas()) - {elect}
        play.go_on()
        eventually(lambda: ("rejoin", "done") in operations(play), bool, "the end of the hold")
        if not supervised:
            play.lab.start_mysqld("db1")
        eventually(lambda: answers(play, "db1"), bool, "an answer of db1")
        begun = time.monotonic()
        attached(play, "db1", elect)
        print(f"attached {time.monotonic() - begun:.1f} s after it answered")
        eventually(lambda: operations(play)[:2], lambda o: o == [("rejoin", "done")] * 2, "both operations")
        play.settled(elect, (other, "db1"))


def test_with_rejoin_off_a_killed_primary_stays_held_until_a_person_lets_it_go(lab: LabFactory) -> None:
    one = prepared(lab, supervised=True)
    one.configure({"clusters": {"shop": {"rejoin": "off"}}})
    with rehearsal(one) as play:
        play.begin()
        play.kill_primary()
        elect = str(play.ended()["new_primary"])
        (other,) = set(play.replicas()) - {elect}
        play.go_on()
        code, let_go, said = play.command("rejoin", "shop", "db1", "--yes")
        assert (code, let_go["outcome"]) == (0, "done"), said
        assert [step["title"] for step in let_go["steps"]] == ["release the hold on db1"]
        eventually(lambda: answers(play, "db1"), bool, "an answer of db1")
        code, _, said = play.command("rejoin", "shop", "db1", "--yes")
        assert code == 0, said
        play.settled(elect, (other, "db1"))


@pytest.mark.parametrize(
    ("absent", "told", "why"),
    [
        ("", "not-acknowledged", "fewer than 1 of those that acknowledge can have received it"),
        ("db4", "unknown", "who may have acknowledged it was not there to be asked: db4"),
    ],
    ids=["not acknowledged", "unknown"],
)
def test_a_commit_that_waited_is_judged_by_who_was_there_when_a_lossless_primary_is_back(
    lab: LabFactory, absent: str, told: str, why: str
) -> None:
    with rehearsal(lab(lossless=True, replicas=3 if absent else 2), patience=ROW) as play:
        play.begin()
        lets_a_commit_wait(play)
        if absent:
            play.lab.fault.kill(absent)
        play.lab.fault.link("db1", up=False)
        if absent:
            promoted_by_a_person(play)
        eventually(lambda: play.logged("operation ended"), bool, "the end of the failover")
        elect = str(play.operations()[0]["new_primary"])
        others = tuple(sorted(set(play.replicas()) - {elect, absent}))
        play.go_on()
        play.lab.fault.kill("db1")
        play.lab.start_mysqld("db1")  # its recovery commits what had been waiting
        play.lab.fault.link("db1", up=True)
        eventually(lambda: play.logged("server not attached"), bool, "the judgement")
        code, found, _ = play.command("errant", "shop", "db1", "--export")
        (one,) = found["servers"]
        assert (code, one["transactions"]) == (1, 1)
        (extra,) = one["shown"]
        assert (extra["acknowledged"], extra["evidence"]) == (told, why)
        (number,) = (row["after"]["n"] for row in extra["rows"])
        assert number not in {ack.number for ack in play.writer.account.acks}, "the client was told nothing"
        _, done, said = play.command("rejoin", "shop", "db1", "--inject-empty", one["gtids"], "--yes")
        assert done["outcome"] == "done", said
        attached(play, "db1", elect)
        assert play.lab.sql(elect, f"SELECT COUNT(*) FROM app.numbered WHERE n = {number}") == ((0,),)
        play.settled(elect, others)


def lets_a_commit_wait(play: Rehearsal) -> None:
    """Stop all receivers, and let one row be written that nobody acknowledges."""
    play.writer.pause()  # else the one whose receiver is stopped last may alone have what the client was told
    for server in play.replicas():
        play.lab.sql(server, "STOP REPLICA IO_THREAD FOR CHANNEL ''")
    play.writer.resume()
    waiting = "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_wait_sessions'"
    eventually(lambda: play.lab.sql("db1", waiting)[0][1], lambda n: n == "1", "a commit that waits")


def promoted_by_a_person(play: Rehearsal) -> None:
    """Nobody is promoted by itself, because who may have acknowledged is away; somebody takes that upon himself."""
    play.managers.wait_for("the refusal", lambda s: "acks-unaccounted" in {r["id"] for r in s["refusals"]}, PATIENCE)
    words = ("--override", "acks-unaccounted", "--override", "cooldown", "--yes")
    _, done, said = play.command("failover", "shop", *words)
    assert done["outcome"] == "done", (done.get("refusals"), said)


def out_of_reach(play: Rehearsal) -> str:
    """A failover from a host that nobody reaches and nobody can fence; its mysqld goes on. The new primary."""
    play.writer.pause()  # what only a host holds that is out of reach would be lost
    held = executed(play.lab, "db1")
    for server in play.replicas():
        eventually(lambda server=server: inside(play.lab, server, held), bool, f"{server} at {held}")  # type: ignore[misc]
    hang_up(play, "db1")
    play.lab.fault.link("db1", up=False)
    play.writer.resume()
    eventually(lambda: play.logged("operation ended"), bool, "the end of the failover")
    (shown,) = play.operations()
    assert shown["fenced"]["how"] == "UNFENCED"
    play.go_on()
    return str(shown["new_primary"])


def replication_if_up(play: Rehearsal, server: str) -> Mapping[str, object]:
    """Its replication; nothing while its mysqld is down."""
    try:
        return replication(play.lab, server)
    except ServerError:
        return {}


def answers(play: Rehearsal, server: str) -> bool:
    """Whether its mysqld is up by now."""
    try:
        return play.lab.sql(server, "SELECT 1", deadline=2.0) == ((1,),)
    except ServerError:
        return False


def starts_closed(play: Rehearsal) -> None:
    """What was persisted before is outdone: a crash and a restart do not open it."""
    play.lab.fault.kill("db1")
    play.lab.start_mysqld("db1")
    assert not takes_writes(play.lab, "db1")


def hang_up(play: Rehearsal, server: str) -> None:
    """End the client's session: what it writes into a dead link arrives when the link is back, seconds later."""
    sessions = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'app'"
    for (number,) in play.lab.sql(server, sessions):
        with contextlib.suppress(ServerError):  # it has ended by itself meanwhile
            play.lab.sql(server, f"KILL {number}")
    eventually(lambda: play.lab.sql(server, sessions), lambda left: not left, f"no client on {server}")


def left_alone(play: Rehearsal, elect: str) -> None:
    """db1 diverged: it is closed, follows nobody, is called what it is, and no person attaches it either."""
    eventually(lambda: operations(play)[0], lambda o: o == ("rejoin", "refused"), "the judgement")
    assert writable(play.lab) == (elect,)
    assert replication(play.lab, "db1") == {}
    told = {"operation": None, "role": "diverged"}
    play.managers.wait_for(
        "a quiet status with a diverged db1",
        lambda s: {"operation": s["operation"], "role": {x["name"]: x["role"] for x in s["servers"]}["db1"]} == told,
        PATIENCE,
    )
    code, refused, _ = play.command("rejoin", "shop", "db1", "--yes")
    assert (code, [r["id"] for r in refused["refusals"]]) == (1, ["diverged"])
