"""Damaged relay logs on real servers: found before an election counts them, mended, never skipped, never destroyed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from failoverd.lab import Lab
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import (
    Rehearsal,
    ends_of,
    eventually,
    executed,
    inside,
    rehearsal,
    replication,
    writable,
)

ROWS = 30
TABLE = "CREATE TABLE app.t (n INT PRIMARY KEY AUTO_INCREMENT, filler VARCHAR(250))"
ROW = "INSERT INTO app.t (filler) VALUES (REPEAT('y', 250))"
Damage = Callable[[Path, int], None]


def overwritten(content: bytes) -> Damage:
    """Bytes in the middle of what is not applied yet."""

    def damage(file: Path, position: int) -> None:
        size = file.stat().st_size
        with file.open("r+b") as stream:
            stream.seek(position + (size - position) // 2)
            stream.write(content)

    return damage


def torn(file: Path, position: int) -> None:
    """The file ends in the middle of an event, and the server writes on behind it."""
    os.truncate(file, position + (file.stat().st_size - position) // 2 + 7)


def no_magic(file: Path, position: int) -> None:
    """The first bytes of the file are not those of a log."""
    with file.open("r+b") as stream:
        stream.write(b"XXXX")


def missing(file: Path, position: int) -> None:
    """The file is gone."""
    file.unlink()


KINDS = {
    "byte": (overwritten(b"\xff\x13"), "13121"),
    "zeros": (overwritten(bytes(512)), "13121"),
    "torn": (torn, "13121"),
    "magic": (no_magic, "13117"),
    "missing": (missing, "13117"),
}


def unapplied(lab: Lab, server: str) -> tuple[Path, int]:
    """Let a replica receive rows that it does not apply: its relay log, and where its applier stands."""
    lab.sql(server, "STOP REPLICA SQL_THREAD FOR CHANNEL ''")
    for _ in range(ROWS):
        lab.sql("db1", ROW)
    wanted = executed(lab, "db1")
    eventually(
        lambda: lab.sql(
            server,
            f"SELECT GTID_SUBSET(GTID_SUBTRACT('{wanted}', @@GLOBAL.gtid_executed), RECEIVED_TRANSACTION_SET)"
            " FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME = ''",
        ),
        lambda found: found == ((1,),),
        f"{server} with all that db1 has, unapplied",
    )
    status = replication(lab, server)
    return Path(lab.hosts[server].datadir) / str(status["Relay_Log_File"]), int(str(status["Relay_Log_Pos"]))


def rows(lab: Lab, server: str) -> object:
    """The checksum of the table: equal rows, equal value."""
    ((_, value),) = lab.sql(server, "CHECKSUM TABLE app.t")
    return value


def same(lab: Lab, first: str, second: str) -> None:
    """Both servers end with the same set and the same rows."""
    wanted = executed(lab, first)
    eventually(lambda: inside(lab, second, wanted), bool, f"{second} at {wanted}")
    assert executed(lab, second) == wanted
    assert rows(lab, first) == rows(lab, second)


def kept(lab: Lab, server: str) -> list[str]:
    """What the agent has linked beside the server's relay logs."""
    return [path.name for path in Path(lab.hosts[server].datadir).glob("#failoverd_kept/*/relay.0*")]


def mended(play: Rehearsal, server: str) -> dict[str, Any]:
    """A repair that is done: its document."""
    code, document, said = play.command("repair", "shop", server, "--reason", "rehearsal", "--yes")
    assert (code, document["outcome"], document["kind"]) == (0, "done", "repair"), (document, said)
    return document


def broken(play: Rehearsal, server: str, number: str) -> None:
    """Start the applier into the damage, and see that the status names it with the server's number."""
    play.lab.sql(server, "START REPLICA SQL_THREAD FOR CHANNEL ''")
    eventually(lambda: replication(play.lab, server)["Last_SQL_Errno"], lambda n: str(n) == number, f"error {number}")
    found = eventually(lambda: play.problems(server), lambda p: "relay-log-damaged" in p, "the problem in the status")
    assert number in found["relay-log-damaged"]


def test_every_kind_of_damage_is_mended_from_the_living_source(lab: LabFactory) -> None:
    with rehearsal(lab(replicas=1)) as play:
        play.lab.sql("db1", TABLE)
        play.managers.start("mgr1")
        play.managers.wait_ready(standbys=0, timeout=60.0)
        for kind, (damage, number) in KINDS.items():
            damage(*unapplied(play.lab, "db2"))
            broken(play, "db2", number)
            shown = mended(play, "db2")
            assert "let db2 begin new relay logs and fetch from db1" in [s["title"] for s in shown["steps"]], kind
            same(play.lab, "db1", "db2")
            eventually(lambda: play.problems("db2"), lambda p: not p, "a mended db2")
        assert writable(play.lab) == ("db1",)
        assert kept(play.lab, "db2"), "the damaged files are still there"


def test_an_emptied_index_is_mended(lab: LabFactory) -> None:
    with rehearsal(lab(replicas=1)) as play:
        play.lab.sql("db1", TABLE)
        file, _ = unapplied(play.lab, "db2")
        play.lab.fault.kill("db2")
        (file.parent / "relay.index").write_text("", encoding="utf-8")
        play.lab.start_mysqld("db2")
        mended(play, "db2")
        same(play.lab, "db1", "db2")


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(lab: LabFactory) -> None:
    with rehearsal(lab(replicas=1)) as play:
        play.lab.sql("db1", TABLE)
        file, position = unapplied(play.lab, "db2")
        overwritten(b"\xff\x13")(file, position)
        code, findings, _ = play.command("check", "shop")
        assert code == 1
        (found,) = (f for f in findings["findings"] if f["id"] == "relay-log-damaged")
        assert file.name in found["sentence"], "found by reading, before the applier gets there"
        before = play.untouched()
        code, plan, _ = play.command("repair", "shop", "db2", "--dry-run")
        titles = [step["title"] for group in plan["groups"] for step in group["steps"]]
        assert (code, plan["kind"]) == (0, "repair")
        assert titles[-1] == "let db2 begin new relay logs and fetch from db1"
        assert play.untouched() == before
        assert kept(play.lab, "db2") == []


def test_with_the_source_dead_a_peers_logs_give_the_rest(lab: LabFactory) -> None:
    with rehearsal(lab(replicas=2, settings={"clusters": {"shop": {"failover": {"automatic": False}}}})) as play:
        play.lab.sql("db1", TABLE)
        play.managers.start("mgr1")
        play.managers.wait_ready(standbys=0, timeout=60.0)
        overwritten(b"\xff\x13")(*unapplied(play.lab, "db2"))
        wanted = executed(play.lab, "db1")
        eventually(lambda: inside(play.lab, "db3", wanted), bool, "db3 with all that db1 has")
        play.lab.fault.poweroff("db1")
        shown = mended(play, "db2")
        assert shown["saved"] or "db3" in str(shown["steps"])
        same(play.lab, "db3", "db2")


def test_what_nobody_else_has_is_named_and_its_files_stay(lab: LabFactory) -> None:
    with rehearsal(lab(replicas=1, settings={"clusters": {"shop": {"failover": {"automatic": False}}}})) as play:
        play.lab.sql("db1", TABLE)
        play.managers.start("mgr1")
        play.managers.wait_ready(standbys=0, timeout=60.0)
        file, position = unapplied(play.lab, "db2")
        overwritten(b"\xff\x13")(file, position)
        everything = executed(play.lab, "db1")
        play.lab.fault.poweroff("db1")
        code, document, _ = play.command("repair", "shop", "db2", "--yes")
        assert (code, document["outcome"]) == (1, "failed"), document
        (refusal,) = document["refusals"]
        ((left,),) = play.lab.sql("db2", f"SELECT GTID_SUBTRACT('{everything}', @@GLOBAL.gtid_executed)")
        assert refusal["id"] == "recovery-incomplete"
        assert str(left) in refusal["sentence"], "named exactly"
        assert 0 < int(refusal["measured"].split()[0]) < ROWS, "the readable prefix is applied, and what is behind it"
        assert file.exists()
        assert file.name in kept(play.lab, "db2")


def test_an_election_does_not_count_what_cannot_be_read(lab: LabFactory) -> None:
    with rehearsal(lab(replicas=2)) as play:
        play.lab.sql("db1", TABLE)
        play.begin(("mgr1",))
        play.deaf("db3")
        play.lab.sql("db2", "STOP REPLICA SQL_THREAD FOR CHANNEL ''")
        play.go_on(60)
        play.lab.fault.damage_relay("db2")
        play.lab.sql("db2", "STOP REPLICA IO_THREAD FOR CHANNEL ''")
        play.kill_primary()
        shown = play.ended()
        assert shown["new_primary"] == "db3", "db2 claims more, and cannot execute it"
        play.settled("db3", ())
        assert shown["lost"]["transactions"] == 0
        attached, problem = ends_of(shown)["db2"]
        assert not attached
        assert problem
        mended(play, "db2")
        wanted = executed(play.lab, "db3")
        eventually(lambda: inside(play.lab, "db2", wanted), bool, "db2 behind db3")
        assert replication(play.lab, "db2")["Source_Host"] == play.lab.hosts["db3"].address


@pytest.mark.parametrize("server", ["db1", "db9"])
def test_who_has_no_relay_log_is_told_so(lab: LabFactory, server: str) -> None:
    with rehearsal(lab(replicas=1, zookeepers=0)) as play:
        code, document, _ = play.command("repair", "shop", server, "--yes")
        assert code == 2
        assert "error" in document
