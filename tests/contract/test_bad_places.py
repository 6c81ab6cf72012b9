"""A manager as a process whose places are bad: folders it cannot write, a port that is taken, files of its state that
nobody can understand. It says what is wrong and what to do, goes on watching, and ends when it is told to.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.coordination_worlds import until

Spoil = Callable[[Path, dict[str, object]], None]
SERVERS = [{"name": f"db{number}", "host": "127.0.0.1", "port": number} for number in (1, 2)]  # nobody listens there


@dataclass(frozen=True)
class Case:
    """What is spoiled before the start; the event that tells of it, words in it, and whether anybody would act."""

    spoil: Spoil
    event: str
    words: tuple[str, ...]
    acts: bool


def below_a_file(key: str) -> Spoil:
    """That folder of the manager's cannot be made: a file is in its way."""

    def spoil(folder: Path, manager: dict[str, object]) -> None:
        (folder / "file").touch()
        manager[key] = str(folder / "file" / key)

    return spoil


def holding(name: str, *others: str) -> Spoil:
    """A file of the state holds what nobody can understand, beside others that are right."""

    def spoil(folder: Path, _manager: dict[str, object]) -> None:
        (folder / "state").mkdir()
        for other in others:
            (folder / "state" / other).write_text("7")
        (folder / "state" / name).write_text("scribble")

    return spoil


CASES = {
    "run_dir": Case(
        below_a_file("run_dir"), "status not kept on this host", ("status.json cannot be written", "run_dir"), True
    ),
    "state_dir": Case(below_a_file("state_dir"), "nobody acts", ("cannot be written", "manager.state_dir"), False),
    "primary": Case(holding("shop.primary", "shop.epoch"), "nobody acts", ("shop.primary cannot be read",), False),
    "pause": Case(holding("shop.paused"), "nobody acts", ("shop.paused cannot be read", "move the file away"), False),
    "epoch": Case(holding("shop.epoch"), "nobody acts", ("not a number", "failoverd init --adopt"), False),
}


def configured(folder: Path, manager: dict[str, object]) -> Path:
    """A configuration of one cluster, where nobody answers."""
    for name in ("mysql.secret", "repl.secret", "key"):
        (folder / name).touch(0o600)
        (folder / name).write_text("hidden\n")
    (folder / "known_hosts").touch()
    root = {
        "manager": manager,
        "mysql": {"password_file": "mysql.secret"},
        "replication": {"password_file": "repl.secret"},
        "ssh": {"key_file": "key", "known_hosts": "known_hosts"},
        "clusters": {"shop": {"servers": SERVERS}},
    }
    path = folder / "failoverd.yml"
    path.write_text(json.dumps(root))
    return path


def told(folder: Path, manager: dict[str, object], event: str) -> tuple[str, list[str]]:
    """The line of that event, and all events, of a manager that went on and left in order."""
    log = folder / "log"
    with log.open("wb") as sink:
        argv = [sys.executable, "-m", "failoverd", "-c", str(configured(folder, manager)), "run"]
        process = subprocess.Popen(argv, stderr=sink, stdin=subprocess.DEVNULL)
    try:
        until(lambda: event in log.read_text() and "first look done" in log.read_text(), f"the event {event!r}")
        assert process.poll() is None
    finally:
        process.terminate()
        code = process.wait(30)
    lines = log.read_text().splitlines()
    assert (code, "Traceback" in log.read_text()) == (0, False), lines
    found = [line for line in lines if json.loads(line)["event"] == event]
    assert len(found) == 1, "it is said once"
    return found[0], [str(json.loads(line)["event"]) for line in lines]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_place_that_is_bad_is_told_and_safe(case: Case, tmp_path: Path) -> None:
    manager: dict[str, object] = {"name": "mgr1", "listen": None}
    manager |= {"state_dir": str(tmp_path / "state"), "run_dir": str(tmp_path / "run")}
    case.spoil(tmp_path, manager)
    line, events = told(tmp_path, manager, case.event)
    assert all(word in line for word in case.words), line
    assert ("lock won" in events) is case.acts


def test_a_port_in_use_takes_nothing_but_http(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        manager: dict[str, object] = {"name": "mgr1", "listen": f"127.0.0.1:{taken.getsockname()[1]}"}
        manager |= {"state_dir": str(tmp_path / "state"), "run_dir": str(tmp_path / "run")}
        line, events = told(tmp_path, manager, "no HTTP")
    assert "in use" in line
    assert "manager.listen" in line
    assert "lock won" in events
