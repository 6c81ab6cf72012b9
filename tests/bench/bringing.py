"""How fast missing transactions are brought to a candidate: splice, `mysqlbinlog | mysql` and native replication, on
the same transactions in the same run, each with relaxed and with durable settings.

`python -m tests.bench.bringing [TRANSACTIONS]`. The figures go to standard output, as a table and as one JSON document,
and to build/bench/bringing.json. Ends with 1 when a limit is broken or a copy differs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from failoverd.gtid import GtidSet
from tests.acceptance.real_mysqld import RealMysqld, mysqld_command
from tests.bench.splicing import GRANTS, managing
from tests.contract.ssh_server import SshServer

TRANSACTIONS = 200_000
TARGET = Path(__file__).parents[2] / "build/bench/bringing.json"
HOME = TARGET.with_name("bringing-work")  # on a disk, or durable settings would cost nothing
TABLES = 4
# Splice against `mysqlbinlog | mysql`, and against native replication, both with relaxed settings.
TIMES_FASTER, OF_NATIVE = 3.0, 0.9
RELAXED = "SET GLOBAL sync_binlog = 0, GLOBAL innodb_flush_log_at_trx_commit = 2"
DURABLE = "SET GLOBAL sync_binlog = 1, GLOBAL innodb_flush_log_at_trx_commit = 1"
EXTRA = (
    "--replica-parallel-workers=4",
    "--innodb-buffer-pool-size=256M",
    "--innodb-redo-log-capacity=512M",
    "--max-binlog-size=104857600",
    "--binlog-cache-size=65536",
)


Act = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One way with one setting: seconds with all preparation but what a running manager has open anyway, transactions a
    second, whether the copy is equal, and the machine's load average as it began: other work beside it makes every
    figure worse.
    """

    way: str
    settings: str
    seconds: float
    rate: float
    equal: bool
    load: float


class Ground:
    """The source with its transactions, and the data directory from which each candidate starts."""

    def __init__(self, count: int) -> None:
        self.count = count
        shutil.rmtree(HOME, ignore_errors=True)
        self.base = self._base()
        self.source = RealMysqld(HOME / "source", 1, extra=EXTRA)
        self.source.initialise(self.base)
        self.source.start()
        self._fill()
        self.wanted = self.source.executed()
        self.sums = self.checksums(self.source)
        self.sshd = SshServer(HOME / "sshd")
        self.sshd.start()

    def _base(self) -> Path:
        first = RealMysqld(HOME / "base", 9, extra=EXTRA)
        first.initialise()
        first.start()
        first.rows(
            "CREATE DATABASE app",
            "CREATE USER repl@'%' IDENTIFIED BY 'r'",
            "GRANT REPLICATION SLAVE ON *.* TO repl@'%'",
            *GRANTS,
        )
        for number in range(TABLES):
            first.rows(
                f"CREATE TABLE app.t{number} (id INT PRIMARY KEY AUTO_INCREMENT, body VARBINARY(4000), other CHAR(36))"
            )
        first.rows(
            "CREATE PROCEDURE app.fill(tables INT, many INT) BEGIN DECLARE i INT DEFAULT 0; WHILE i < many DO"
            + "".join(
                f" IF i % {TABLES} = {number} THEN INSERT INTO app.t{number} (body, other)"
                " VALUES (REPEAT(UUID_TO_BIN(UUID()), 150), UUID()); END IF;"
                for number in range(TABLES)
            )
            + " SET i = i + 1; END WHILE; END"
        )
        process = first.process
        assert process is not None
        first.rows("SHUTDOWN")
        process.wait(60)
        return first.datadir

    def _fill(self) -> None:
        session = self.source.connect()
        session._read_timeout = 3600  # the one statement of this file that takes minutes
        with session.cursor() as cursor:
            cursor.execute(f"CALL app.fill({TABLES}, {self.count})")
        session.close()

    def checksums(self, server: RealMysqld) -> list[int]:
        """The content of all tables, in numbers."""
        tables = ", ".join(f"app.t{number}" for number in range(TABLES))
        return [row["Checksum"] for row in server.rows(f"CHECKSUM TABLE {tables}")]

    def bytes(self) -> int:
        """How large the source's binary logs are."""
        return sum(path.stat().st_size for path in self.source.datadir.glob("binlog.0*"))

    def candidate(self, settings: str) -> RealMysqld:
        """A server that has the tables and none of the transactions."""
        made = RealMysqld(HOME / "candidate", 2, extra=EXTRA)
        shutil.rmtree(made.home, ignore_errors=True)
        made.initialise(self.base)
        made.start()
        made.rows(settings)
        return made

    def wait(self, server: RealMysqld) -> None:
        """Return when all transactions are executed."""
        while server.value(f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{self.wanted}', 30)") != "0":
            pass


@contextmanager
def native(ground: Ground, candidate: RealMysqld) -> Iterator[Act]:
    """As a replica of the living source."""
    yield lambda: replicate(ground, candidate)


def replicate(ground: Ground, candidate: RealMysqld) -> None:
    """Let it follow the source until it has everything."""
    candidate.rows(
        f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={ground.source.port}, SOURCE_USER='repl',"
        " SOURCE_PASSWORD='r', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1",
        "START REPLICA",
    )
    ground.wait(candidate)


@contextmanager
def spliced(ground: Ground, candidate: RealMysqld) -> Iterator[Act]:
    """As failoverd does: its own step, with agents behind a real sshd, whose lines a running manager keeps open."""
    with managing(ground.sshd, ground.source, candidate) as bring:
        yield lambda: bring(GtidSet.parse(ground.wanted))


@contextmanager
def piped(ground: Ground, candidate: RealMysqld) -> Iterator[Act]:
    """As other tools do."""
    yield lambda: pipe(ground, candidate)


def pipe(ground: Ground, candidate: RealMysqld) -> None:
    """Write mysqlbinlog's text into a client."""
    logs = sorted(str(path) for path in ground.source.datadir.glob("binlog.0*"))
    dump = subprocess.Popen(
        [*tool("mysqlbinlog"), f"--exclude-gtids={candidate.executed()}", *logs], stdout=subprocess.PIPE
    )
    client = [*tool("mysql"), "--binary-mode", "--user=root", f"--socket={candidate.socket}"]
    subprocess.run(client, stdin=dump.stdout, check=True, timeout=3600)
    dump.wait(60)
    ground.wait(candidate)


def tool(name: str) -> list[str]:
    """How a client program of the same MySQL is started on this machine."""
    command = mysqld_command()
    if len(command) < 4:
        return [name, "--no-defaults"]
    return [*command[:3], str(Path(command[3]).parents[1] / "bin" / name), "--no-defaults"]


WAYS: dict[str, Callable[[Ground, RealMysqld], AbstractContextManager[Act]]] = {
    "splice": spliced,
    "native replication": native,
    "mysqlbinlog | mysql": piped,
}


def one(ground: Ground, way: str, settings: str) -> Run:
    """A fresh candidate, one way, one setting."""
    candidate = ground.candidate({"relaxed": RELAXED, "durable": DURABLE}[settings])
    with WAYS[way](ground, candidate) as act:
        begun, load = time.monotonic(), os.getloadavg()[0]
        act()
        seconds = time.monotonic() - begun
    equal = candidate.executed() == ground.wanted and ground.checksums(candidate) == ground.sums
    candidate.kill()
    return Run(way, settings, round(seconds, 2), round(ground.count / seconds, 1), equal, round(load, 1))


def broken(runs: Sequence[Run]) -> list[str]:
    """The limits that do not hold."""
    rate = {(run.way, run.settings): run.rate for run in runs}
    said = [f"{run.way}, {run.settings}: the copy differs" for run in runs if not run.equal]
    against = rate["splice", "relaxed"] / rate["mysqlbinlog | mysql", "relaxed"]
    native_share = rate["splice", "relaxed"] / rate["native replication", "relaxed"]
    if against < TIMES_FASTER:
        said.append(f"splice is {against:.2f} times as fast as mysqlbinlog | mysql, asked are {TIMES_FASTER:g}")
    if native_share < OF_NATIVE:
        said.append(f"splice reaches {native_share:.0%} of native replication, asked are {OF_NATIVE:.0%}")
    return said


def main(words: Sequence[str]) -> int:
    """Measure, show, and judge."""
    count = int(words[0]) if words else TRANSACTIONS
    ground = Ground(count)
    try:
        runs = [one(ground, way, settings) for settings in ("relaxed", "durable") for way in WAYS]
        size = ground.bytes()
    finally:
        ground.source.kill()
        ground.sshd.stop()
    shutil.rmtree(HOME)
    wrong = broken(runs)
    show(runs, count, size)
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "transactions": count,
        "bytes": size,
        "runs": [asdict(run) for run in runs],
        "broken": wrong,
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(document, indent=2), encoding="utf-8")
    sys.stdout.write(json.dumps(document) + "\n")
    return 1 if wrong else 0


def show(runs: Sequence[Run], count: int, size: int) -> None:
    """The figures as a table."""
    table = Table(title=f"{count} transactions, {size / 1e6:.0f} MB, brought to a candidate")
    for column in ("way", "settings", "seconds", "transactions/s", "MB/s", "equal", "load"):
        table.add_column(column)
    for run in runs:
        speed = size / 1e6 / run.seconds
        table.add_row(
            run.way,
            run.settings,
            f"{run.seconds:.1f}",
            f"{run.rate:.0f}",
            f"{speed:.1f}",
            *(str(run.equal), str(run.load)),
        )
    Console(stderr=True).print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
