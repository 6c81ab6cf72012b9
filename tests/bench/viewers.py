"""Many people at the page: 300 clusters, 20 and then 200 open pages, each asked again every second.

`python -m tests.bench viewers [SECONDS]`. The page's process has one core to itself, everything else the other. What is
published changes every second. At the end more connections come than are allowed. The figures go to standard output, as
a table and as one JSON document, and to build/bench/viewers.json. Ends with 1 when a limit is broken.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.table import Table

from failoverd.drivers.clock import SystemClock
from failoverd.drivers.identity import Identity
from failoverd.drivers.local.coordination import LocalCoordination
from failoverd.drivers.wakeups import Bell
from failoverd.model.published import time_text
from failoverd.web.connection import MOST
from tests.acceptance.real_mysqld import free_port
from tests.acceptance.rehearsal import eventually
from tests.bench.many import Watched, configuration, cores, figures, places, watch
from tests.contract.mysql.worlds import in_memory
from tests.fakes.whole import CLUSTER, Whole

TARGET = Path(__file__).parents[2] / "build/bench/viewers.json"
FEW, MANY = 20, 200
EVERY = 1.0
SECONDS = 30.0
# Limits: seconds until a page is there, for 99 of 100; bytes; threads.
SLOW, MEMORY, THREADS = 1.0, 3e8, 40


@dataclass
class Viewed:
    """What browsers saw: how long each page took, and the answers that were none."""

    took: list[float] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


class Publisher:
    """A manager's voice: all clusters are published anew every second, with the time of now."""

    def __init__(self, state: Path, clusters: Sequence[str]) -> None:
        whole = Whole()
        whole.manager().turns(4)
        self._told: dict[str, Any] = json.loads(json.dumps(whole.store.of(CLUSTER).status, default=str))
        self._clusters = clusters
        self._coordination = LocalCoordination(state, Identity.mine("bench"), SystemClock(), Bell())
        for name in clusters:
            self._coordination.campaign(name)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> Self:
        self.publish()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(60)
        self._coordination.close()

    def publish(self) -> None:
        """All of them once."""
        for name in self._clusters:
            lease = self._coordination.lease(name)
            assert lease is not None
            document = {**self._told, "cluster": name, "seen": time_text(time.time()), "active_manager": "bench"}
            self._coordination.publish_status(lease, name, document)

    def _go_on(self) -> None:
        while not self._ended.wait(EVERY):
            self.publish()


async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> tuple[int, bytes]:
    """One page on a connection that stays open."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length:")[2].split("\r\n")[0])
    return int(head.split()[1]), await reader.readexactly(length)


async def viewer(port: int, path: str, times: tuple[float, float], seen: Viewed) -> None:
    """One open page between two moments, asked again a second after each answer, as its script does."""
    begin, until = times
    await asyncio.sleep(begin - time.monotonic())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < until:
        begun = time.monotonic()
        status, body = await page(reader, writer, path)
        seen.took.append(time.monotonic() - begun)
        if status != 200 or b"healthy" not in body:
            seen.others.append(f"{path}: {status}")
        await asyncio.sleep(EVERY)
    writer.close()


async def look(port: int, people: int, seconds: float) -> Viewed:
    """So many people: every other one at all clusters, the others each at one of twenty."""
    seen, now = Viewed(), time.monotonic()
    paths = ["/" if number % 2 else f"/clusters/c{number % 40}" for number in range(people)]
    begins = [now + number * EVERY / people for number in range(people)]
    await asyncio.gather(
        *(viewer(port, path, (at, now + seconds), seen) for path, at in zip(paths, begins, strict=True))
    )
    return seen


async def crowd(port: int) -> dict[str, int]:
    """Fifty more connections than are allowed: how each was answered."""
    told: dict[str, int] = {}
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST + 50)]
    for reader, writer in opened:
        status, _ = await page(reader, writer, "/clusters/c1")
        told[str(status)] = told.get(str(status), 0) + 1
    for _, writer in opened:
        writer.close()
    return told


def watched(pid: int, port: int, people: int, seconds: float) -> tuple[Viewed, Watched, float]:
    """What they see, and what that takes of the process; the last is bytes it read from files in a second."""
    seen: list[Viewed] = []
    thread = threading.Thread(target=lambda: seen.append(asyncio.run(look(port, people, seconds))))
    before = bytes_read(pid)
    thread.start()
    took = watch(pid, seconds)
    thread.join(seconds + 60)
    return seen[0], took, (bytes_read(pid) - before) / seconds


def bytes_read(pid: int) -> int:
    """What a process has read from files so far; what came over sockets is not counted."""
    told = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text(encoding="utf-8").splitlines())
    return int(told["rchar"])


def measure(seconds: float) -> dict[str, Any]:
    """The whole run; the document."""
    home, load, (ours, theirs) = in_memory("viewers"), os.getloadavg()[0], cores()
    os.sched_setaffinity(0, theirs)
    port = free_port()
    file = configuration(home, places(), "127.0.0.1:0")
    document = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**document, "web": {"listen": f"127.0.0.1:{port}"}}), encoding="utf-8")
    argv = ["taskset", "-c", str(min(ours)), sys.executable, "-m", "failoverd", "-c", str(file), "web"]
    runs: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        stack.enter_context(Publisher(home / "state", list(document["clusters"])))
        served = subprocess.Popen(argv)
        stack.callback(served.kill)
        eventually(lambda: reached(port), bool, "the page")
        for people in (FEW, MANY):
            seen, took, read = watched(served.pid, port, people, seconds)
            runs[str(people)] = {
                "pages": len(seen.took), "others": seen.others[:10], **figures(sorted(seen.took)),
                "share_of_core": round(took.share, 3), "memory": took.memory, "threads": took.threads,
                "read_per_second": round(read),
            }  # fmt: skip
        crowded = asyncio.run(crowd(port))
    return {
        "benchmark": "viewers",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load": {"before": round(load, 1), "after": round(os.getloadavg()[0], 1)},
        "clusters": len(document["clusters"]),
        "people": runs,
        "crowd": crowded,
        "limits": {"slow": SLOW, "memory": MEMORY, "threads": THREADS},
    }


def reached(port: int) -> bool:
    """Whether all clusters are shown."""

    async def front() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        _, body = await page(reader, writer, "/")
        writer.close()
        return body

    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        return b"healthy" in asyncio.run(front())
    return False


def broken(document: dict[str, Any]) -> list[str]:
    """The limits that do not hold, as sentences."""
    found = []
    for people, run in document["people"].items():
        if run["p99"] > SLOW:
            found.append(f"{people} people: the 99th of 100 pages takes longer than {SLOW} s")
        if run["memory"] > MEMORY or run["threads"] > THREADS:
            found.append(f"{people} people: more than {MEMORY / 1e6:g} MB or {THREADS} threads")
        if run["others"]:
            found.append(f"{people} people: some were shown something else: {', '.join(run['others'])}")
    if document["crowd"] != {"200": MOST, "503": 50}:
        found.append(f"the crowd was answered otherwise than {MOST} pages and 50 refusals: {document['crowd']}")
    few, many = (document["people"][str(people)]["read_per_second"] for people in (FEW, MANY))
    if many > 2 * few:
        found.append("what is published is read more often for more people")
    return found


def main(words: Sequence[str]) -> int:
    """Run, print, keep; 1 when a limit is broken."""
    document = measure(float(words[0]) if words else SECONDS)
    document["broken"] = broken(document)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    table = Table(
        "people", "pages", "median", "p99", "worst", "core", "MB", "threads", "read MB/s", title_justify="left"
    )
    table.title = f"seconds until a page is there: {document['clusters']} clusters"
    for people, run in document["people"].items():
        table.add_row(
            people, str(run["pages"]), *(f"{run[key]:.3f}" for key in ("median", "p99", "worst")),
            f"{run['share_of_core']:.0%}", f"{run['memory'] / 1e6:.0f}", str(run["threads"]),
            f"{run['read_per_second'] / 1e6:.2f}",
        )  # fmt: skip
    console = Console()
    (console if console.is_terminal else Console(width=100)).print(table)
    print(json.dumps(document))
    for sentence in document["broken"]:
        print(f"BROKEN: {sentence}")
    return 1 if document["broken"] else 0
