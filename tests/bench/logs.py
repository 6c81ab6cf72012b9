"""Reading log files: the agent against mysqlbinlog on the same files in the same run; sets of 100,000 intervals.

`python -m tests.bench.logs [MEGABYTES]`. The files are written by a real server. The figures go to standard output, as
a table and as one JSON document, and to build/bench/logs.json. Ends with 1 when a limit is broken.

Both sides are one thread that is bound by the processor, so seconds of processor time compare them even on a machine
that is busy with other things; the limits stand on these, and the wall time is shown beside them.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from failoverd.agent.build import build
from failoverd.gtid import Gtid, GtidSet
from tests.acceptance.agent_process import AgentProcess
from tests.acceptance.real_mysqld import RealMysqld, mysqld_command

MEGABYTES = 800
RUNS = 5
TARGET = Path(__file__).parents[2] / "build/bench/logs.json"
BATCH = 5000
ROW = 3200
FILE_MEGABYTES = 100
# Limits: how many times faster than the peer, megabytes, milliseconds.
FIND, EVERY, VERIFIED, MEMORY, WARM, SETS = 10.0, 2.0, 1.5, 64.0, 20.0, 100.0
CANDIDATE_HAS = (8_008 / 228_008, 0.9)
"""How much of the transactions the asking server has: nearly nothing, as in the first measurement; nearly all."""

READER = """
import sys, json, time, resource, contextlib
sys.path.insert(0, sys.argv[1])
from failoverd.agent.binlog.logfile import LogFile
from failoverd.agent.binlog.scan import Scanner
from failoverd.gtid import GtidSet, GtidSetBuilder
way, lacking, paths = sys.argv[2], GtidSet.parse(sys.argv[3]), sys.argv[4:]
cpu, wall = time.process_time(), time.perf_counter()
if way == "every":
    builder = GtidSetBuilder()
    for path in paths:
        with contextlib.closing(LogFile(path, whole=True)) as file:
            for one in file.transactions(file.head()):
                file.verify(one.start, one.end, checksums=False)
                builder.add(one.uuid, one.tag, one.number)
    holds = builder.build()
else:
    holds = GtidSet()
    for one in Scanner().scan(paths, way == "verified", lambda: None):
        holds |= one.holds
found = holds - lacking
took = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
print(json.dumps({**took, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "found": str(found)}))
"""


class Ground:
    """Binary logs of a real server that is dead, the agent's zipapp, and the ways to read them."""

    def __init__(self, folder: Path, megabytes: int, file_megabytes: int = FILE_MEGABYTES) -> None:
        self.program = folder / "agent.pyz"
        build(self.program)
        self.server = RealMysqld(folder / "db", 1, extra=(f"--max-binlog-size={file_megabytes}M",))
        self.facts, self.executed = self._fill(megabytes)
        self.paths = [str(path) for path in sorted(self.server.datadir.glob("binlog.0*"))]
        self.bytes = sum(os.path.getsize(path) for path in self.paths)

    def _fill(self, megabytes: int) -> tuple[dict[str, Any], GtidSet]:
        server = self.server
        server.initialise()
        server.start()
        try:
            server.rows(
                "RESET BINARY LOGS AND GTIDS", "CREATE DATABASE t",
                "CREATE TABLE t.a (id INT PRIMARY KEY AUTO_INCREMENT, k INT, v VARCHAR(4000))",
                "CREATE PROCEDURE t.fill(n INT) BEGIN DECLARE i INT DEFAULT 0; WHILE i < n DO "
                f"INSERT INTO t.a (k, v) VALUES (i, REPEAT('x', {ROW})); SET i = i + 1; END WHILE; END",
            )  # fmt: skip
            while sum(path.stat().st_size for path in server.datadir.glob("binlog.0*")) < megabytes * 1_000_000:
                server.rows(f"CALL t.fill({BATCH})", "TRUNCATE t.a")
            return server.facts("db1"), GtidSet.parse(server.executed())
        finally:
            server.kill()

    def ours(self, way: str, lacking: GtidSet) -> dict[str, Any]:
        """One reading in a fresh process of the system's Python, out of the zipapp."""
        command = ["/usr/bin/python3", "-I", "-S", "-c", READER, str(self.program), way, str(lacking), *self.paths]
        done = subprocess.run(command, check=True, capture_output=True, timeout=600)
        return dict(json.loads(done.stdout))

    def peer(self, *options: str) -> dict[str, Any]:
        """One reading by mysqlbinlog, its output thrown away."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.perf_counter()
        command = [*mysqlbinlog(), *options, *self.paths]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=600)
        wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        return {"cpu": after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, "wall": wall}

    def warm(self, folder: Path) -> float:
        """Milliseconds (median) in which an agent that has followed the logs says that nothing is missing."""
        agent = AgentProcess(self.program, folder / "agent")
        try:
            agent.call("remember", self.facts)
            asked = {"server": "db1", "kind": "binary", "lacking": str(self.executed)}
            agent.call("scan", asked, deadline=60.0)
            times = []
            for _ in range(100):
                begun = time.perf_counter()
                told = agent.call("scan", asked)
                times.append((time.perf_counter() - begun) * 1000)
                if told["missing"]:
                    raise RuntimeError(f"the agent finds {told['missing']}")
            return statistics.median(times)
        finally:
            agent.close()


def mysqlbinlog() -> list[str]:
    """The program beside the mysqld that tests use."""
    command = mysqld_command()
    at = next(number for number, word in enumerate(command) if word.endswith("/mysqld"))
    program = Path(command[at])
    places = (program.with_name("mysqlbinlog"), program.parents[1] / "bin/mysqlbinlog")
    return [*command[:at], str(next(place for place in places if place.exists())), "--no-defaults"]


def part(gtids: GtidSet, share: float) -> GtidSet:
    """The first transactions of a set from one server."""
    ((uuid, _, ((first, last),)),) = gtids.parts()
    return GtidSet.parse(f"{uuid}:{first}-{first + int((last - first) * share)}")


def rows(ground: Ground) -> list[dict[str, Any]]:
    """Each job with its peer, side by side in turn."""
    nearly_nothing, nearly_all = (part(ground.executed, share) for share in CANDIDATE_HAS)
    jobs: tuple[tuple[str, str, GtidSet, tuple[str, ...], float], ...] = (
        ("find, candidate has 4 %", "find", nearly_nothing, (f"--exclude-gtids={nearly_nothing}",), FIND),
        ("find, candidate has 90 %", "find", nearly_all, (f"--exclude-gtids={nearly_all}",), FIND),
        ("every event", "every", GtidSet(), (), EVERY),
        ("every event, checksums", "verified", GtidSet(), ("--verify-binlog-checksum",), VERIFIED),
    )
    found = []
    for title, way, lacking, options, limit in jobs:
        pairs = [(ground.ours(way, lacking), ground.peer(*options)) for _ in range(RUNS)]
        if any(one["found"] != str(ground.executed - lacking) for one, _ in pairs):
            raise RuntimeError(f"{title}: another set was found than the server had executed")
        best = {f"{who}_{what}": min(pair[at][what] for pair in pairs)
                for at, who in enumerate(("ours", "peer")) for what in ("cpu", "wall")}  # fmt: skip
        memory = max(one["mb"] for one, _ in pairs)
        ratio = best["peer_cpu"] / best["ours_cpu"]
        wall = best["peer_wall"] / best["ours_wall"]
        found.append(
            {"job": title, **best, "ratio_cpu": ratio, "ratio_wall": wall, "limit": limit, "memory_mb": memory}
        )
    return found


def set_operations() -> dict[str, float]:
    """Milliseconds (best of RUNS) of each operation on sets of 100,000 intervals."""
    uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
    left, right = (
        GtidSet.of({(uuid, ""): tuple((4 * n + at, 4 * n + at + 1) for n in range(1, 100_001))}) for at in (0, 1)
    )
    text, some, both = str(left), Gtid(uuid, "", 222_222), left | right
    work: dict[str, Callable[[], object]] = {
        "parse": lambda: GtidSet.parse(text), "write": lambda: str(left), "union": lambda: left | right,
        "intersection": lambda: left & right, "difference": lambda: left - right, "inside": lambda: left <= both,
        "count": left.count, "contains": lambda: left.contains(some), "hash": lambda: hash(left),
    }  # fmt: skip
    return {name: round(min(processor_ms(act) for _ in range(RUNS)), 1) for name, act in work.items()}


def processor_ms(act: Callable[[], object]) -> float:
    """Milliseconds of processor time."""
    begun = time.process_time()
    act()
    return (time.process_time() - begun) * 1000


def broken(found: Sequence[Mapping[str, Any]], warm: float, sets: Mapping[str, float]) -> list[str]:
    """The limits that do not hold, as sentences."""
    told = [f"{one['job']}: only {one['ratio_cpu']:.1f} times faster, not {one['limit']:g}"
            for one in found if one["ratio_cpu"] < one["limit"]]  # fmt: skip
    told += [f"{one['job']}: {one['memory_mb']:.0f} MB" for one in found if one["memory_mb"] > MEMORY]
    told += [f"nothing missing, warm: {warm:.1f} ms"] if warm > WARM else []
    return told + [f"{name} of 100,000 intervals: {ms} ms" for name, ms in sets.items() if ms > SETS]


def show(document: Mapping[str, Any]) -> None:
    """The table for people."""
    title = f"{document['bytes'] / 1e6:.0f} MB of binary logs, {document['transactions']} transactions"
    table = Table("seconds", "ours", "peer", "times", "wall", "peer", "times", "MB", title=title, title_justify="left")
    for one in document["rows"]:
        table.add_row(
            one["job"], f"{one['ours_cpu']:.3f}", f"{one['peer_cpu']:.3f}", f"{one['ratio_cpu']:.1f}",
            f"{one['ours_wall']:.3f}", f"{one['peer_wall']:.3f}", f"{one['ratio_wall']:.1f}", f"{one['memory_mb']:.0f}",
        )  # fmt: skip
    found = Console()
    console = found if found.is_terminal else Console(width=100)
    console.print(table)
    console.print(f"nothing missing, warm agent: {document['warm_ms']:.2f} ms; load beside it: {document['load']:.1f}")
    console.print("100,000 intervals, ms: " + ", ".join(f"{name} {ms}" for name, ms in document["sets_ms"].items()))
    for sentence in document["broken"]:
        console.print(f"BROKEN: {sentence}", style="bold red")


def main(words: Sequence[str]) -> int:
    """Run, print, keep; 1 when a limit is broken."""
    folder = Path(tempfile.mkdtemp(prefix="failoverd-bench-", dir="/dev/shm"))
    try:
        ground = Ground(folder, int(words[0]) if words else MEGABYTES)
        found, warm, sets = rows(ground), ground.warm(folder), set_operations()
    finally:
        shutil.rmtree(folder)
    document = {
        "benchmark": "logs",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "bytes": ground.bytes,
        "files": len(ground.paths),
        "transactions": ground.executed.count(),
        "rows": found,
        "warm_ms": warm,
        "sets_ms": sets,
        "broken": broken(found, warm, sets),
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    show(document)
    print(json.dumps(document))
    return 1 if document["broken"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
