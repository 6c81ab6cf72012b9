"""What a primary and a replica of MySQL answer to everything that a look asks, recorded from real servers.

`python -m tests.bench.recording` starts two throw-away servers, asks, and writes tests/fixtures/status/<version>.json.
What differs from server to server stands there as a name in braces, so that a pretended server can answer as anybody.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pymysql

from failoverd.drivers.mysql import statements
from tests.acceptance.real_mysqld import RealMysqld
from tests.contract.mysql.worlds import in_memory, template

TARGET = Path(__file__).parents[1] / "fixtures/status"
ASKED = (
    statements.READ_VERSION,
    statements.READ_IDENTITY,
    statements.READ_UPTIME,
    statements.READ_START_VALUES,
    statements.READ_CHANNELS,
    statements.READ_RECEIVERS,
    statements.READ_SETS,
    statements.READ_SESSIONS,
)
# Numbers too short to be looked for in texts.
OWN = {"server_id": "{server_id}", "Source_Server_Id": "{source_server_id}"}
WRITES = 37
PATIENCE = 30.0


def answers(server: RealMysqld, words: Mapping[str, str]) -> dict[str, Any]:
    """The columns and rows of every answer, by statement; `words` are replaced by their names in braces."""
    told: dict[str, Any] = {}
    session = pymysql.connect(
        host="127.0.0.1", port=server.port, user="failoverd", password="right", autocommit=True, conv={}
    )
    with session, session.cursor() as cursor:
        for statement in ASKED:
            cursor.execute(statement.text)
            columns = [[column[0], column[1]] for column in cursor.description]
            names = [column[0] for column in columns]
            rows = [
                [OWN.get(name) or named(value, words) for name, value in zip(names, row, strict=True)]
                for row in cursor.fetchall()
            ]
            told[statement.text] = {"columns": columns, "rows": rows}
    return told


def named(value: str | None, words: Mapping[str, str]) -> str | None:
    """A value with the names of what differs from server to server."""
    for name, word in words.items():
        value = value.replace(word, "{" + name + "}") if value is not None else None
    return value


def main() -> int:
    """Record; 1 where the replica does not come up."""
    home = in_memory("recording")
    made = template(home)
    extra = ("--performance-schema=ON", "--skip-name-resolve")
    servers = [RealMysqld(home / name, number, extra=extra) for number, name in enumerate(("db1", "db2"), 1)]
    try:
        for server in servers:
            server.initialise(made)
            server.start()
        primary, replica = servers
        primary.rows(*(["INSERT INTO app.t (body) VALUES ('x')"] * WRITES))
        replica.rows(
            f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={primary.port}, SOURCE_USER='repl',"
            " SOURCE_PASSWORD='replicate', SOURCE_AUTO_POSITION=1, SOURCE_HEARTBEAT_PERIOD=0.5, SOURCE_CONNECT_RETRY=1,"
            " GET_SOURCE_PUBLIC_KEY=1",
            "START REPLICA",
            "SET GLOBAL super_read_only = ON",
        )
        end = time.monotonic() + PATIENCE
        while replica.executed() != primary.executed():
            if time.monotonic() > end:
                sys.stderr.write("the replica has not caught up\n")
                return 1
            time.sleep(0.1)
        time.sleep(1.0)  # a heartbeat has come by then
        told: dict[str, Any] = {}
        for role, server in (("primary", primary), ("replica", replica)):
            own, source = server.value("SELECT @@server_uuid"), primary.value("SELECT @@server_uuid")
            words = {
                "sequence": f"1-{WRITES}",
                "source_uuid": source,
                "source_port": str(primary.port),
                "uuid": own,
                "port": str(server.port),
                "home": str(server.home),
            }
            told[role] = answers(server, words)
        version = primary.value("SELECT VERSION()")
        TARGET.mkdir(parents=True, exist_ok=True)
        (TARGET / f"{version}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    finally:
        for server in servers:
            server.kill()
        shutil.rmtree(home)
    return 0


if __name__ == "__main__":
    sys.exit(main())
