"""Real programs as hooks: what they get, how long they may take, and whose files are run at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from failoverd.drivers.hooks import KEPT, ProcessHooks
from failoverd.model.errors import HookError, StepFailed
from failoverd.model.hooks import HookCall, HookResult, Point
from tests.contract.coordination_worlds import until

Heard = list[tuple[Point, HookResult]]


@pytest.fixture
def heard() -> Heard:
    return []


@pytest.fixture
def hooks(heard: Heard) -> ProcessHooks:
    return ProcessHooks(lambda point, result: heard.append((point, result)))


Write = Callable[..., HookCall]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def made(text: str, name: str = "10-a", timeout: float = 20.0, mode: int = 0o755) -> HookCall:
        place = tmp_path / Point.ON_PROMOTED
        place.mkdir(exist_ok=True)
        (place / name).write_text(text)
        (place / name).chmod(mode)
        told = {"NEW": "db2", "IDEMPOTENCY_KEY": "k"}
        return HookCall(str(tmp_path), Point.ON_PROMOTED, name, told, '{"operation": "o"}', timeout)

    return made


def test_it_gets_the_document_and_an_environment_without_ours(
    hooks: ProcessHooks, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILOVERD_SECRET", "canary")
    result = hooks.run(write("#!/bin/sh\nenv | sort; cat; pwd\n"))
    assert (result.name, result.ok, result.how) == ("10-a", True, "exit 0")
    lines = result.output.splitlines()
    assert "FAILOVERD_NEW=db2" in lines
    assert "FAILOVERD_IDEMPOTENCY_KEY=k" in lines
    assert "canary" not in result.output
    assert '{"operation": "o"}/' in lines, "the document on standard input, and a working directory that stays"


def test_a_bad_end_is_told_with_its_words(hooks: ProcessHooks, write: Write) -> None:
    assert hooks.run(write("#!/bin/sh\necho why >&2; exit 7\n")) == HookResult("10-a", False, "exit 7", "why")
    assert hooks.run(write("#!/bin/sh\nkill -9 $$\n")).how == "ended by SIGKILL"
    assert hooks.run(write("no program\n")).how.startswith("cannot be run: Exec format error")


def test_one_that_hangs_is_killed_with_its_children(hooks: ProcessHooks, write: Write, tmp_path: Path) -> None:
    child = tmp_path / "child"
    result = hooks.run(write(f"#!/bin/sh\necho begun\nsleep 100 &\necho $! > {child}\nwait\n", timeout=1.0))
    assert (result.ok, result.how) == (False, "killed after 1 s")
    assert result.output == "begun"
    pid = int(child.read_text())
    until(lambda: not alive(pid), "the end of its child")


def alive(pid: int) -> bool:
    """Whether a process lives; one that nobody has reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_whoever_heeds_it_hears_its_latest_line_also_of_a_long_speech(hooks: ProcessHooks, write: Write) -> None:
    heard: list[str] = []
    text = "#!/bin/sh\nhead -c 100000 /dev/zero | tr '\\0' x\necho\necho 'three of four'\nsleep 1.2\n"
    result = hooks.run(write(text), heard.append)
    assert result.ok
    assert heard
    assert set(heard) == {"three of four"}


@pytest.mark.parametrize("silent", ["", "exec > /dev/null 2>&1\n"], ids=["speaking", "silent"])
def test_whoever_heeds_it_can_end_it_with_its_children(
    hooks: ProcessHooks, write: Write, tmp_path: Path, silent: str
) -> None:
    child = tmp_path / "child"

    def no(_: str) -> None:
        if child.exists() and child.read_text().strip():
            raise StepFailed("the primary is missed")

    with pytest.raises(StepFailed, match="is missed"):
        hooks.run(write(f"#!/bin/sh\n{silent}sleep 100 &\necho $! > {child}\nwait\n"), no)
    until(lambda: not Path(f"/proc/{child.read_text().strip()}/cmdline").exists(), "the end of its child")


def test_what_it_leaves_behind_holds_nobody_up(hooks: ProcessHooks, write: Write) -> None:
    result = hooks.run(write("#!/bin/sh\nsleep 30 &\necho left $!\n"))
    assert result.ok
    os.kill(int(result.output.split()[1]), 9)


def test_only_the_beginning_of_a_long_speech_is_kept(hooks: ProcessHooks, write: Write) -> None:
    result = hooks.run(write("#!/bin/sh\nhead -c 1000000 /dev/zero | tr '\\0' x\n"))
    assert (result.ok, len(result.output)) == (True, KEPT)


def test_they_run_in_the_order_of_their_names_and_only_programs(hooks: ProcessHooks, write: Write) -> None:
    folder = write("#!/bin/sh\n", "20-b").folder
    write("#!/bin/sh\n", "10-a")
    write("read me\n", "README", mode=0o644)
    assert hooks.names(folder, Point.ON_PROMOTED) == ("10-a", "20-b")
    assert hooks.names(folder, Point.ON_FROZEN) == ()


@pytest.mark.parametrize("which", ["", "on-promoted", "on-promoted/10-a"])
def test_what_others_may_write_to_is_not_run(hooks: ProcessHooks, write: Write, which: str) -> None:
    folder = write("#!/bin/sh\n").folder
    (Path(folder) / which).chmod(0o777)
    with pytest.raises(HookError, match="others than its owner may write"):
        hooks.names(folder, Point.ON_PROMOTED)


def test_news_are_told_aside_and_only_the_newest_waits(
    hooks: ProcessHooks, write: Write, heard: Heard, tmp_path: Path
) -> None:
    go, begun = tmp_path / "go", tmp_path / "begun"
    os.mkfifo(go)
    call = write(f"#!/bin/sh\ntouch {begun}\nread _ < {go}\n")
    hooks.post(())
    hooks.post((call,))
    until(begun.exists, "the first one")
    for _ in range(4):
        hooks.post((call,))
    for expected in (1, 2):
        go.write_text("go\n")
        until(lambda expected=expected: len(heard) == expected, "its end")  # type: ignore[misc]
    assert [result.ok for _, result in heard] == [True, True]
    hooks.post((write("#!/bin/sh\n"),))
    until(lambda: len(heard) == 3, "another one")
