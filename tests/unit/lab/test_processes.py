"""Commands and processes: failures become one clear error, signals reach one process only."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from failoverd.lab import processes
from failoverd.model.errors import FailoverdError


def test_a_commands_output_comes_back() -> None:
    assert processes.run(["cat"], feed="text") == "text"


@pytest.mark.parametrize(
    ("argv", "what"),
    [
        (["sh", "-c", "echo why >&2; exit 3"], "sh failed with 3: .*why"),
        (["no-such-program"], "no-such-program is not installed"),
        (["sleep", "5"], "sleep did not end within 0.2 s"),
    ],
)
def test_a_commands_failure_says_what_and_why(argv: list[str], what: str) -> None:
    with pytest.raises(FailoverdError, match=what):
        processes.run(argv, deadline=0.2)


def test_waiting_ends_with_what_did_not_happen() -> None:
    with pytest.raises(FailoverdError, match="the rain did not happen"):
        processes.wait_until(lambda: False, deadline=0.05, what="the rain")


def test_side_by_side_does_all_and_raises_the_first_error() -> None:
    done = []

    def bad() -> None:
        raise FailoverdError("bad")

    with pytest.raises(FailoverdError, match="bad"):
        processes.side_by_side([bad, lambda: done.append(1), lambda: done.append(2)])
    assert sorted(done) == [1, 2]
    processes.side_by_side([])


@pytest.mark.parametrize("number", [-1, 0, 1])
def test_no_signal_goes_to_a_number_that_means_many(number: int) -> None:
    with pytest.raises(FailoverdError, match="no signal"):
        processes.send(number, signal.SIGCONT)


def test_states_children_and_ends_of_processes() -> None:
    child = subprocess.Popen(["sleep", "60"])
    assert processes.alive(child.pid)
    assert child.pid in processes.children(os.getpid())
    assert processes.inner_number(child.pid) == child.pid
    processes.end([child.pid])
    assert not processes.alive(child.pid)
    assert processes.state(child.pid) == "Z", "its status is left to whoever started it"
    assert child.wait() == -signal.SIGKILL
    assert processes.state(child.pid) == ""
    begin = time.monotonic()
    processes.end([child.pid])
    assert time.monotonic() - begin < 1
