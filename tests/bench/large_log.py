"""One binary log file of a gigabyte: what a running agent answers, and what one answers that was just started.

`python -m tests.bench.large_log [MEGABYTES]`. Figures as a table and as JSON; ends with 1 when a limit is broken.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from failoverd.gtid import GtidSet
from tests.acceptance.agent_process import AgentProcess
from tests.bench.logs import MEMORY, WARM, Ground

MEGABYTES = 1000
PATIENCE = 120.0
TAIL = 10


def followed(agent: AgentProcess) -> None:
    """Wait until the agent has read the file by itself: it uses no processor time any more."""
    until, before = time.monotonic() + PATIENCE, -1.0
    while time.monotonic() < until:
        words = Path(f"/proc/{agent.process.pid}/stat").read_text().rpartition(")")[2].split()
        spent = float(words[11]) + float(words[12])
        if spent == before:
            return
        before = spent
        time.sleep(3.0)  # it looks once a second when there is nothing to read
    raise RuntimeError("the agent did not come to the end of the file")


def asked(agent: AgentProcess, op: str, **args: Any) -> tuple[float, dict[str, Any]]:
    """Milliseconds of one question, and the answer."""
    begun = time.perf_counter()
    told = agent.call(op, {"server": "db1", "kind": "binary", **args}, deadline=PATIENCE)
    return (time.perf_counter() - begun) * 1000, told


def measure(ground: Ground, folder: Path) -> dict[str, float]:
    """All figures, in milliseconds and megabytes."""
    ((uuid, _, ((_, last),)),) = ground.executed.parts()
    everything, tail = str(ground.executed), GtidSet.parse(f"{uuid}:{last - TAIL + 1}-{last}")
    agent, cold = AgentProcess(ground.program, folder / "warm"), AgentProcess(ground.program, folder / "cold")
    try:
        agent.call("remember", ground.facts)
        followed(agent)
        answers = [asked(agent, "scan", lacking=everything) for _ in range(50)]
        taken, got = asked(agent, "extract", wanted=str(tail))
        if any(told["missing"] for _, told in answers) or got["gtids"] != str(tail):
            raise RuntimeError("the agent gives a wrong answer")
        status = Path(f"/proc/{agent.process.pid}/status").read_text()
        peak = next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
        cold.call("remember", ground.facts)
        late, _ = asked(cold, "scan", lacking=everything)
        times = [took for took, _ in answers]
        warm = {"first_ms": times[0], "median_ms": statistics.median(times), "worst_ms": max(times)}
        return {**warm, "tail_ms": taken, "cold_ms": late, "memory_mb": peak}
    finally:
        agent.close()
        cold.close()


def main(words: Sequence[str]) -> int:
    """Run and print; 1 when a limit is broken."""
    folder = Path(tempfile.mkdtemp(prefix="failoverd-bench-", dir="/dev/shm"))
    try:
        megabytes = int(words[0]) if words else MEGABYTES
        ground = Ground(folder, megabytes, 1024)
        found = measure(ground, folder)
    finally:
        shutil.rmtree(folder)
    broken = found["median_ms"] > WARM or found["memory_mb"] > MEMORY
    for name, value in found.items():
        print(f"{name:10} {value:9.2f}")
    print(json.dumps({"benchmark": "large log", "bytes": ground.bytes, **found, "broken": broken}))
    return int(broken)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
