"""The zipapp: the same bytes from the same sources, and nothing needed but a Python."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from failoverd.agent import PROTOCOL, VERSION, wire
from failoverd.agent.build import build


def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = build(tmp_path / "one.pyz")
    os.utime(Path(__file__).parents[3] / "failoverd/agent/wire.py")
    assert build(tmp_path / "two.pyz") == first
    assert (tmp_path / "one.pyz").read_bytes() == (tmp_path / "two.pyz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.pyz", "two.pyz"]


def test_it_holds_agent_and_gtid_and_nothing_else(tmp_path: Path) -> None:
    build(tmp_path / "agent.pyz")
    names = zipfile.ZipFile(tmp_path / "agent.pyz").namelist()
    assert names == sorted(names)
    assert {name.split("/")[1] for name in names if "/" in name} == {"__init__.py", "agent", "gtid"}
    assert "failoverd/agent/build.py" not in names
    assert (tmp_path / "agent.pyz").stat().st_size < 100_000


def test_it_greets_wherever_it_lies(tmp_path: Path) -> None:
    digest = build(tmp_path / "agent.pyz")
    words = [sys.executable, "-I", "-S", str(tmp_path / "agent.pyz"), "serve", "--dir", str(tmp_path / "home")]
    said = subprocess.run(words, input=b"", capture_output=True, timeout=30, check=True, cwd="/")
    (frame,) = wire.FrameDecoder().feed(said.stdout)
    hello = frame.json()["hello"]
    assert (hello["protocol"], hello["sha256"], hello["version"]) == (PROTOCOL, digest, VERSION)
    assert set(hello) == {"protocol", "sha256", "version", "python", "host", "user", "door"}


def test_garbage_ends_it_with_a_word(tmp_path: Path) -> None:
    build(tmp_path / "agent.pyz")
    words = [sys.executable, "-I", "-S", str(tmp_path / "agent.pyz"), "serve", "--dir", str(tmp_path / "home")]
    said = subprocess.run(words, input=b"ls -la\n/etc", capture_output=True, timeout=30, check=False)
    assert said.returncode == 2
    assert b"not a frame" in said.stderr


def test_a_folder_it_cannot_use_is_said(tmp_path: Path) -> None:
    build(tmp_path / "agent.pyz")
    words = [sys.executable, "-I", "-S", str(tmp_path / "agent.pyz"), "serve", "--dir", "/proc/nothing"]
    said = subprocess.run(words, input=b"", capture_output=True, timeout=30, check=False)
    assert said.returncode == 1
    assert said.stderr.startswith(b"failoverd-agent: cannot keep its state in /proc/nothing")
    assert said.stdout == b""


def test_every_python_here_runs_it(tmp_path: Path) -> None:
    """Every Python from 3.9 on under ~/.pyenv; the one of the tests is always among them."""
    build(tmp_path / "agent.pyz")
    pyenv = (Path.home() / ".pyenv/versions").glob("3.*/bin/python3")
    found = [str(path) for path in sorted(pyenv) if int(path.parts[-3].split(".")[1]) >= 9]
    for python in [sys.executable, *found]:
        words = [python, "-I", "-S", str(tmp_path / "agent.pyz"), "serve", "--dir", str(tmp_path / "home")]
        said = subprocess.run(words, input=b"", capture_output=True, timeout=60, check=False)
        assert said.returncode == 0, (python, said.stderr)
        assert b'"hello"' in said.stdout
