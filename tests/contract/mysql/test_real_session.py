"""Several statements in one round trip, on a real server: the first that fails ends it, those before it have run."""

from __future__ import annotations

from typing import Any

import pytest

from failoverd.drivers.mysql import statements, wire
from failoverd.drivers.mysql.access import ServerAccess
from failoverd.drivers.mysql.session import Doors, Session
from failoverd.drivers.tasks import ThreadTasks
from failoverd.model.errors import ServerError
from failoverd.model.sight import Endpoint
from tests.contract.mysql.worlds import CLOCK, CLUSTER, RealWorld
from tests.fakes.coordination import FakeLease

LONG = 5.0
STOP_LIMIT = "SELECT @@GLOBAL.rpl_stop_replica_timeout AS seconds"


def session_on(real: RealWorld, server: str) -> Session:
    here = Endpoint("127.0.0.1", real.mysqlds[server].port)
    doors = Doors(CLOCK, wire.Names(ThreadTasks()), "failoverd/test")
    return doors.open(ServerAccess(CLUSTER, server, here, "failoverd", "right"), LONG)


def test_each_statement_has_its_own_rows_in_order(real: RealWorld) -> None:
    session = session_on(real, "db1")
    said = (
        statements.READ_VERSION.say(),
        statements.READ_PREPARED.say(),
        statements.READ_STATUS.say("Threads_running"),
    )
    (version,), prepared, (running,) = session.batch(said, limit=LONG)
    assert (version["version"][0].isdigit(), prepared, int(running["Value"]) > 0) == (True, (), True)
    session.close()


def test_the_first_that_fails_is_named_and_ends_it(real: RealWorld) -> None:
    session = session_on(real, "db1")
    wanted = (statements.LIMIT_LOCK_WAIT.say(7), statements.KILL.say(0), statements.LIMIT_LOCK_WAIT.say(9))
    with pytest.raises(ServerError, match="refused to end a session") as caught:
        session.batch(wanted, limit=LONG)
    assert caught.value.code == 1094
    (version,) = session.rows(statements.READ_VERSION, limit=LONG)
    assert version["version"], "the session goes on"
    with session._connection.cursor() as cursor:
        cursor.execute("SELECT @@SESSION.lock_wait_timeout AS seconds")
        found: Any = cursor.fetchall()
    assert found == ((7,),)
    session.close()


@pytest.mark.parametrize("server", ["db1", "db2"])
def test_the_servers_limit_of_stopping_comes_back(real: RealWorld, server: str) -> None:
    mysqld = real.mysqlds[server]
    before = mysqld.rows(STOP_LIMIT)
    claim = real.servers().claim(CLUSTER, server, FakeLease(1), LONG)
    claim.stop_receiver(LONG)  # db1 has none: the server refuses it in the middle of what was said
    assert mysqld.rows(STOP_LIMIT) == before != [{"seconds": 2}]
    claim.release()
