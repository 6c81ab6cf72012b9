"""Checksums of tables on real servers: what is told, that nothing is written, and that nobody's statement runs on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from failoverd.model.comparing import TableSum
from failoverd.model.errors import StepFailed
from tests.contract.mysql.worlds import RealWorld, within

CLUSTER, TABLE = "Shop", "app.s"
ROW = "INSERT INTO app.s (body) VALUES ('x')"


def unheeded(seconds: float) -> None:
    """Go on."""


@pytest.fixture
def readable(real: RealWorld) -> Iterator[RealWorld]:
    """The account may read what it is asked about, for once; both servers have the same."""
    source = real.mysqlds["db1"]
    source.rows("GRANT SELECT ON app.* TO failoverd@'%'")
    source.rows("CREATE TABLE app.s (id INT PRIMARY KEY AUTO_INCREMENT, body TEXT)", ROW, ROW, ROW)
    within(10, lambda: real.executed("db2") == real.executed("db1"), "the replica has it")
    yield real
    source.rows("REVOKE SELECT ON app.* FROM failoverd@'%'")


def summed(real: RealWorld, server: str, table: str = TABLE) -> TableSum:
    return real.servers().table_sum(CLUSTER, server, table, unheeded)


def test_a_table_is_equal_until_somebody_writes_to_one_side(readable: RealWorld) -> None:
    before = readable.executed("db1")
    ours, theirs = summed(readable, "db2"), summed(readable, "db1")
    assert (ours, theirs.problem) == (theirs, "")
    assert ours.checksum
    assert ours.before == ours.after == before
    assert (readable.executed("db1"), readable.executed("db2")) == (before, before), "nothing is written by asking"
    readable.mysqlds["db1"].rows(ROW)
    assert summed(readable, "db1").checksum != ours.checksum


def test_a_right_or_a_table_that_is_lacking_is_told(readable: RealWorld) -> None:
    refused = summed(readable, "db1", "other.t")
    assert refused.problem == "db1: GRANT SELECT ON other.t TO failoverd is missing"
    assert (summed(readable, "db1", "app.nothing").checksum, summed(readable, "db1", "app.nothing").problem) == (
        None,
        "",
    )


def test_nobodys_statement_runs_on(readable: RealWorld) -> None:
    mysqld = readable.mysqlds["db1"]
    running = "SELECT COUNT(*) AS found FROM performance_schema.processlist WHERE INFO LIKE 'CHECKSUM%'"

    def give_up(seconds: float) -> None:
        del seconds
        raise StepFailed("the primary is missed")

    with contextlib.closing(mysqld.connect()) as holder, holder.cursor() as cursor:
        cursor.execute(f"LOCK TABLES {TABLE} WRITE")
        with pytest.raises(StepFailed):
            readable.servers().table_sum(CLUSTER, "db1", TABLE, give_up)
        within(3, lambda: not mysqld.rows(running)[0]["found"], "it has ended, with the lock still held")
