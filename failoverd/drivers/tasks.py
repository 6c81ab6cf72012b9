"""Side-by-side work on threads, behind the Tasks port."""

from __future__ import annotations

import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from os import _exit
from typing import TypeVar

from failoverd.model.errors import TimedOut

T = TypeVar("T")
Work = Callable[[], None]


class _Worker:
    """One daemon thread that takes work when it is idle, and ends itself after resting long enough."""

    REST = 60.0  # seconds an idle thread is kept: longer than any pause between looks

    def __init__(self, number: int, idle: Callable[[_Worker], None], leave: Callable[[_Worker], bool]) -> None:
        self._inbox: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._idle = idle
        self._leave = leave
        threading.Thread(target=self._live, name=f"task-{number}", daemon=True).start()

    def give(self, work: Work) -> None:
        self._inbox.put(work)

    def _live(self) -> None:
        while True:
            try:
                work = self._inbox.get(timeout=self.REST)
            except queue.Empty:
                if self._leave(self):
                    return
                continue
            work()
            self._idle(self)


class Pool:
    """Workers without an upper number: a blocked call keeps its own thread and never delays anybody else's work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._resting: list[_Worker] = []
        self._made = 0

    def run(self, work: Work) -> None:
        """Begin it at once."""
        with self._lock:
            worker = self._resting.pop() if self._resting else None
            self._made += worker is None
        (worker or _Worker(self._made, self._back, self._leave)).give(work)

    def _back(self, worker: _Worker) -> None:
        with self._lock:
            self._resting.append(worker)

    def _leave(self, worker: _Worker) -> bool:
        """Whether the worker may end: only if nobody has just picked it."""
        with self._lock:
            if worker not in self._resting:
                return False
            self._resting.remove(worker)
            return True


class ThreadTasks:
    """Each call on a daemon thread of its own, taken from a pool that grows as needed and shrinks by itself."""

    def __init__(self, on_death: Callable[[str, BaseException], None] | None = None) -> None:
        self._pool = Pool()
        self._on_death = on_death or end_process

    def gather(self, calls: Mapping[str, Callable[[], T]], deadline: float) -> Mapping[str, T | Exception]:
        """Run all calls side by side; for each key its value, its error, or TimedOut after `deadline` seconds.

        A call that is not back by then runs on and its answer is thrown away.
        """
        answers: queue.SimpleQueue[tuple[str, T | Exception]] = queue.SimpleQueue()
        for key, call in calls.items():
            self._pool.run(_answering(key, call, answers))
        end = time.monotonic() + deadline
        found: dict[str, T | Exception] = {}
        while len(found) < len(calls):
            try:
                key, answer = answers.get(timeout=max(end - time.monotonic(), 0.0))
            except queue.Empty:
                break
            found[key] = answer
        return {key: found.get(key, _late(key, deadline)) for key in calls}

    def start(self, name: str, call: Callable[[], None]) -> None:
        """Start a long-lived worker; an error that leaves it ends the process."""

        def live() -> None:
            try:
                call()
            except BaseException as error:  # noqa: BLE001 - without this worker we are half a manager
                self._on_death(name, error)

        threading.Thread(target=live, name=name, daemon=True).start()


def _answering(key: str, call: Callable[[], T], answers: queue.SimpleQueue[tuple[str, T | Exception]]) -> Work:
    def work() -> None:
        try:
            answers.put((key, call()))
        except Exception as error:  # noqa: BLE001 - an error is this call's answer; the caller judges it
            answers.put((key, error))

    return work


def _late(key: str, deadline: float) -> TimedOut:
    return TimedOut(f"{key} has not answered", f"within {deadline:g} s")


def end_process(name: str, error: BaseException) -> None:
    """Say which worker died of what and end the process at once: whoever supervises it starts a whole one."""
    sys.stderr.write(f"failoverd: worker {name} died\n")
    traceback.print_exception(error, file=sys.stderr)
    sys.stderr.flush()
    _exit(1)
