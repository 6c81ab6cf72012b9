"""Clock, Wakeups and Tasks: what every implementation must keep, run against the machine's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC

import pytest

from failoverd.drivers.clock import SystemClock
from failoverd.drivers.tasks import ThreadTasks
from failoverd.drivers.wakeups import Bell
from failoverd.model.errors import TimedOut
from failoverd.ports import Clock, Tasks, Wakeups

LONG = 10.0


@pytest.fixture(params=[SystemClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    made: Clock = request.param()
    return made


@pytest.fixture(params=[Bell])
def bell(request: pytest.FixtureRequest) -> Wakeups:
    made: Wakeups = request.param()
    return made


@pytest.fixture(params=[ThreadTasks])
def tasks(request: pytest.FixtureRequest) -> Tasks:
    made: Tasks = request.param()
    return made


def test_the_clock_never_goes_back_and_sleeping_takes_time(clock: Clock) -> None:
    before = clock.now()
    clock.sleep(0.02)
    clock.sleep(-1.0)
    assert clock.now() >= before + 0.02
    assert clock.wall().tzinfo is UTC


def test_the_clock_counts_suspends() -> None:
    with open("/proc/uptime", encoding="ascii") as file:  # the kernel counts it since boot, suspends included
        assert SystemClock().now() == pytest.approx(float(file.read().split()[0]), abs=2.0)


def test_a_rest_without_a_ring_ends_by_itself(bell: Wakeups) -> None:
    assert bell.wait(0.01) == frozenset()
    assert bell.wait(-1.0) == frozenset()


def test_rings_are_collected_once(bell: Wakeups) -> None:
    for reason in ("lock", "request", "lock"):
        bell.ring(reason)
    assert bell.wait(LONG) == {"lock", "request"}
    assert bell.wait(0.0) == frozenset()


def test_a_ring_from_another_thread_ends_the_rest(bell: Wakeups) -> None:
    threading.Timer(0.05, lambda: bell.ring("now")).start()
    assert bell.wait(LONG) == {"now"}


def test_a_signal_handler_may_ring_the_thread_it_interrupts(bell: Wakeups) -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: bell.ring("signal"))
    try:
        threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
        assert bell.wait(LONG) == {"signal"}
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_answers_and_errors_come_back_under_their_names(tasks: Tasks) -> None:
    def fails() -> int:
        raise ValueError("no")

    answers = tasks.gather({"one": lambda: 1, "two": fails, "three": lambda: 3}, LONG)
    assert list(answers) == ["one", "two", "three"]
    assert (answers["one"], answers["three"]) == (1, 3)
    assert isinstance(answers["two"], ValueError)


def test_nothing_to_do_is_done_at_once(tasks: Tasks) -> None:
    assert tasks.gather({}, LONG) == {}


def test_calls_run_side_by_side(tasks: Tasks) -> None:
    meeting = threading.Barrier(20)
    calls: dict[str, Callable[[], int]] = {str(n): lambda: meeting.wait(LONG) for n in range(20)}
    answers = tasks.gather(calls, LONG)
    assert sorted(str(answer) for answer in answers.values()) == sorted(str(n) for n in range(20))


def test_a_blocked_call_is_late_alone_and_delays_nobody_afterwards(tasks: Tasks, clock: Clock) -> None:
    blocked = threading.Event()
    try:
        for _ in range(5):
            began = clock.now()
            answers = tasks.gather({"blocked": lambda: blocked.wait(60), "quick": lambda: True}, 0.1)
            assert isinstance(answers["blocked"], TimedOut)
            assert "blocked" in str(answers["blocked"])
            assert answers["quick"] is True
            assert clock.now() - began < LONG
    finally:
        blocked.set()


def test_threads_are_used_again() -> None:
    tasks = ThreadTasks()
    seen: set[int] = set()
    for _ in range(50):
        answers = tasks.gather({"a": threading.get_ident}, LONG)
        seen.add(int(str(answers["a"])))
    assert len(seen) < 10


def test_a_gathering_may_gather(tasks: Tasks) -> None:
    def outer() -> object:
        return tasks.gather({"inner": lambda: 7}, LONG)["inner"]

    assert tasks.gather({"outer": outer}, LONG) == {"outer": 7}


def test_a_worker_runs_beside_us(tasks: Tasks) -> None:
    ran = threading.Event()
    tasks.start("worker", ran.set)
    assert ran.wait(LONG)


def test_an_error_that_leaves_a_worker_ends_the_process() -> None:
    program = (
        "import threading\n"
        "from failoverd.drivers.tasks import ThreadTasks\n"
        "def dies(): raise ValueError('the reason')\n"
        "ThreadTasks().start('watcher', dies)\n"
        "threading.Event().wait(30)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "worker watcher died" in done.stderr
    assert "the reason" in done.stderr
