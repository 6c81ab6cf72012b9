"""The grants that `failoverd check --grants` prints: all tests on real servers run with exactly these, and here each
one is taken away, and what it is for fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pymysql
import pytest

from failoverd.decide.grants import PRIVILEGES, Privilege, held, lacking, statements
from failoverd.drivers.mysql import statements as said
from tests.contract.mysql.worlds import GRANTS, RealWorld, within

Use = Callable[[RealWorld], tuple[str, tuple[object, ...]]]
SERVER = "db2"
DENIED = frozenset({1044, 1045, 1095, 1142, 1227, 1401})
NO_SUCH_CHANNEL = 3074


def saying(statement: said.Statement, *values: object) -> Use:
    """A statement of the driver's."""
    return lambda _: (statement.text, values)


def ending(user: str) -> Use:
    """The end of a session of that account."""

    def use(world: RealWorld) -> tuple[str, tuple[object, ...]]:
        def sessions() -> list[int]:
            rows = world.mysqlds[SERVER].rows("SHOW PROCESSLIST")
            return [row["Id"] for row in rows if row["User"] == user and row["Command"] != "Connect"]

        within(10, lambda: bool(sessions()), f"a session of {user}")
        return said.KILL.text, (sessions()[0],)

    return use


USES: dict[str, Use] = {
    "REPLICATION CLIENT": saying(said.READ_CHANNELS),
    "REPLICATION SLAVE": saying(said.READ_REPLICAS),
    "RELOAD": saying(said.FORGET_CHANNEL, "nowhere"),
    "PROCESS": saying(said.READ_TRANSACTIONS),
    "REPLICATION_SLAVE_ADMIN": saying(said.STOP_RECEIVER, ""),
    "SYSTEM_VARIABLES_ADMIN": saying(said.CLOSE),
    "CONNECTION_ADMIN": ending("app"),
    "XA_RECOVER_ADMIN": saying(said.READ_PREPARED),
    "SYSTEM_USER": ending("system user"),
    "SELECT": saying(said.READ_RECEIVERS),
}


def code_of(world: RealWorld, text: str, values: tuple[object, ...]) -> int:
    """The error that a new session of our account meets, 0 for none."""
    session = pymysql.connect(host="127.0.0.1", port=world.mysqlds[SERVER].port, user="failoverd", password="right")
    try:
        with session.cursor() as cursor:
            cursor.execute(text, values)
    except pymysql.Error as error:
        return int(error.args[0])
    finally:
        session.close()
    return 0


def change(world: RealWorld, verb: str, privilege: Privilege, to: str) -> None:
    """Grant or revoke, past the server's closed door and without a transaction."""
    words = f"{verb} {privilege.name} ON {privilege.on} {to} failoverd@'%'"
    opened, closed = "SET GLOBAL read_only = OFF", "SET GLOBAL super_read_only = ON"
    world.mysqlds[SERVER].rows("SET sql_log_bin = 0", opened, words, closed)


@pytest.fixture
def without(real: RealWorld, privilege: Privilege) -> Iterator[RealWorld]:
    """The servers, our account on one of them less one privilege; it has it again afterwards."""
    change(real, "REVOKE", privilege, "FROM")
    try:
        yield real
    finally:
        change(real, "GRANT", privilege, "TO")


@pytest.mark.parametrize("privilege", PRIVILEGES, ids=lambda p: p.name)
def test_without_it_what_it_is_for_is_denied(without: RealWorld, privilege: Privilege) -> None:
    with without.client(SERVER):
        text, values = USES[privilege.name](without)
        assert code_of(without, text, values) in DENIED
        rows = without.mysqlds[SERVER].rows("SHOW GRANTS FOR failoverd@'%'")
        assert lacking(held(str(next(iter(row.values()))) for row in rows)) == (privilege,)
        change(without, "GRANT", privilege, "TO")
        assert code_of(without, text, values) in {0, NO_SUCH_CHANNEL}


def test_every_privilege_has_its_use_and_no_other_is_granted_anywhere() -> None:
    assert set(USES) == {privilege.name for privilege in PRIVILEGES}
    printed = {line.rstrip(";") for line in statements("failoverd")}
    assert printed == {line for line in GRANTS if line.startswith("GRANT") and "failoverd" in line}
