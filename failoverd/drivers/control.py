"""The control sockets: one Unix socket for each operation, one line in, the answer out.

A line that begins with `json ` is answered with one line of JSON, every other one with text. Only the account that
runs the operation, and root, may connect.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from failoverd.decide.controlling import Answer, document, obey
from failoverd.model.control import Standing, Wishes
from failoverd.model.errors import FailoverdError
from failoverd.ports import Clock

SUFFIX = ".sock"
# Of several, a command that waits is talked to last: this sorts before every cluster's name.
WAITING = "+waiting-"
JSON = "json "
# So long is an answer waited for, so long may somebody say nothing (seconds), and so long may a line be (bytes).
PATIENCE = 10.0
SILENCE = 600.0
LONGEST = 1024
_CREDENTIALS = struct.Struct("3i")


class Room:
    """The place of one operation: what people want, and where it stands, kept together under one lock."""

    def __init__(self, standing: Standing, wishes: Wishes, clock: Clock, leave: Callable[[Room], None]) -> None:
        self._standing = standing
        self._wishes = wishes
        self._clock = clock
        self._lock = threading.Lock()
        self._leave = leave

    def wishes(self) -> Wishes:
        """What people want now."""
        with self._lock:
            return self._wishes

    def stands(self, standing: Standing) -> None:
        """Where it stands from now on."""
        with self._lock:
            self._standing = standing

    def stands_unless(self, standing: Standing, against: Callable[[Wishes], str]) -> str:
        """The same, unless the wishes of this very moment are against it."""
        with self._lock:
            why = against(self._wishes)
            if not why:
                self._standing = standing
            return why

    def hear(self, line: str, by: str) -> tuple[Answer, dict[str, object]]:
        """One line from somebody, followed; the answer, and the same as a document."""
        with self._lock:
            now = self._clock.now()
            answer = obey(line, self._wishes, self._standing, now, by)
            self._wishes = answer.wishes
            return answer, document(answer, self._standing, now)

    def close(self) -> None:
        """Nobody is heard any more."""
        self._leave(self)


class SocketRooms:
    """Opens a socket for each operation below `run_dir`/CLUSTER; what a dead process has left there is cleared away."""

    def __init__(self, run_dir: Path, clock: Clock, warn: Callable[[str, str], None]) -> None:
        self.run_dir = run_dir
        self._clock = clock
        self._warn = warn
        self._open: dict[Room, tuple[socket.socket, Path] | None] = {}

    def open(self, name: str, standing: Standing, wishes: Wishes) -> Room:
        """A room, and a socket that leads to it where one can be had; why not is warned of."""
        room = Room(standing, wishes, self._clock, self._close)
        path = self.run_dir / standing.cluster / f"{name}{SUFFIX}"
        try:
            listening = _listen(path)
        except OSError as error:
            self._warn("no control socket", f"{path}: {error.strerror or error}")
            self._open[room] = None
            return room
        self._open[room] = (listening, path)
        threading.Thread(target=self._serve, args=(room, listening), name=f"control {name}", daemon=True).start()
        return room

    @contextmanager
    def interruptible(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Within, Ctrl-C says abort to the operation that this process is at, and what is answered is told; where it is
        at none, it interrupts as ever. For the main thread.
        """

        def say() -> None:
            for line in self.give_up("Ctrl-C"):
                tell(f"Ctrl-C: {line}")

        def interrupted(*_: object) -> None:
            if not self._open:
                raise KeyboardInterrupt
            # On a thread of its own: this one may be inside a room just now.
            threading.Thread(target=say, name="interrupted", daemon=True).start()

        before = signal.signal(signal.SIGINT, interrupted)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def give_up(self, by: str) -> tuple[str, ...]:
        """Say abort to all that this process is at; what is answered."""
        return tuple(line for room in tuple(self._open) for line in room.hear("abort", by)[0].lines[:1])

    def _close(self, room: Room) -> None:
        had = self._open.pop(room, None)
        if had is None:
            return
        listening, path = had
        with contextlib.suppress(OSError):
            path.unlink()
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()

    def _serve(self, room: Room, listening: socket.socket) -> None:
        while True:
            try:
                talking, _ = listening.accept()
            except OSError:
                return  # closed: the operation has ended
            threading.Thread(target=_talk, args=(room, talking), name="control", daemon=True).start()


def _listen(path: Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"*{SUFFIX}"):
        _clear(left)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listening.fileno(), 0o600)  # the file takes its mode from here: nobody gets in between
        with _reachable(path) as place:
            listening.bind(place)
        listening.listen(8)
    except OSError:
        listening.close()
        raise
    return listening


def _clear(path: Path) -> None:
    """Take a socket away that nobody listens at any more."""
    with contextlib.suppress(OSError):
        try:
            _connect(path).close()
        except ConnectionRefusedError:
            path.unlink()


@contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """The socket's name in a form that is never too long for one: by its folder's descriptor."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _connect(path: Path) -> socket.socket:
    talking = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    talking.settimeout(PATIENCE)
    try:
        with _reachable(path) as place:
            talking.connect(place)
    except OSError:
        talking.close()
        raise
    return talking


def _talk(room: Room, talking: socket.socket) -> None:
    """Answer line after line until the other side leaves or says nothing for too long."""
    talking.settimeout(SILENCE)
    with talking, contextlib.suppress(OSError), talking.makefile("rwb") as both:
        by = _account(talking)
        while line := both.readline(LONGEST):
            text = line.decode("utf-8", "replace").strip()
            answer, told = room.hear(text.removeprefix(JSON), by)
            said = json.dumps(told) if text.startswith(JSON) else "\n".join(answer.lines)
            both.write(said.encode() + b"\n")
            both.flush()


def _account(talking: socket.socket) -> str:
    """Who sits at the other end."""
    told = talking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid = _CREDENTIALS.unpack(told)[1]
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Talks to the operations of this host."""

    run_dir: Path

    def say(self, cluster: str, line: str) -> Mapping[str, Any]:
        """The answer to one line as a document. FailoverdError where no operation of this cluster runs here."""
        for path in sorted((self.run_dir / cluster).glob(f"*{SUFFIX}"), reverse=True):
            with contextlib.suppress(OSError, ValueError):
                return _asked(path, line)
        raise FailoverdError(
            f"no operation of {cluster} runs on this host",
            f"nobody listens in {self.run_dir / cluster}",
            "attach on the host of the manager that runs it: failoverd ops list",
        )


def _asked(path: Path, line: str) -> Mapping[str, Any]:
    with _connect(path) as talking, talking.makefile("rwb") as both:
        both.write(f"{JSON}{line}\n".encode())
        both.flush()
        answer: Mapping[str, Any] = json.loads(both.readline())
        return answer
