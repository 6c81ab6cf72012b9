"""Telling mysqld from what only looks like it, and ending exactly that."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from failoverd.agent import guard, processes
from failoverd.agent.deadline import Deadline
from failoverd.agent.faults import Fault

UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def datadir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "auto.cnf").write_text(f"[auto]\nserver-uuid={UUID}\n")
    (folder / "ibdata1").write_bytes(b"x")
    return folder


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a sleeping process under any command line."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(*words: str, cwd: Path | None = None) -> subprocess.Popen[bytes]:
        # perl-like renaming without perl: a shell whose name is the first word, waiting on its standard input
        process = subprocess.Popen(
            [words[0], "-c", "read line", *words[1:]], executable="/bin/sh", stdin=subprocess.PIPE, cwd=cwd
        )
        running.append(process)
        wait_for(lambda: processes.argv_of(process.pid) not in (None, processes.argv_of(os.getpid())))
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait()


def wait_for(done: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def pids(datadir: Path) -> list[int]:
    return [one.pid for one in processes.look(str(datadir)) if one.proven]


@pytest.mark.parametrize(
    ("argv", "yes"),
    [
        (["/usr/sbin/mysqld", "--datadir=/x"], True),
        (["mysqld"], True),
        (["/opt/ld-linux-x86-64.so.2", "--library-path", "/lib", "/opt/usr/sbin/mysqld", "--x"], True),
        (["/lib/ld-2.31.so", "/usr/sbin/mysqld"], True),
        (["/bin/sh", "/usr/bin/mysqld_safe", "--datadir=/x"], False),
        (["sh", "-c", "while :; do /usr/sbin/mysqld --datadir=/x; done"], False),
        (["python3", "supervise.py", "/usr/sbin/mysqld", "--datadir=/x"], False),
        (["vim", "/usr/sbin/mysqld"], False),
        (["/usr/bin/ld.gold", "mysqld"], False),
        ([""], False),
    ],
)
def test_only_mysqlds_own_command_lines_count(argv: list[str], yes: bool) -> None:
    assert processes.is_mysqld([word.encode() for word in argv]) is yes


def test_a_process_is_found_by_its_datadir_option(datadir: Path, start: Start, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(datadir)
    mine = start("/x/mysqld", f"--datadir={link}/")
    start("/x/mysqld", f"--datadir={tmp_path}")
    start("/x/other", f"--datadir={datadir}")
    assert pids(datadir) == [mine.pid]


def test_a_process_is_found_by_its_working_directory(datadir: Path, start: Start) -> None:
    mine = start("/x/mysqld", cwd=datadir)
    start("/x/mysqld", cwd=Path("/"))
    assert pids(datadir) == [mine.pid]


def test_a_zombie_is_dead(datadir: Path, start: Start) -> None:
    mine = start("/x/mysqld", f"--datadir={datadir}")
    os.kill(mine.pid, signal.SIGKILL)
    wait_for(lambda: processes.state_of(mine.pid) is None)
    assert pids(datadir) == []


def test_the_lock_names_its_holder(datadir: Path) -> None:
    assert processes.lock_holder(str(datadir)) is None
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        fd = os.open(datadir / "ibdata1", os.O_RDWR)
        fcntl.lockf(fd, fcntl.LOCK_EX)
        os.write(writer, b"x")
        time.sleep(60)
        os._exit(0)
    os.read(reader, 1)
    try:
        assert processes.lock_holder(str(datadir)) == child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        os.close(writer)
    assert processes.lock_holder(str(datadir)) is None


def test_killing_takes_exactly_the_proven_ones(datadir: Path, start: Start, tmp_path: Path) -> None:
    mine = [start("/x/mysqld", f"--datadir={datadir}"), start("/x/mysqld", cwd=datadir)]
    other = start("/x/mysqld", f"--datadir={tmp_path}")
    killed = processes.kill_all(str(datadir), UUID, Deadline(5))
    assert sorted(killed.gone) == sorted(one.pid for one in mine)
    assert (killed.pending, killed.alive) == ((), ())
    assert other.poll() is None


def test_another_servers_datadir_is_never_touched(datadir: Path, start: Start) -> None:
    mine = start("/x/mysqld", f"--datadir={datadir}")
    with pytest.raises(Fault) as caught:
        processes.kill_all(str(datadir), UUID.replace("3e", "4e"), Deadline(5))
    assert caught.value.code == "NOT_FOUND"
    assert mine.poll() is None


@pytest.mark.parametrize("content", ["", "[auto]\n", "server-uuid=nonsense\n"])
def test_a_datadir_without_identity_is_told(datadir: Path, content: str) -> None:
    (datadir / "auto.cnf").write_text(content)
    with pytest.raises(Fault, match="names no server_uuid"):
        processes.server_uuid(str(datadir))


def test_a_watch_takes_the_lock_and_kills_newcomers(datadir: Path, start: Start) -> None:
    watch = guard.Watch(str(datadir), UUID)
    watch.step()
    assert watch.locked
    newcomer = start("/x/mysqld", f"--datadir={datadir}")
    watch.step()
    assert newcomer.wait(10) == -signal.SIGKILL
    with (datadir / "ibdata1").open("r+b") as stream:
        with pytest.raises(BlockingIOError):
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        watch.let_go()
        fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_watchs_lock_survives_questions_about_it(datadir: Path) -> None:
    """Closing any descriptor of a file drops a process's ordinary locks on it; asking must not end the watch."""
    watch = guard.Watch(str(datadir), UUID)
    watch.step()
    assert processes.lock_holder(str(datadir)) is None
    child = os.fork()
    if child == 0:
        fd = os.open(datadir / "ibdata1", os.O_RDWR)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    watch.let_go()


def test_a_watch_survives_a_datadir_that_is_gone(tmp_path: Path) -> None:
    watch = guard.Watch(str(tmp_path / "nowhere"), UUID)
    watch.step()
    assert not watch.locked
