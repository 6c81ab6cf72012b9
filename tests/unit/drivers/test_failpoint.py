"""Stopping or killing the process at one moment: only there, only once, and in the thread that reached it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from failoverd.drivers.failpoint import failpoint
from failoverd.model.errors import ConfigError

REACHES = (
    "from failoverd.drivers.failpoint import failpoint as f; s = f('{}'); s('after:x'); s('before:x'); print('on')"
)


def test_nothing_wished_is_nothing_done() -> None:
    failpoint("")("before:OpenWrites")


@pytest.mark.parametrize("wanted", ["kill", "stop OpenWrites", "pause before:OpenWrites", "before:OpenWrites"])
def test_what_is_no_moment_is_an_error(wanted: str) -> None:
    with pytest.raises(ConfigError, match="FAILOVERD_PAUSE_AT"):
        failpoint(wanted)


def test_it_kills_at_its_moment_only() -> None:
    struck = subprocess.run([sys.executable, "-c", REACHES.format("kill before:x")], capture_output=True, check=False)
    assert (struck.returncode, struck.stdout) == (-signal.SIGKILL, b"")
    other = subprocess.run([sys.executable, "-c", REACHES.format("kill before:y")], capture_output=True, check=False)
    assert (other.returncode, other.stdout) == (0, b"on\n")


def test_it_stops_before_another_word_is_said_and_goes_on_when_told() -> None:
    with subprocess.Popen([sys.executable, "-c", REACHES.format("stop before:x")], stdout=subprocess.PIPE) as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
        assert process.stdout is not None
        assert process.stdout.read() == b"on\n"
