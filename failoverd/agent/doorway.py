"""The agent's side of the door: in its own process where it has the rights, else a warm child behind sudo."""

from __future__ import annotations

import os
import queue
import select
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Callable, Union

from failoverd.agent import door, fields, wire
from failoverd.agent.conversation import Call
from failoverd.agent.faults import DOOR, TIMEOUT, UNKNOWN, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from failoverd.agent.deadline import Deadline

Answer = Union["dict[str, Any]", Fault]

# At least that long sudo may take; a call gives it all the time that it has itself, which a busy host needs.
_START_TIME = 3.0
_GREETING_TIME = 1.0
_PYTHON = "/usr/bin/python3"


class Doorway:
    """Calls the door's sub-commands; raises what they answer as Fault."""

    def __init__(self, command: list[str] | None = None) -> None:
        program = os.path.abspath(sys.argv[0])
        self._command = command or ["sudo", "-n", _PYTHON, "-I", "-S", program, "door"]
        self._child: _Child | None = None
        self._starting = threading.Lock()

    def pid(self) -> int:
        """The door process, 0 when there is none."""
        return self._child.pid if self._child is not None else 0

    def state(self) -> str:
        """Start the door where one is needed; "ok", "missing: why", or "unknown: why" where it takes its time.

        Within a second: greeting cannot wait longer.
        """
        if os.geteuid() == 0:
            return "ok"
        answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=lambda: answers.put(self._state()), daemon=True).start()
        try:
            return answers.get(timeout=_GREETING_TIME)
        except queue.Empty:
            return f"{UNKNOWN}sudo has not answered within {_GREETING_TIME:g} s"

    def _state(self) -> str:
        try:
            self._open(_START_TIME)
        except OSError as error:
            return f"missing: {error}"
        except Fault as error:
            return f"{UNKNOWN if error.code == TIMEOUT else 'missing: '}{error.detail or error.what}"
        return "ok"

    def call(
        self,
        op: str,
        args: dict[str, Any],
        deadline: Deadline,
        upload: Iterable[bytes] = (),
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> dict[str, Any]:
        """Run one sub-command, in process if this account is root or owns the data directory, else through sudo."""
        if _sufficient(args.get("datadir")):
            checked = fields.read(door.OPS[op].fields, args, f"the arguments of {op}")
            return door.OPS[op].handler(Call(checked, deadline, progress=progress, upload=iter(upload)))
        return self._open(max(deadline.left(), _START_TIME)).call(op, args, deadline, upload, progress)

    def _open(self, patience: float) -> _Child:
        with self._starting:
            if self._child is None or self._child.ended():
                self._child = _Child(self._command, patience)
            return self._child


def _sufficient(datadir: str | None) -> bool:
    if os.geteuid() == 0:
        return True
    try:
        return datadir is not None and os.stat(datadir).st_uid == os.geteuid()
    except OSError:
        return False


class _Child:
    """A door process and the thread that reads its replies."""

    def __init__(self, command: list[str], patience: float) -> None:
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd="/")
        except OSError as error:
            raise Fault(DOOR, "the door does not open", str(error), "install sudo and the agent's rule") from error
        self._writing = threading.Lock()
        self._uploading = threading.Lock()
        self._waiting: dict[int, queue.Queue[dict[str, Any] | None]] = {}
        self._next = 0
        self._hello: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            hello = self._hello.get(timeout=patience)
        except queue.Empty:
            self._process.kill()
            why = f"not within {patience:g} s: {self._complaint()}"
            raise Fault(TIMEOUT, "the door does not open", why, "the host is busy, or sudo hangs there") from None
        if hello is None:
            self._process.kill()
            raise Fault(DOOR, "the door does not open", self._complaint(), "see the sudo rule of the agent's account")
        self.pid = int(hello["pid"])

    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def call(
        self,
        op: str,
        args: dict[str, Any],
        deadline: Deadline,
        upload: Iterable[bytes],
        progress: Callable[[int, int], None],
    ) -> dict[str, Any]:
        """Send one request and wait for its reply."""
        answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        uploads = door.OPS[op].uploads
        number = self._number()
        self._waiting[number] = answers
        request = {"id": number, "op": op, "args": args, "deadline": max(deadline.left(), 0.001), "upload": uploads}
        if uploads:
            self._write_upload(wire.pack_json(request), upload)
        else:
            self._write(wire.pack_json(request))
        try:
            return self._await(answers, deadline, progress)
        finally:
            del self._waiting[number]

    def _await(
        self,
        answers: queue.Queue[dict[str, Any] | None],
        deadline: Deadline,
        progress: Callable[[int, int], None],
    ) -> dict[str, Any]:
        while True:
            try:
                reply = answers.get(timeout=max(deadline.left(), 0.001))
            except queue.Empty:
                deadline.check()
                continue
            if reply is None:
                raise Fault(DOOR, "the door closed in the middle of a request", self._complaint())
            if "progress" in reply:
                progress(int(reply["progress"]["bytes"]), int(reply["progress"]["total"]))
            elif reply.get("ok"):
                return dict(reply["result"])
            else:
                raise Fault.from_json(reply.get("error") or {})

    def _number(self) -> int:
        with self._writing:
            self._next += 1
            return self._next

    def _write_upload(self, request: bytes, upload: Iterable[bytes]) -> None:
        """Send a request and its raw frames; the end is sent in any case, so that the next upload is understood."""
        with self._uploading:
            self._write(request)
            try:
                for data in upload:
                    self._write(wire.pack(wire.RAW, data))
            finally:
                self._write(wire.END_OF_UPLOAD)

    def _write(self, data: bytes) -> None:
        stdin = self._process.stdin
        try:
            if stdin is not None:
                with self._writing:
                    stdin.write(data)
                    stdin.flush()
        except OSError as error:
            raise Fault(DOOR, "the door closed in the middle of a request", self._complaint()) from error

    def _read(self) -> None:
        decoder = wire.FrameDecoder()
        stdout = self._process.stdout
        try:
            while stdout is not None and (data := os.read(stdout.fileno(), 65536)):
                for frame in decoder.feed(data):
                    self._deliver(frame.json())
        except (OSError, wire.WireError):
            self._process.kill()
        self._hello.put(None)
        for answers in list(self._waiting.values()):
            answers.put(None)

    def _deliver(self, value: dict[str, Any]) -> None:
        if "hello" in value:
            self._hello.put(value["hello"])
            return
        answers = self._waiting.get(value.get("id", -1))
        if answers is not None:
            answers.put(value)

    def _complaint(self) -> str:
        """What the process said on standard error, without waiting for more."""
        stderr = self._process.stderr
        if stderr is None or not select.select([stderr], [], [], 0.1)[0]:
            return "no answer"
        return os.read(stderr.fileno(), 2000).decode("utf-8", "replace").strip() or "no answer"
