"""Commands and processes of the lab: run one with a deadline, say which run in a namespace, end them by number."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath

from failoverd.model.errors import FailoverdError

POLL = 0.01


def run(argv: Sequence[str], *, deadline: float = 20.0, feed: str | None = None) -> str:
    """Run a command to its end and return its standard output.

    A failure is a FailoverdError with the end of what it said. `deadline` in seconds.
    """
    try:
        done = subprocess.run(
            [str(part) for part in argv], input=feed, capture_output=True, text=True, timeout=deadline, check=False
        )
    except FileNotFoundError as error:
        raise FailoverdError(f"{argv[0]} is not installed", str(error), "run the set-up: make setup") from error
    except subprocess.TimeoutExpired as error:
        raise FailoverdError(f"{argv[0]} did not end within {deadline:g} s", " ".join(map(str, argv))) from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-800:]
        raise FailoverdError(f"{argv[0]} failed with {done.returncode}", f"{' '.join(map(str, argv))}: {said}")
    return done.stdout


def wait_until(true: Callable[[], bool], *, deadline: float, what: str, every: float = POLL) -> None:
    """Wait until `true()`; FailoverdError "what did not happen" after `deadline` seconds."""
    end = time.monotonic() + deadline
    while not true():
        if time.monotonic() > end:
            raise FailoverdError(f"{what} did not happen", f"within {deadline:g} s")
        time.sleep(every)


def last_words(log: PurePath) -> str:
    """The end of a log, for an error's detail."""
    path = Path(log)
    return path.read_text(encoding="utf-8", errors="replace")[-1200:].strip() if path.exists() else f"no {path.name}"


def side_by_side(work: Iterable[Callable[[], object]]) -> None:
    """Do all of `work` at once and wait for all of it; the first error is raised after the last one has ended."""
    tasks = list(work)
    if not tasks:
        return
    with ThreadPoolExecutor(max_workers=len(tasks)) as pool:
        futures = [pool.submit(task) for task in tasks]
    for future in futures:
        future.result()


def alive(pid: int) -> bool:
    """Whether the process exists and is more than a zombie."""
    return state(pid) not in {"", "Z", "X"}


def state(pid: int) -> str:
    """The state letter of a process as in /proc (R, S, D, T, Z ...); empty when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[0]


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to one process; numbers below 2 are refused, because 0, -1 and 1 mean more than one process."""
    if pid < 2:
        raise FailoverdError(f"no signal is sent to process {pid}", "the number stands for more than one process")
    os.kill(pid, number)


def end(pids: Iterable[int], *, deadline: float = 10.0) -> None:
    """Kill processes and wait until they are gone; those that are gone already are fine.

    Their status is left to whoever started them.
    """
    left = [pid for pid in pids if alive(pid)]
    for pid in left:
        try:
            send(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    wait_until(lambda: not any(alive(pid) for pid in left), deadline=deadline, what=f"the end of processes {left}")


def children(pid: int) -> tuple[int, ...]:
    """The direct children of a process, as this process numbers them."""
    numbers = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    return tuple(number for number in numbers if _status(number, "PPid") == str(pid))


def inner_number(pid: int) -> int:
    """The number a process has in the innermost process namespace it lives in; 0 when it is gone."""
    numbers = _status(pid, "NSpid").split()
    return int(numbers[-1]) if numbers else 0


def _status(pid: int, key: str) -> str:
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    for line in text.splitlines():
        if line.startswith(key + ":"):
            return line.partition(":")[2].strip()
    return ""
