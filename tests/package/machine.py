"""A Debian 12 of a test's own: laid over the one that the set-up unpacked, booted, gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.rehearsal import eventually

PATIENCE = 60.0
TARGET = "systemd.unit=basic.target"
DEBIAN = Path(os.environ.get("FAILOVERD_CACHE", "/var/cache/failoverd")) / "debian"
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
# The network is its own and has nothing but itself; no entry is made with this machine's own service manager.
_NSPAWN = (
    *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--link-journal=no", "--console=pipe"),
    *("--private-network", "--resolv-conf=off", "--timezone=off"),
)


class Machine:
    """A booted system; `root` is its tree as this machine sees it."""

    def __init__(self, root: Path, init: int) -> None:
        self.root = root
        self._init = init

    @property
    def inside(self) -> tuple[str, ...]:
        """What stands before a command that runs in there."""
        return ("nsenter", "-t", str(self._init), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w")

    def run(self, *words: str, check: bool = True, deadline: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        """A command in there; an AssertionError with all it said where it failed and `check` is set."""
        done = subprocess.run(
            (*self.inside, *words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # what an agent says begins with its length in four bytes
            timeout=deadline,
            check=False,
            env=_ENVIRONMENT,
        )
        assert done.returncode == 0 or not check, f"{' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def say(self, *words: str) -> str:
        """What a command in there prints, trimmed, whatever its exit code."""
        return self.run(*words, check=False).stdout.strip()

    def write(self, place: str, text: str, mode: int = 0o644) -> None:
        """A file in there, of root's."""
        path = self.root / place.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)

    def install(self, *packages: Path) -> str:
        """Install these packages; what dpkg said."""
        for package in packages:
            shutil.copy(package, self.root / "opt")
        return self.run("dpkg", "-i", *(f"/opt/{package.name}" for package in packages)).stdout


@contextmanager
def booted(*shared: Path) -> Iterator[Machine]:
    """A machine that has booted; everything of it is taken away at the end. It sees the `shared` folders of this one,
    and cannot write there.
    """
    folder = Path(tempfile.mkdtemp(prefix="failoverd-debian-", dir="/dev/shm"))
    root = folder / "root"
    for name in ("up", "work", "root"):
        (folder / name).mkdir()
    layers = f"lowerdir={DEBIAN},upperdir={folder}/up,workdir={folder}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, root], check=True)
    try:
        with (folder / "console").open("wb") as console:
            name = f"--machine=fo{os.getpid()}-{folder.name[-8:].replace('_', 'x')}"
            process = subprocess.Popen(
                (*_NSPAWN, *(f"--bind-ro={folder}" for folder in shared), name, "-D", str(root), "--", TARGET),
                stdin=subprocess.DEVNULL, stdout=console, stderr=console,
            )  # fmt: skip
        try:
            init = eventually(lambda: _init_of(process), bool, "a booting system")
            machine = Machine(root, init)
            ready = ("running", "degraded")
            eventually(lambda: machine.say("systemctl", "is-system-running"), lambda w: w in ready, "a running system")
            yield machine
        finally:
            _end(process)
    finally:
        subprocess.run(["umount", "--lazy", root], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def _init_of(process: subprocess.Popen[bytes]) -> int:
    """The first process of the system that this one boots; 0 before there is one."""
    assert process.poll() is None, "systemd-nspawn ended"
    parents = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        except OSError:
            continue
        parents[int(status.parent.name)] = (int(fields["PPid"]), fields["Name"].strip(), fields["NSpid"].split())
    for pid, (parent, name, numbers) in parents.items():
        if name == "systemd" and numbers[-1] == "1" and _below(parent, process.pid, parents):
            return pid
    return 0


def _below(pid: int, ancestor: int, parents: dict[int, tuple[int, str, list[str]]]) -> bool:
    while pid != ancestor:
        if pid not in parents:
            return False
        pid = parents[pid][0]
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Power it off; whoever does not heed is killed, and everything in its process namespace with it."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=15)
