"""The write probe on a real server: one row, one session, and nothing at all where nothing may be written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from failoverd.drivers.mysql.servers import Manager, MysqlServers
from failoverd.drivers.wakeups import Bell
from failoverd.model.errors import LockLost
from failoverd.model.writing import Unwritten, WriteProbe
from tests.contract.mysql.test_real_doors import access_to
from tests.contract.mysql.worlds import CLOCK, CLUSTER, RealWorld, within
from tests.fakes.coordination import FakeLease

PATIENCE = 15.0
PROBE = WriteProbe("app.probe", 0.1)
TABLE = "CREATE TABLE app.probe (id INT PRIMARY KEY, writer VARCHAR(255), written_at DATETIME(6))"


class Probed:
    """One server with the table, and a manager that writes there."""

    def __init__(self, real: RealWorld) -> None:
        self.mysqld = real.mysqlds["db1"]
        self.servers = MysqlServers((access_to(self.mysqld),), {}, Manager("m1"), CLOCK, Bell())
        (row,) = self.mysqld.rows("SELECT @@server_uuid AS uuid")
        self.uuid = str(row["uuid"])

    def write(self, uuid: str = "", lease: FakeLease | None = None) -> Unwritten | None:
        """What the port says now."""
        return self.servers.try_write(CLUSTER, "db1", PROBE, uuid or self.uuid, lease or FakeLease(1))

    def executed(self) -> str:
        """Everything that was ever committed there."""
        (row,) = self.mysqld.rows("SELECT @@GLOBAL.gtid_executed AS found")
        return str(row["found"])

    def tried(self, uuid: str = "", lease: FakeLease | None = None) -> Unwritten | None:
        """What a whole attempt comes to: begun, ended, told."""
        self.write(uuid, lease)
        writer = self.servers._writers[CLUSTER, "db1"]
        within(PATIENCE, lambda: not writer._under_way, "the end of the write")
        return writer._unwritten


@pytest.fixture
def probed(real: RealWorld) -> Iterator[Probed]:
    found = Probed(real)
    found.mysqld.rows("DROP TABLE IF EXISTS app.probe", TABLE, "GRANT INSERT, UPDATE ON app.probe TO failoverd@'%'")
    yield found
    found.servers.close()
    found.mysqld.rows("SET GLOBAL super_read_only = OFF, GLOBAL read_only = OFF", "DROP TABLE IF EXISTS app.probe")
    found.mysqld.rows("REVOKE INSERT, UPDATE ON app.probe FROM failoverd@'%'")


def test_a_row_is_written_and_written_again(probed: Probed) -> None:
    assert probed.tried() is None
    first = probed.mysqld.rows("SELECT id, writer, written_at FROM app.probe")
    within(
        PATIENCE,
        lambda: (
            (probed.write(), probed.mysqld.rows("SELECT written_at FROM app.probe"))[1]
            != [{"written_at": first[0]["written_at"]}]
        ),
        "the next write",
    )
    (row,) = probed.mysqld.rows("SELECT id, writer FROM app.probe")
    assert (row["id"], row["writer"]) == (1, "m1")


@pytest.mark.parametrize("closed", ["read_only", "super_read_only"])
def test_a_closed_server_keeps_its_set(probed: Probed, closed: str) -> None:
    """Our account may write where only read_only is set: the statement looks for itself."""
    assert probed.tried() is None
    probed.mysqld.rows(f"SET GLOBAL {closed} = ON")
    before = probed.executed()
    CLOCK.sleep(PROBE.every)
    assert probed.tried() is None
    assert probed.executed() == before


def test_another_server_keeps_its_set(probed: Probed) -> None:
    before = probed.executed()
    assert probed.tried("00000000-0000-0000-0000-000000000099") is None
    assert probed.executed() == before


def test_a_manager_that_lost_its_lease_writes_nothing(probed: Probed) -> None:
    class Lost(FakeLease):
        def check(self) -> None:
            raise LockLost("it is over")

    before = probed.executed()
    assert probed.tried(lease=Lost(1)) is None
    assert probed.executed() == before


def test_while_a_lock_is_held_one_write_waits_and_no_second_one_joins_it(real: RealWorld, probed: Probed) -> None:
    assert probed.tried() is None
    waiting = "SELECT COUNT(*) AS n FROM information_schema.processlist WHERE INFO LIKE 'INSERT INTO `app`.`probe`%'"
    with real.client("db1") as client:
        client.say("LOCK TABLES app.probe READ")  # type: ignore[attr-defined]
        within(PATIENCE, lambda: (probed.write(), probed.mysqld.rows(waiting))[1] == [{"n": 1}], "a write that waits")
        since = probed.write()
        assert since is not None
        within(PATIENCE, lambda: "1205" in str(probed.write()), "the server's own limit")
        again = probed.write()
        assert again is not None
        assert again.since == since.since, "since the first of them"
        assert probed.mysqld.rows(waiting)[0]["n"] in {0, 1}
    within(PATIENCE, lambda: probed.write() is None, "a write that comes to its end")


def test_a_missing_table_is_our_own_fault(probed: Probed) -> None:
    probed.mysqld.rows("DROP TABLE app.probe")
    found = probed.tried()
    assert found is not None
    assert found.ours
    assert "1146" in str(found) or "doesn't exist" in str(found)
