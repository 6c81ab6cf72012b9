"""What only one server has: found, shown with what made it, and kept before anything else is done about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import Rehearsal, eventually, executed, inside, rehearsal, takes_writes
from tests.acceptance.test_rejoin import hang_up

pytestmark = pytest.mark.timeout(300)

# Every kind of column that a log can carry, a value in SQL, and what is shown of it.
COLUMNS: tuple[tuple[str, str, object], ...] = (
    ("n BIGINT PRIMARY KEY", "7", 7),
    ("t TINYINT", "-5", -5),
    ("u TINYINT UNSIGNED", "250", 250),
    ("s SMALLINT", "-300", -300),
    ("m MEDIUMINT UNSIGNED", "16000000", 16000000),
    ("i INT", "-2000000000", -2000000000),
    ("b BIGINT UNSIGNED", "18446744073709551615", 18446744073709551615),
    ("f FLOAT", "1.5", 1.5),
    ("d DOUBLE", "-0.1", -0.1),
    ("p DECIMAL(20,6)", "-12345678901234.500001", "-12345678901234.500001"),
    ("q DECIMAL(9,0)", "42", "42"),
    ("r DECIMAL(5,5)", "0.00123", "0.00123"),
    ("v VARCHAR(40) CHARACTER SET utf8mb4", "'grün 🐬'", "grün 🐬"),
    ("w VARCHAR(300) CHARACTER SET latin1", "'é'", "é"),
    ("c CHAR(100) CHARACTER SET utf8mb4", "'fixed'", "fixed"),
    ("x VARBINARY(10)", "x'00ff'", {"hex": "00ff"}),
    ("y TEXT CHARACTER SET utf8mb4", "REPEAT('z', 300)", "z" * 300),
    ("z BLOB", "x'deadbeef'", {"hex": "deadbeef"}),
    ("e ENUM('a','b','c')", "'b'", 2),
    ("g SET('a','b','c')", "'a,c'", 5),
    ("h BIT(10)", "b'1000000001'", 513),
    ("j YEAR", "2026", 2026),
    ("k DATE", "'2026-02-28'", "2026-02-28"),
    ("l TIME(3)", "'-12:34:56.789'", "-12:34:56.789"),
    ("o TIME", "'100:00:01'", "100:00:01"),
    ("aa DATETIME(6)", "'1999-12-31 23:59:59.000123'", "1999-12-31 23:59:59.000123"),
    ("bb DATETIME", "'2026-11-20 21:00:00'", "2026-11-20 21:00:00"),
    ("cc TIMESTAMP(2)", "'2026-11-20 21:00:00.25'", "2026-11-20 21:00:00.25"),
    ("dd INT", "NULL", None),
    ("`odd ``name%` INT", "1", 1),
)


# A table whose rows only fit under modes that the server does not have any more, with columns that it makes itself.
ODD = (
    "CREATE TABLE app.odd (n INT AUTO_INCREMENT PRIMARY KEY, twice INT AS (2 * w) VIRTUAL, w INT, d DATE NOT NULL,"
    " f FLOAT, thrice INT AS (3 * w) STORED, x DOUBLE, v VARCHAR(9) CHARACTER SET latin1, at TIMESTAMP(3) NULL"
    " ON UPDATE CURRENT_TIMESTAMP(3), e ENUM('a','b'), p DECIMAL(9,3), KEY ((w + 1)))"
)
ODD_BEFORE = (
    "INSERT INTO app.odd (n, w, d, f, x, v, at, e, p) VALUES"
    " (1, 1, '2026-01-01', 0.1, 0.1, 'é', '2026-11-20 21:00:00.25', 'b', 1.5),"
    " (2, 2, '2026-01-02', 16777216, 1e300, 'b ', NULL, NULL, -0.125)"
)
ODD_NEW = (
    " (0, 3, '0000-00-00', 3.4028234e38, -0.1, 'É', '2000-01-01 00:00:00', 'a', 0),"
    " (4, 4, '2026-00-31', -0.3, 2, '', NULL, 'b', 7)"
)
ODD_AFTER = (
    ODD_BEFORE[: ODD_BEFORE.index(" (1,")] + ODD_NEW,
    "UPDATE app.odd SET w = 10, d = '0000-00-00' WHERE n = 1",
    "DELETE FROM app.odd WHERE n = 2",
)
# One whose trigger does a second thing; both are in the log.
FIRES = (
    "CREATE TABLE app.fires (n INT PRIMARY KEY)",
    "CREATE TABLE app.fired (n INT PRIMARY KEY)",
    "CREATE TRIGGER app.fire AFTER INSERT ON app.fires FOR EACH ROW INSERT INTO app.fired VALUES (NEW.n)",
)

STRANGE = "00000000-0000-0000-0000-00000000dead:1"


def names() -> list[str]:
    """The columns' names as they are shown."""
    return [text.split(" ")[0] if text[0] != "`" else "odd `name%" for text, _, _ in COLUMNS]


def alone_on(play: Rehearsal, server: str, *statements: str) -> None:
    """Write on one server only, as somebody with every right does."""
    for statement in ("SET GLOBAL read_only = OFF", *statements, "SET GLOBAL super_read_only = ON"):
        play.lab.sql(server, statement)


def errant(play: Rehearsal, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    code, told, _ = play.command("errant", "shop", *words)
    return code, {one["name"]: one for one in told["servers"]}


def test_what_was_written_on_a_replica_is_shown_row_by_row_and_kept(lab: LabFactory) -> None:
    with rehearsal(lab()) as play:
        play.begin()
        play.lab.sql("db1", f"CREATE TABLE app.kinds ({', '.join(text for text, _, _ in COLUMNS)})")
        play.lab.sql("db1", "CREATE TABLE app.t (n INT PRIMARY KEY, w INT)")
        play.lab.sql("db1", "INSERT INTO app.t VALUES (1, 10), (2, 20)")
        play.lab.sql("db1", "GRANT SELECT ON app.* TO failoverd@'%'")
        wanted = executed(play.lab, "db1")
        eventually(lambda: inside(play.lab, "db3", wanted), bool, f"db3 at {wanted}")
        code, told = errant(play)
        assert (code, {name: one["transactions"] for name, one in told.items()}) == (0, {"db2": 0, "db3": 0})
        values = ", ".join(value for _, value, _ in COLUMNS)
        made = (
            f"INSERT INTO app.kinds VALUES ({values})",
            "UPDATE app.t SET w = 11 WHERE n = 1",
            "DELETE FROM app.t WHERE n = 2",
            "CREATE TABLE app.only_here (n INT)",
        )
        alone_on(play, "db3", *made)
        play.lab.sql("db1", "UPDATE app.t SET w = 12 WHERE n = 1")
        judge_noticed(play)
        code, told = errant(play, "db3", "--export")
        assert (code, told["db3"]["transactions"]) == (1, 4)
        rows = [row for one in told["db3"]["shown"] for row in one["rows"]]
        assert list(rows[0]["after"]) == names()
        assert list(rows[0]["after"].values()) == [shown for _, _, shown in COLUMNS]
        assert rows[0]["key"] == {"n": 7}
        assert [row["conflict"] for row in rows] == ["none", "differs", "none"]
        assert (rows[1]["before"], rows[1]["after"]) == ({"n": 1, "w": 10}, {"n": 1, "w": 11})
        assert rows[2]["before"] == {"n": 2, "w": 20}
        assert any("only_here" in said for one in told["db3"]["shown"] for said in one["statements"])
        kept = Path(told["db3"]["export"])
        assert json.loads((kept / "manifest.json").read_text())["gtids"] == told["db3"]["gtids"]
        judge_down(play, rows)
        judge_injection(play, str(told["db3"]["gtids"]))
        assert "### UPDATE `app`.`t`" in (kept / "transactions.sql").read_text(errors="replace")


def judge_noticed(play: Rehearsal) -> None:
    """The status names it, and the manager, asked by nobody, has kept what it saw of db3."""
    eventually(lambda: list(play.problems("db3")), lambda found: found == ["errant"], "db3 as errant and nothing else")
    copies = Path(play.lab.folder)
    (first, *_) = eventually(lambda: list(copies.glob("*/state/divergence/*-db3/manifest.json")), bool, "a copy")
    assert json.loads(first.read_text())["lacking"] == ""
    assert json.loads((first.parent / "transactions.json").read_text())["transactions"]


def judge_down(play: Rehearsal, rows: list[dict[str, Any]]) -> None:
    """With its mysqld down the same is read from its log by its host."""
    play.lab.fault.kill("db3")
    code, told = errant(play, "db3")
    assert (code, told["db3"]["reachable"], told["db3"]["problem"]) == (1, False, None)
    assert [row for one in told["db3"]["shown"] for row in one["rows"]] == rows
    play.lab.start_mysqld("db3")


def judge_injection(play: Rehearsal, gtids: str) -> None:
    """Named one by one they are empty on the primary, and nobody is errant any more; others cannot be made up."""
    code, told, _ = play.command("rejoin", "shop", "db3", "--inject-empty", f"{gtids},{STRANGE}", "--yes")
    assert (code, [refusal["id"] for refusal in told["refusals"]]) == (1, ["not-errant"])
    code, told, said = play.command("rejoin", "shop", "db3", "--inject-empty", gtids, "--yes")
    assert (code, told["outcome"]) == (0, "done"), said
    assert inside(play.lab, "db1", gtids)
    assert play.lab.sql("db1", "SELECT w FROM app.t WHERE n = 1") == ((12,),), "they are empty there"
    eventually(lambda: errant(play)[0], lambda code: code == 0, "nobody with errant transactions")


def test_the_lost_tail_of_an_old_primary_is_kept_row_by_row_when_it_is_back(lab: LabFactory) -> None:
    with rehearsal(lab(settings={"clusters": {"shop": {"failover": {"max_loss": 100000}}}})) as play:
        for statement in (ODD, ODD_BEFORE, *FIRES):
            play.lab.sql("db1", statement)
        play.begin()
        play.deaf("db2", "db3")
        play.writer.pause()
        hang_up(play, "db1")
        play.lab.fault.link("db1", up=False)
        eventually(lambda: play.logged("operation ended"), bool, "the end of the failover")
        play.writer.resume()
        play.go_on()
        elect = play.operations()[0]["new_primary"]
        before = executed(play.lab, "db1")
        for statement in ODD_AFTER:
            modes = "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', time_zone = '-05:00'; "
            play.lab.sql("db1", modes + statement)
        between = executed(play.lab, "db1")
        play.lab.sql("db1", "INSERT INTO app.fires VALUES (1)")
        play.lab.fault.link("db1", up=True)
        eventually(lambda: takes_writes(play.lab, "db1"), lambda writes: not writes, "a closed db1")
        # behind a link that was cut a moment ago an agent may not answer at once; it is asked again
        shown = eventually(lambda: kept_by(play), lambda found: found["outcome"] == "refused", "the judgement")
        fired = str(play.lab.sql("db1", f"SELECT GTID_SUBTRACT(@@GLOBAL.gtid_executed, '{between}')")[0][0])
        odd = str(play.lab.sql("db1", f"SELECT GTID_SUBTRACT('{between}', '{before}')")[0][0])
        assert (odd.rpartition(":")[2].count("-"), fired.rpartition(":")[2].isdigit()) == (1, True), "three and one"
        judge_export(play, str(shown["operation"]), str(elect), fired)


def kept_by(play: Rehearsal) -> dict[str, Any]:
    """The rejoin that has kept what diverged, when it has ended."""
    for one in play.journal():
        shown = play.shown(one["operation"]) if one["kind"] == "rejoin" else {"steps": ()}
        if any(step["title"].startswith("keep") and step["outcome"] == "done" for step in shown["steps"]):
            return dict(shown)
    return {"outcome": ""}


def judge_export(play: Rehearsal, operation: str, elect: str, fired: str) -> None:
    """Row by row: what was kept is what the client wrote there and the new primary has not."""
    code, told = errant(play, "db1")
    assert code == 1
    found = next(Path(play.lab.folder).glob(f"*/state/divergence/{operation}"))
    kept = json.loads((found / "transactions.json").read_text())["transactions"]
    assert json.loads((found / "manifest.json").read_text())["gtids"] == told["db1"]["gtids"]
    account = play.writer.stop()
    there = {int(str(n)) for (n,) in play.lab.sql(elect, "SELECT n FROM app.numbered")}
    lost = {ack.number for ack in account.acks if ack.server == "db1"} - there
    assert len(lost) >= 60, "the deaf replicas had not got these"
    made = [row for one in kept for row in one["rows"]]
    rows = {row["after"]["n"]: row["after"] for row in made if row["table"] == "app.numbered"}
    odd = [row for row in made if row["table"] == "app.odd"]
    assert [(row["after"] or row["before"])["twice"] for row in odd] == [6, 8, 20, 4], "each name has its own value"
    assert [row["table"] for row in made if "fire" in row["table"]] == ["app.fires", "app.fired"]
    assert lost <= rows.keys() <= lost | set(account.unknown)
    on_db1 = {int(str(n)): str(f) for n, f in play.lab.sql("db1", "SELECT n, filler FROM app.numbered")}
    assert {n: row["filler"] for n, row in rows.items()} == {n: on_db1[n] for n in rows}
    judged: dict[str, set[int]] = {"acknowledged": set(), "unknown": set()}
    for one in kept:  # in async mode nobody is ever said not to have been told
        judged[one["acknowledged"]] |= {row["after"]["n"] for row in one["rows"] if row["table"] == "app.numbered"}
    assert judged["acknowledged"] & lost, "as the client has it"
    assert {one["acknowledged"] for one in kept if one["rows"][0]["table"] == "app.odd"} == {"unknown"}, "written later"
    judge_replay(play, elect, str(told["db1"]["gtids"]), fired, lost)


def judge_replay(play: Rehearsal, elect: str, everything: str, fired: str, lost: set[int]) -> None:
    """Shown first, refused without rights and with triggers, then all of it at once; a second time it is in its own
    way.
    """
    gtids = str(play.lab.sql(elect, f"SELECT GTID_SUBTRACT('{everything}', '{fired}')")[0][0])
    asked = ("rejoin", "shop", "db1", "--replay", gtids)
    before = executed(play.lab, elect)
    code, planned, said = play.command(*asked, "--dry-run")
    assert code == 0, said
    assert f"insert app.numbered n={min(lost)}" in said
    assert "(conflict: unknown)" in said, "our account may not read there"
    assert "replay" in str(planned["groups"])
    code, told, _ = play.command(*asked, "--yes")
    assert (code, told["outcome"]) == (1, "failed")
    assert play.lab.sql(elect, f"SELECT GTID_SUBTRACT(@@GLOBAL.gtid_executed, '{before}')") == (("",),)
    judge_triggers(play, elect, asked, everything)
    code, told, said = play.command(*asked, "--yes")
    assert (told["outcome"], told["replicas"]) == ("done", []), said
    for table in ("app.odd", "app.fires", "app.fired"):
        copy, own = (play.lab.sql(name, f"SELECT * FROM {table} ORDER BY n") for name in (elect, "db1"))
        assert copy == (own if table == "app.odd" else ()), table
    there = {int(str(n)) for (n,) in play.lab.sql(elect, "SELECT n FROM app.numbered")}
    assert lost <= there, "they are back"
    assert not inside(play.lab, elect, gtids), "under names of their own"
    code, told, _ = play.command(*asked, "--yes")
    assert told["outcome"] == "failed", "their rows are there already"


def judge_triggers(play: Rehearsal, elect: str, asked: tuple[str, ...], everything: str) -> None:
    """Who may not see triggers replays nothing, and nobody replays into a table that has some."""
    play.lab.sql(elect, "GRANT SELECT, INSERT, UPDATE, DELETE ON app.* TO failoverd@'%'")
    code, told, _ = play.command(*asked, "--yes")
    assert (code, told["outcome"]) == (1, "failed")
    assert "does not see the triggers of app." in str(told["steps"])
    play.lab.sql(elect, "GRANT TRIGGER ON app.* TO failoverd@'%'")
    before = executed(play.lab, elect)
    code, told, _ = play.command("rejoin", "shop", "db1", "--replay", everything, "--yes")
    assert (code, told["outcome"]) == (1, "failed")
    assert "app.fires has triggers" in str(told["steps"])
    assert play.lab.sql(elect, f"SELECT GTID_SUBTRACT(@@GLOBAL.gtid_executed, '{before}')") == (("",),), "all or none"
