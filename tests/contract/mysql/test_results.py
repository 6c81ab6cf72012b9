"""What a look reads is what the library would have read, also where the columns are known already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pymysql
import pytest

from failoverd.drivers.mysql import statements
from failoverd.drivers.mysql.results import Talk
from tests.contract.mysql.worlds import RealWorld

# Statements whose rows do not move between two readings.
STILL = (statements.READ_CHANNELS, statements.READ_SETS, statements.READ_REPLICAS)


def talk(real: RealWorld, server: str) -> Talk:
    """A session of ours."""
    return Talk(
        host="127.0.0.1", port=real.mysqlds[server].port, user="failoverd", password="right", autocommit=True,
        client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS, read_timeout=10,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_is_known() -> Iterator[None]:
    before = dict(Talk.known)
    Talk.known.clear()
    yield
    Talk.known.clear()
    Talk.known.update(before)


def said(one: Talk, texts: Sequence[str], *, named: bool = True) -> list[tuple[dict[str, object], ...]]:
    """What these statements answer, said together."""
    one.send("; ".join(texts))
    return [tuple(map(dict, rows)) for rows in one.hear(texts if named else [""] * len(texts))]


@pytest.mark.parametrize("server", ["db1", "db2"])
def test_known_columns_give_the_rows_that_the_library_gives(real: RealWorld, server: str) -> None:
    texts = [statement.text for statement in STILL]
    with talk(real, server) as one:
        first = said(one, texts)
        assert len(Talk.known) == len(texts)
        assert said(one, texts) == first
        plainly = said(one, texts, named=False)
    assert first == plainly
    assert any(first)


def test_known_columns_serve_other_sessions_and_servers(real: RealWorld) -> None:
    text = statements.READ_SETS.text
    with talk(real, "db1") as one, talk(real, "db2") as other:
        said(one, [text])
        known = dict(Talk.known)
        ((row,),) = said(other, [text])
    assert row["super_read_only"] == 1
    assert Talk.known == known


def test_columns_that_are_others_now_are_read_as_ever(real: RealWorld) -> None:
    text = "SELECT * FROM app.s"
    mysqld = real.mysqlds["db1"]
    mysqld.rows("CREATE TABLE app.s (one INT, two VARCHAR(10))", "INSERT INTO app.s VALUES (1, 'x')")
    with talk(real, "db1") as one:
        mysqld.rows("GRANT SELECT ON app.* TO failoverd@'%'")
        assert said(one, [text]) == [({"one": 1, "two": "x"},)]
        mysqld.rows("ALTER TABLE app.s RENAME COLUMN one TO uno")
        assert said(one, [text]) == [({"uno": 1, "two": "x"},)]
        mysqld.rows("ALTER TABLE app.s RENAME COLUMN uno TO a_longer_name")
        assert said(one, [text, text]) == [({"a_longer_name": 1, "two": "x"},)] * 2
    mysqld.rows("REVOKE SELECT ON app.* FROM failoverd@'%'", "DROP TABLE app.s")


def test_a_refusal_leaves_the_session_as_it_was(real: RealWorld) -> None:
    text = statements.READ_SETS.text
    with talk(real, "db1") as one:
        said(one, [text])
        with pytest.raises(pymysql.MySQLError):
            said(one, ["SELECT * FROM app.nothing"])
        assert said(one, [text]) == said(one, [text], named=False)
