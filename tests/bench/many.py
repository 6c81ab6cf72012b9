"""Three hundred clusters in one manager: how late its looks are, what it takes of a core, of memory and of threads.

`python -m tests.bench many [SECONDS]`. 900 pretended servers and 6 real ones, a look each second; the manager has one
core to itself and everything else the others. After half of the time two servers fall silent, and one host swallows
every packet from the beginning. The figures go to standard output, as a table and as one JSON document, and to
build/bench/many.json. Ends with 1 when a limit is broken.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.acceptance.real_mysqld import RealMysqld, free_port
from tests.bench.detection import cpu_seconds
from tests.contract.mysql.worlds import in_memory, template

TARGET = Path(__file__).parents[2] / "build/bench/many.json"
PRETENDED, REAL, SIZE = 900, 6, 3
FIRST_PORT = 20000
INTERVAL = 1.0
SECONDS = 120.0
SETTLING = 10.0  # so long everything is new when all have been looked at: primaries are recorded
READY = 300.0
# Limits: seconds between when a look was due and when its server heard of it; bytes; threads.
LATE, MEMORY, THREADS = 0.1, 1.5e9, 100
# Who falls silent half-way, a primary and a replica, and whose host swallows packets from the beginning.
SILENT = ("c7-1", "c50-2")
SWALLOWED = "c90-3"


@dataclass(frozen=True)
class Place:
    """One server of one cluster."""

    cluster: str
    name: str
    port: int
    primary: bool


def places() -> list[Place]:
    """Every pretended server."""
    made = []
    for number in range(PRETENDED):
        cluster, rank = divmod(number, SIZE)
        name = f"c{cluster}-{rank + 1}"
        made.append(Place(f"c{cluster}", name, FIRST_PORT + number, rank == 0))
    return made


def listed(all_places: Sequence[Place]) -> list[dict[str, Any]]:
    """What the process of the pretended servers is told."""
    primaries = {place.cluster: place for place in all_places if place.primary}
    found = []
    for place in all_places:
        source = primaries[place.cluster]
        words = {
            "uuid": uuid_of(place.port),
            "port": str(place.port),
            "server_id": str(place.port),
            "source_uuid": uuid_of(source.port),
            "source_port": str(source.port),
            "source_server_id": str(source.port),
            "home": f"/srv/{place.name}",
        }
        told = {"port": place.port, "role": "primary" if place.primary else "replica", "words": words}
        found.append({**told, "falls_silent": place.name in SILENT})
    return [one for one, place in zip(found, all_places, strict=True) if place.name != SWALLOWED]


def uuid_of(port: int) -> str:
    """A server's identity."""
    return f"{port:08d}-1111-2222-3333-444444444444"


@contextlib.contextmanager
def swallowing(port: int) -> Iterator[None]:
    """A port whose queue is full: whoever knocks hears nothing at all."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(0)
        for _ in range(4):
            knock = stack.enter_context(socket.socket())
            knock.setblocking(False)
            knock.connect_ex(("127.0.0.1", port))
        yield


@contextlib.contextmanager
def real_servers(home: Path, core: set[int]) -> Iterator[list[Place]]:
    """Two clusters of three real servers each."""
    made, running, found = template(home), [], []
    try:
        for number in range(REAL):
            cluster, rank = divmod(number, SIZE)
            server = RealMysqld(home / f"real{number}", number + 1, extra=("--performance-schema=ON",))
            running.append(server)
            server.initialise(made)
            server.start()
            assert server.process is not None
            for task in Path(f"/proc/{server.process.pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), core)
            if rank:
                source = running[number - rank]
                server.rows(
                    f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={source.port},"
                    " SOURCE_USER='repl', SOURCE_PASSWORD='replicate', SOURCE_AUTO_POSITION=1,"
                    " SOURCE_HEARTBEAT_PERIOD=0.5, GET_SOURCE_PUBLIC_KEY=1",
                    "START REPLICA",
                    "SET GLOBAL super_read_only = ON",
                )
            found.append(Place(f"real{cluster}", f"real{cluster}-{rank + 1}", server.port, rank == 0))
        yield found
    finally:
        for server in running:
            server.kill()


def configuration(home: Path, all_places: Sequence[Place], address: str) -> Path:
    """The manager's configuration."""
    secret = home / "secret"
    secret.write_text("right\n", encoding="utf-8")
    secret.chmod(0o600)
    key = home / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, timeout=30)
    clusters: dict[str, Any] = {}
    for place in all_places:
        cluster = clusters.setdefault(place.cluster, {"servers": [], "detection": {"interval": "1s"}})
        cluster["servers"].append({"name": place.name, "host": "127.0.0.1", "port": place.port})
    (home / "known_hosts").write_text("", encoding="utf-8")
    document = {
        "manager": {
            "name": "many", "state_dir": str(home / "state"), "run_dir": str(home / "run"),
            "listen": address, "log_level": "error",
        },
        "mysql": {"user": "failoverd", "password_file": str(secret), "tls": "off"},
        "replication": {"user": "repl", "password_file": str(secret)},
        "ssh": {"user": "nobody", "port": free_port(), "key_file": str(key), "known_hosts": str(home / "known_hosts")},
        "clusters": clusters,
    }  # fmt: skip
    path = home / "failoverd.yml"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@dataclass
class Watched:
    """What the manager took while it was watched."""

    threads: int = 0
    memory: int = 0
    share: float = 0.0


def watch(pid: int, seconds: float) -> Watched:
    """Look at a process once a second for so long."""
    found, before, begun = Watched(), cpu_seconds(pid), time.monotonic()
    while time.monotonic() < begun + seconds:
        time.sleep(1.0)
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        told = dict(line.split(":", 1) for line in status.splitlines())
        found.threads = max(found.threads, int(told["Threads"]))
        found.memory = max(found.memory, int(told["VmRSS"].split()[0]) * 1024)
    found.share = (cpu_seconds(pid) - before) / (time.monotonic() - begun)
    return found


def wait_ready(address: str) -> float:
    """Seconds until every cluster has been looked at."""
    begun = time.monotonic()
    while time.monotonic() < begun + READY:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}/health/ready", timeout=5.0):
            return time.monotonic() - begun
        time.sleep(0.5)
    raise SystemExit(f"the manager was not ready within {READY:g} s")


def lateness(looks: Mapping[str, Sequence[float]], since: float, until: float, without: frozenset[str]) -> list[float]:
    """How late each look between two moments was, in seconds, at servers that answered all the while; sorted."""
    late = [
        max(after - before - INTERVAL, 0.0)
        for port, moments in looks.items()
        if port not in without
        for before, after in itertools.pairwise(moments)
        if since <= before <= until
    ]
    return sorted(late)


def share(values: Sequence[float], part: float) -> float:
    """The value below which this part of sorted values lies."""
    return values[min(int(len(values) * part), len(values) - 1)] if values else 0.0


def figures(late: Sequence[float]) -> dict[str, float]:
    """Sorted values in three numbers."""
    return {"median": share(late, 0.5), "p99": share(late, 0.99), "worst": share(late, 1.0)}


def started(file: Path, core: set[int]) -> subprocess.Popen[bytes]:
    """The manager, on a core of its own."""
    own = ["taskset", "-c", str(min(core))]
    return subprocess.Popen([*own, sys.executable, "-m", "failoverd", "-c", str(file), "run"])


def cores() -> tuple[set[int], set[int]]:
    """The manager's core, and everybody else's."""
    mine, *rest = sorted(os.sched_getaffinity(0))
    return {mine}, set(rest) or {mine}


def measure(seconds: float) -> dict[str, Any]:
    """The whole run; the document."""
    home, load, (ours, theirs), all_places = in_memory("many"), os.getloadavg()[0], cores(), places()
    os.sched_setaffinity(0, theirs)
    by_name = {place.name: str(place.port) for place in all_places}
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        stack.enter_context(swallowing(int(by_name[SWALLOWED])))
        real = stack.enter_context(real_servers(home, theirs))
        told = home / "servers.json"
        told.write_text(json.dumps(listed(all_places)), encoding="utf-8")
        served = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.pretended", str(told)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        stack.callback(served.kill)
        assert served.stdout is not None and served.stdout.readline() == "ready\n"  # noqa: PT018
        address = f"127.0.0.1:{free_port()}"
        file = configuration(home, [*all_places, *real], address)
        manager = started(file, ours)
        stack.callback(manager.kill)
        ready = wait_ready(address)
        time.sleep(SETTLING)
        moments = [time.monotonic()]
        quiet = watch(manager.pid, seconds / 2)
        moments.append(time.monotonic())
        served.send_signal(signal.SIGUSR1)
        black = watch(manager.pid, seconds / 2)
        moments.append(time.monotonic())
        served.terminate()
        output, _ = served.communicate(timeout=60)
        looks = json.loads(output)
        without = frozenset(by_name[name] for name in (*SILENT, SWALLOWED))
        calm, with_silent = (lateness(looks, *pair, without) for pair in itertools.pairwise(moments))
    return {
        "benchmark": "many",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load": {"before": round(load, 1), "after": round(os.getloadavg()[0], 1)},
        "clusters": (PRETENDED + REAL) // SIZE,
        "servers": PRETENDED + REAL,
        "ready_seconds": round(ready, 1),
        "looks": len(calm) + len(with_silent),
        "late": {"calm": figures(calm), "with silent servers": figures(with_silent)},
        "share_of_core": {"calm": round(quiet.share, 3), "with silent servers": round(black.share, 3)},
        "memory": max(quiet.memory, black.memory),
        "threads": {"calm": quiet.threads, "with silent servers": black.threads},
        "limits": {"late": LATE, "memory": MEMORY, "threads": THREADS},
    }


def broken(document: Mapping[str, Any]) -> list[str]:
    """The limits that do not hold, as sentences."""
    found = [
        f"{when}: the 99th of 100 looks is later than {LATE} s"
        for when, late in document["late"].items()
        if late["p99"] > LATE
    ]
    if document["memory"] > MEMORY:
        found.append(f"the manager takes more than {MEMORY / 1e9:g} GB")
    found += [f"{when}: more than {THREADS} threads" for when, many in document["threads"].items() if many > THREADS]
    return found


def main(words: Sequence[str]) -> int:
    """Run, print, keep; 1 when a limit is broken."""
    document = measure(float(words[0]) if words else SECONDS)
    document["broken"] = broken(document)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    table = Table("", "median", "p99", "worst", "core", "threads", title_justify="left")
    table.title = f"lateness of looks, seconds: {document['servers']} servers in {document['clusters']} clusters"
    for when, late in document["late"].items():
        told = [f"{value:.3f}" for value in late.values()]
        table.add_row(when, *told, f"{document['share_of_core'][when]:.0%}", str(document["threads"][when]))
    console = Console()
    (console if console.is_terminal else Console(width=100)).print(table)
    print(json.dumps(document))
    for sentence in document["broken"]:
        print(f"BROKEN: {sentence}")
    return 1 if document["broken"] else 0
