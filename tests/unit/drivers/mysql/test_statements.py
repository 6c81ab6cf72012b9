"""What failoverd may say to a server: the whole table, and that the driver has no other words."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from failoverd.drivers import mysql
from failoverd.drivers.mysql import amending, cloning, filters, statements

DRIVER = Path(mysql.__path__[0])
OUT_OF_BAND = {"application.py", "local.py"}  # for the lab and its writing client; no part of the manager
MANAGING = sorted(path for path in DRIVER.glob("*.py") if path.name not in OUT_OF_BAND)
READS = re.compile(r"(SELECT|SHOW) ")
SESSION = re.compile(r"SET SESSION [a-z_]+ = ")
CHANGES = (
    r"SET GLOBAL (read_only = OFF|super_read_only = ON|offline_mode = (ON|OFF))",
    r"SET PERSIST super_read_only = ON",
    r"SET GLOBAL (rpl_stop_replica_timeout|replica_net_timeout) = %s",
    r"SET GLOBAL rpl_stop_replica_timeout = @failoverd_stop_limit",
    r"SET GLOBAL sync_binlog = %s, GLOBAL innodb_flush_log_at_trx_commit = %s",
    r"FLUSH LOCAL (BINARY|ENGINE) LOGS",
    r"KILL CONNECTION %s",
    r"(START|STOP) REPLICA (IO_THREAD |SQL_THREAD )?FOR CHANNEL %s",
    r"RESET REPLICA (ALL )?FOR CHANNEL %s",
    r"SET GLOBAL rpl_semi_sync_(replica_enabled = ON|source_enabled = OFF)",
    r"SET (GLOBAL rpl_semi_sync_source_[a-z_]+ = (%s|ON|'AFTER_SYNC')(, )?)+",
    r"CHANGE REPLICATION FILTER [A-Z_]+ = \([^;]*\) FOR CHANNEL %s",
    r"CHANGE REPLICATION SOURCE TO ([A-Z_]+ = ('nobody'|%s|\d+)(, )?)+ FOR CHANNEL %s",
)
READS_TOO = {"XA RECOVER", "START TRANSACTION READ ONLY", "ROLLBACK"}
# What a person's word about named transactions makes on a primary stands apart from the table, and is said there only.
AMENDING = {name for name, value in vars(amending).items() if isinstance(value, statements.Statement)}
CLONING = {name for name, value in vars(cloning).items() if isinstance(value, statements.Statement)}
APART = {"amending.py": AMENDING, "cloning.py": CLONING}
EVERY_FILTER = [filters.change_filter(name, "") for name in statements.FILTERS]
EVERY_OPTION = statements.change_source(statements.SOURCE_OPTIONS)


@pytest.mark.parametrize("statement", [*statements.ALL, *EVERY_FILTER, EVERY_OPTION], ids=lambda s: s.text[:40])
def test_a_statement_reads_or_is_one_of_the_known_changes(statement: statements.Statement) -> None:
    if statement.changes:
        assert any(re.fullmatch(change, statement.text) for change in CHANGES)
    else:
        assert READS.match(statement.text) or SESSION.match(statement.text) or statement.text in READS_TOO
    assert ";" not in statement.text
    assert "PERSIST" not in statement.text or statement is statements.STAY_CLOSED
    assert statement.does


@pytest.mark.parametrize("statement", [s for s in statements.ALL if " REPLICA" in s.text and s.changes])
def test_whatever_touches_replication_names_its_channel_last(statement: statements.Statement) -> None:
    assert statement.text.endswith("FOR CHANNEL %s")


def test_a_clone_says_these_and_nothing_of_them_outlives_a_restart() -> None:
    said = {getattr(cloning, name).text.split(" = ")[0] for name in CLONING}
    assert {text for text in said if text.startswith("SET")} == {
        "SET GLOBAL super_read_only",
        "SET GLOBAL clone_valid_donor_list",
    }
    assert {text.split(" FROM ")[0] for text in said if not text.startswith(("SET", "SELECT", "KILL"))} == {
        "CLONE INSTANCE"
    }


def test_the_table_is_not_empty_and_holds_each_text_once() -> None:
    texts = [statement.text for statement in statements.ALL]
    assert len(texts) > 25
    assert len(set(texts)) == len(texts)


def test_peoples_own_query_is_a_select_that_the_server_ends() -> None:
    assert statements.of_people("select x", 0.5).text == "select /*+ MAX_EXECUTION_TIME(500) */ x"
    for other in ("UPDATE t SET x = 1", "SELEC", "(SELECT 1)", "SELECT 1; COMMIT"):
        with pytest.raises(ValueError, match=re.escape(other)):
            statements.of_people(other, 1.0)


def test_options_come_in_the_tables_order_whatever_order_they_are_named_in() -> None:
    one = statements.change_source(["SOURCE_PORT", "SOURCE_HOST"])
    assert one.text == "CHANGE REPLICATION SOURCE TO SOURCE_HOST = %s, SOURCE_PORT = %s FOR CHANNEL %s"
    with pytest.raises(KeyError):
        statements.change_source(["RELAY_LOG_FILE"])


def calls(name: str) -> list[tuple[str, ast.Call]]:
    """All calls of a method of that name in the driver."""
    return [
        (path.name, found)
        for path in MANAGING
        for found in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(found, ast.Call) and isinstance(found.func, ast.Attribute) and found.func.attr == name
    ]


def test_what_is_said_together_is_of_the_table_too() -> None:
    found = [
        (place, ast.unparse(call.func.value)) for place, call in calls("say") if isinstance(call.func, ast.Attribute)
    ]
    assert found
    # what is handed on is a parameter of that type, or one of a tuple of them
    others = {(place, what) for place, what in found if not what.startswith("statements.")}
    for place, what in others:
        assert what in {"statement", "one", *APART.get(place, ())}, place


def test_only_the_session_speaks_to_the_library() -> None:
    assert {place for place, _ in calls("_execute_command")} == {"results.py"}
    assert {place for place, _ in calls("send")} == {"session.py"}
    assert {ast.unparse(call.args[0]) for _, call in calls("ask")} <= {
        "said",
        "(said,)",
        "self._asked()",
        "(*after, *self._asked())",
        "session",
    }
    assert not calls("execute")
    assert not calls("query")
    assert not calls("executemany")


def test_the_manager_uses_nothing_of_the_labs() -> None:
    for path in MANAGING:
        for found in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(found, ast.ImportFrom):
                assert not {f"{found.module}.py".rpartition("mysql.")[2]} & OUT_OF_BAND, path
    builders = [path.read_text(encoding="utf-8") for path in (DRIVER.parents[1] / "bootstrap").glob("*.py")]
    assert builders
    assert not any(f"mysql.{name.removesuffix('.py')}" in text for name in OUT_OF_BAND for text in builders)


@pytest.mark.parametrize("method", ["rows", "change"])
def test_only_statements_of_the_table_are_said(method: str) -> None:
    found = calls(method)
    assert found
    for place, call in found:
        said = ast.unparse(call.args[0])
        known = said.startswith(("statements.", "filters.change_filter(", "write_into("))
        known = known or said in {"statement", "PREPARE_SESSION", *APART.get(place, ())}
        assert known, f"{place}:{call.lineno} says {said}"


def test_a_row_is_compared_by_counting_whatever_its_names_are() -> None:
    one = statements.count_rows("a`b", "100%", (("n", 1),), {"alike": (("n", 1), ("w", 2))}).statement
    assert one.text == (
        "SELECT COUNT(*) AS found, COALESCE(SUM(`n` <=> %s AND `w` <=> %s), 0) AS alike"
        " FROM `a``b`.`100%%` WHERE `n` <=> %s"
    )
    assert not one.changes
    assert "SUM(TRUE)" in statements.count_rows("a", "t", (("n", 1),), {"alike": ()}).statement.text
