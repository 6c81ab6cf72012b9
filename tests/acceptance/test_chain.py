"""A replica of a replica: shown and kept as it is, and led to the primary when the one between them dies.

Somebody watches on a terminal meanwhile: what `status --watch` draws there must tell the story.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

from failoverd.lab import Lab
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import PATIENCE, ROW, eventually, rehearsal, replication

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@contextlib.contextmanager
def somebody_watches(lab: Lab) -> Iterator[Path]:
    """`status --watch` on a terminal of its own; the file that holds what was drawn."""
    drawn, pid = lab.folder / "watched", lab.folder / "watching.pid"
    watched = shlex.join(["env", "COLUMNS=160", *lab.manager_argv("mgr1", "status", "shop", "--watch")])
    typed = f"echo $$ > {shlex.quote(str(pid))}; exec script -qfec {shlex.quote(watched)} {shlex.quote(str(drawn))}"
    screen = threading.Thread(target=lab.call_in, args=("mgr1", ["sh", "-c", typed]), kwargs={"deadline": 5 * PATIENCE})
    screen.start()
    try:
        eventually(lambda: shown(drawn), lambda text: "nothing has changed" in text, "a first picture")
        yield drawn
    finally:
        os.kill(int(pid.read_text(encoding="ascii")), signal.SIGTERM)
        screen.join()


def shown(drawn: Path) -> str:
    """Everything that was drawn so far, without colours and movements."""
    return CONTROL.sub("", drawn.read_text(encoding="utf-8", errors="replace")) if drawn.exists() else ""


def test_the_replicas_of_a_dead_intermediate_source_go_to_the_primary(lab: LabFactory) -> None:
    with rehearsal(lab(), patience=ROW) as play:
        between = play.lab.hosts["db2"].address
        play.lab.sql("db3", "STOP REPLICA IO_THREAD FOR CHANNEL ''")
        change = f"SOURCE_HOST='{between}', SOURCE_COMPRESSION_ALGORITHMS='zstd'"
        play.lab.sql("db3", f"CHANGE REPLICATION SOURCE TO {change} FOR CHANNEL ''")
        play.lab.sql("db3", "START REPLICA IO_THREAD FOR CHANNEL ''")
        play.begin()
        told = play.managers.wait_for("a chain", lambda s: roles(s) == ["primary", "intermediate", "replica"], PATIENCE)
        assert told["verdict"] == "healthy"
        play.quiet()
        assert replication(play.lab, "db3")["Source_Host"] == between, "a chain is kept"
        with somebody_watches(play.lab) as drawn:
            os.kill(play.lab.mysqld_pid("db2"), signal.SIGKILL)
            eventually(
                lambda: replication(play.lab, "db3"),
                lambda row: (row["Source_Host"], row["Replica_IO_Running"]) == (play.lab.hosts["db1"].address, "Yes"),
                "db3 following db1",
            )
            for line in ("db2 does not answer", "db3: source db2 -> db1"):
                eventually(lambda: shown(drawn), lambda text, line=line: line in text, line)  # type: ignore[misc]
        assert ("zstd",) in play.lab.sql("db3", COMPRESSION), "its options are kept"
        account = play.settled("db1", ("db3",))
        assert not account.errors, "the client noticed nothing"


COMPRESSION = "SELECT Compression_algorithm FROM performance_schema.replication_connection_configuration"


def roles(status: object) -> list[str]:
    """The roles of all servers in their order."""
    assert isinstance(status, dict)
    return [server["role"] for server in status["servers"]]
