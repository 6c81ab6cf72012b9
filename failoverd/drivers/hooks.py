"""The Hooks port: executables below a folder, each in a process group of its own, without a shell, with a time-out.

They get a small environment that holds no secret, and what they say is kept up to a limit.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from failoverd.model.errors import HookError
from failoverd.model.hooks import Heed, HookCall, HookResult, Point

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
KEPT = 8192
_READ = 65536
_LATEST = 1024
_EVERY = 0.5  # seconds between two times that whoever heeds a hook hears of it
_LAST_WORDS = 0.2  # for what a process said just before it ended, where a child of it holds its output open (seconds)


def executables(folder: str, point: Point) -> tuple[str, ...]:
    """The names of the hooks of a point, in order; HookError where others could have put them there."""
    place = Path(folder) / point
    if not place.is_dir():
        return ()
    for path in (Path(folder), place):
        guarded(path)
    found = sorted(path for path in place.iterdir() if path.is_file() and os.access(path, os.X_OK))
    for path in found:
        guarded(path)
    return tuple(path.name for path in found)


def guarded(path: Path) -> None:
    """HookError where somebody else than root or we may write to it."""
    status = path.stat()
    if status.st_uid not in {0, os.geteuid()} or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise HookError(f"{path} is not run", "others than its owner may write to it", "chown root and chmod go-w")


class ProcessHooks:
    """Implements `ports.Hooks`; `heard` is told how every hook ended that nobody waits for."""

    def __init__(self, heard: Callable[[Point, HookResult], None]) -> None:
        self._heard = heard
        self._lock = threading.Lock()
        self._next: dict[tuple[str, Point], tuple[HookCall, ...]] = {}
        self._busy: set[tuple[str, Point]] = set()

    def names(self, folder: str, point: Point) -> tuple[str, ...]:
        """The hooks of a point in their order. Raises HookError."""
        return executables(folder, point)

    def run(self, call: HookCall, heed: Heed | None = None) -> HookResult:
        """Run one hook to its end, or kill its process group at its time-out or where `heed` raises, which is raised;
        never raises for what it does.
        """
        path = Path(call.folder) / call.point / call.name
        around = {"PATH": PATH, "LANG": "C.UTF-8", **{f"FAILOVERD_{key}": text for key, text in call.told.items()}}
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(
                [str(path)], stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, env=around, cwd="/",
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            return HookResult(call.name, False, f"cannot be run: {error.strerror or error}")
        with process:
            said, late = follow(process, call, heed)
        output = bytes(said.beginning).decode("utf-8", "replace").strip()
        if late:
            return HookResult(call.name, False, f"killed after {call.timeout:g} s", output)
        code = process.returncode
        how = f"exit {code}" if code >= 0 else f"ended by {signal.Signals(-code).name}"
        return HookResult(call.name, code == 0, how, output)

    def post(self, calls: tuple[HookCall, ...]) -> None:
        """Run hooks of one point aside. What waits for them there is replaced: only the newest word is of use."""
        if not calls:
            return
        key = (calls[0].folder, calls[0].point)
        with self._lock:
            self._next[key] = calls
            if key in self._busy:
                return
            self._busy.add(key)
        threading.Thread(target=self._tell, args=(key,), name=f"hooks {key[1]}", daemon=True).start()

    def _tell(self, key: tuple[str, Point]) -> None:
        while True:
            with self._lock:
                calls = self._next.pop(key, ())
                if not calls:
                    self._busy.discard(key)
                    return
            for call in calls:
                self._heard(call.point, self.run(call))


class Said:
    """What a process says: its beginning up to the limit, and its latest line."""

    def __init__(self) -> None:
        self.beginning = bytearray()
        self._latest = b""

    def take(self, data: bytes) -> None:
        """More of it."""
        self.beginning += data[: max(0, KEPT - len(self.beginning))]
        self._latest = (self._latest + data)[-_LATEST:]

    def line(self) -> str:
        """The latest line that is not empty."""
        return (self._latest.decode("utf-8", "replace").strip().splitlines() or [""])[-1]


def follow(process: subprocess.Popen[bytes], call: HookCall, heed: Heed | None) -> tuple[Said, bool]:
    """Feed a process and gather what it says; whether it had to be killed with its whole group."""
    feeding = threading.Thread(target=feed, args=(process, call.document.encode()), daemon=True)
    feeding.start()
    said = Said()
    try:
        end = listen(process, said, time.monotonic() + call.timeout, heed)
    except BaseException:
        kill(process)
        raise
    late = not ended(process, end)
    if late:
        kill(process)
    feeding.join(1.0)
    return said, late


def listen(process: subprocess.Popen[bytes], said: Said, end: float, heed: Heed | None) -> float:
    """Gather what it says until it ends or its time is up; when that is, now that it may have ended."""
    due = time.monotonic() + _EVERY
    with selectors.DefaultSelector() as selector:
        if process.stdout is not None:
            selector.register(process.stdout, selectors.EVENT_READ)
        while (selector.get_map() or process.poll() is None) and time.monotonic() < end:
            if process.poll() is not None:
                end = min(end, time.monotonic() + _LAST_WORDS)
            for key, _ in selector.select(min(0.05, max(0.0, end - time.monotonic()))):
                if not gather(key.fd, said):
                    selector.unregister(key.fileobj)
            if heed is not None and time.monotonic() >= due:
                heed(said.line())
                due = time.monotonic() + _EVERY
    return end


def gather(fd: int, said: Said) -> bool:
    """Take what there is; False at its end."""
    data = os.read(fd, _READ)
    said.take(data)
    return bool(data)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End it with its whole group, and wait for that."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def ended(process: subprocess.Popen[bytes], end: float) -> bool:
    """Whether the process ends in its time."""
    try:
        process.wait(max(0.01, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def feed(process: subprocess.Popen[bytes], document: bytes) -> None:
    """Give it the document; one that does not want it may go without."""
    line: IO[bytes] | None = process.stdin
    if line is not None:
        with contextlib.suppress(OSError, ValueError):
            line.write(document)
            line.close()
