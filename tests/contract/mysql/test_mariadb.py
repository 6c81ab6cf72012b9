"""MariaDB is known by the version it tells, and let alone: nothing but that is asked of it.

None runs here, so a pretended server greets and answers as MariaDB 10.11 is documented to: with a version of MySQL's
before its own in the greeting, which clients take away, and its own alone in the answer to VERSION().
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from failoverd.drivers.mysql.access import ServerAccess
from failoverd.drivers.mysql.statements import READ_VERSION
from failoverd.model.sight import Endpoint, Unreachable, Why
from tests.acceptance.real_mysqld import free_port
from tests.bench.pretended import Answers, Conversation, Server
from tests.contract.mysql.test_real_doors import look

VERSION = "10.11.6-MariaDB-0+deb12u1"
TOLD = {READ_VERSION.text: {"columns": [["version", 253]], "rows": [[VERSION]]}}


@pytest.fixture
def port() -> Iterator[int]:
    """A pretended MariaDB; a statement that it has no answer to ends the session."""
    number, loop = free_port(), asyncio.new_event_loop()
    server = Server(number, "primary", {}, greets=f"5.5.5-{VERSION}")
    made = loop.create_server(lambda: Conversation(server, Answers(TOLD), 0.0), "127.0.0.1", number)
    listening = loop.run_until_complete(made)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield number
    loop.call_soon_threadsafe(listening.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10.0)
    loop.close()


def test_mariadb_is_known_by_its_version_and_refused(port: int) -> None:
    sight = look(ServerAccess("shop", "db1", Endpoint("127.0.0.1", port), "failoverd", "right", tls="off"))
    assert isinstance(sight, Unreachable)
    assert (sight.why, sight.spoke) == (Why.ALIVE, True)
    assert VERSION in sight.text
    assert "not supported" in sight.text
