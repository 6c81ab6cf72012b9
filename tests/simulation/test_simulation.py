"""A share of the simulation in every test run: many lives hold, a life replays exactly, a failing one shrinks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulation.life import live
from tests.simulation.mutations import MUTATIONS, made
from tests.simulation.runs import breaks, shrink
from tests.simulation.script import Blow, Fault, Ill, script_of

ROOT = Path(__file__).resolve().parents[2]
SHARE_SECONDS = 25


@pytest.mark.timeout(150)
def test_a_share_of_lives_keeps_every_promise() -> None:
    command = (sys.executable, "-m", "tests.simulation", "800", "--seconds", str(SHARE_SECONDS), "--jobs", "2")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=140, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = re.search(r"^(\d+) lives, .* hit an open operation in (\d+) %", done.stdout, re.MULTILINE)
    assert said is not None, done.stdout
    assert int(said[1]) >= 20  # some hundreds, but for a machine that has much else to do
    assert int(said[2]) >= 60


def test_a_seed_is_the_same_life_each_time() -> None:
    command = (sys.executable, "-m", "tests.simulation", "--story", "7")
    told = [
        subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True, env={**os.environ, **more}
        ).stdout
        for more in ({}, {"PYTHONHASHSEED": "1"})
    ]
    assert told[0] == told[1]
    assert "operation ended" in told[0]


def test_a_failing_life_shrinks_to_the_fault_that_matters() -> None:
    faults = tuple(Fault(Ill.SLOW_WORD, word, 0.05, 0, 0) for word in (3, 9, 20))
    fatal = Fault(Ill.AGENT_SILENT, 12, 0.05, 1, 0)
    script = replace(script_of(1), faults=(*faults, fatal), blow=Blow.KILLED)
    assert shrink(script, lambda one: fatal in one.faults).faults == (fatal,)
    with made(next(mutation for mutation in MUTATIONS if mutation.name == "late-intent")):
        broken = live(script).broken
        assert broken
        assert shrink(script, breaks(frozenset(b.promise for b in broken))).faults == ()
