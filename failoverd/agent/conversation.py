"""Requests in, replies out: the loop that agent and door share.

Every request runs in a thread of its own, so that a long one never holds up a short one; replies carry the request's
id. The loop itself is the alarm: a request that is not answered at its deadline is answered with TIMEOUT, and whatever
its thread still says afterwards is dropped.
"""

from __future__ import annotations

import os
import queue
import select
import threading
import time
import traceback
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Callable

from failoverd.agent import fields, wire
from failoverd.agent.deadline import Deadline
from failoverd.agent.faults import BAD_REQUEST, INTERNAL, TIMEOUT, Fault
from failoverd.agent.fields import Field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ENVELOPE = {
    "id": Field(fields.whole(0, 2**53)),
    "op": Field(fields.matching(r"[a-z_]{1,40}", "an operation")),
    "args": Field(lambda value: value, {}),
    "cluster": Field(fields.cluster, ""),
    "epoch": Field(fields.optional(fields.epoch), None),
    "deadline": Field(fields.seconds, 10.0),
    "upload": Field(fields.boolean, False),
}
_LARGEST_RAW = 256 * 1024
_PROGRESS_EVERY = 0.5
_READ = 1024 * 1024
_ALARM_GRACE = 0.1
_FINISH_CHANGES = 2.0


@dataclass(frozen=True)
class Call:
    """One request as its handler sees it: checked arguments, time, and the ways to send and receive raw bytes."""

    args: Mapping[str, Any]
    deadline: Deadline
    cluster: str = ""
    epoch: int | None = None
    send: Callable[[bytes], None] = lambda _data: None
    progress: Callable[[int, int], None] = lambda _done, _total: None
    upload: Iterator[bytes] = field(default_factory=lambda: iter(()))


@dataclass(frozen=True)
class Op:
    """One operation: its handler, its fields, and whether it changes anything (then it needs an epoch)."""

    handler: Callable[[Call], dict[str, Any]]
    fields: Mapping[str, Field]
    changes: bool = False
    uploads: bool = False


class _Running:
    """A request that is being worked on; answered at most once."""

    def __init__(self, number: int, deadline: Deadline) -> None:
        self.number = number
        self.deadline = deadline
        self.answered = False
        self.changes = False
        self.thread: threading.Thread | None = None


class Upload:
    """The raw frames of one request on their way to its thread; the queue is short so that memory stays small."""

    def __init__(self, deadline: Deadline) -> None:
        self._frames: queue.Queue[bytes] = queue.Queue(maxsize=4)
        self._deadline = deadline
        self._taken = False

    def put(self, data: bytes) -> None:
        """Hand a frame over, waiting for room; dropped once nobody takes any more or the time is over."""
        while not self._taken and self._deadline.left():
            try:
                self._frames.put(data, timeout=0.1)
            except queue.Full:
                continue
            return

    def give_up(self) -> None:
        """Say that no more frames are wanted."""
        self._taken = True

    def __iter__(self) -> Iterator[bytes]:
        while True:
            try:
                data = self._frames.get(timeout=max(0.001, self._deadline.left()))
            except queue.Empty:
                self._deadline.check()
                continue
            if not data:
                return
            yield data


class Conversation:
    """Serves a table of operations over two file descriptors until the other side closes its end."""

    def __init__(self, ops: Mapping[str, Op], read_fd: int, write_fd: int) -> None:
        self._ops = ops
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._writing = threading.Lock()
        self._downloading = threading.Lock()
        self._running: dict[int, _Running] = {}
        self._upload: Upload | None = None

    def say(self, value: Mapping[str, Any]) -> None:
        """Send one JSON frame."""
        self._write(wire.pack_json(value))

    def run(self) -> None:
        """Serve until the end of input; WireError when garbage comes."""
        decoder = wire.FrameDecoder()
        while True:
            readable, _, _ = select.select([self._read_fd], [], [], self._next_alarm())
            self._alarm()
            if not readable:
                continue
            data = os.read(self._read_fd, _READ)
            if not data:
                break
            for frame in decoder.feed(data):
                self._take(frame)
        decoder.finish()
        self._finish_changes()

    def _finish_changes(self) -> None:
        """A change that has begun is not torn apart because its manager hung up; it gets a moment to end."""
        until = time.monotonic() + _FINISH_CHANGES
        for running in list(self._running.values()):
            if running.changes and running.thread is not None:
                running.thread.join(max(0.0, until - time.monotonic()))

    def _next_alarm(self) -> float | None:
        waiting = [one.deadline.left() for one in list(self._running.values()) if not one.answered]
        return min(waiting) + _ALARM_GRACE if waiting else None

    def _alarm(self) -> None:
        for one in list(self._running.values()):
            if not one.answered and not one.deadline.left():
                self._answer(one, Fault(TIMEOUT, f"not done within {one.deadline.seconds:g} s"))

    def _take(self, frame: wire.Frame) -> None:
        if frame.kind == wire.RAW:
            if self._upload is None:
                raise wire.WireError("a raw frame came that belongs to no request")
            self._upload.put(frame.payload)
            if not frame.payload:
                self._upload = None
            return
        value = frame.json()
        number = value.get("id")
        request_id = number if isinstance(number, int) and not isinstance(number, bool) else -1
        running = _Running(request_id, Deadline(_PROGRESS_EVERY))
        try:
            self._begin(running, value)
        except Fault as fault:
            # the upload of a refused request still comes and is dropped
            if value.get("upload") is True and self._upload is None:
                self._upload = Upload(Deadline(60.0))
                self._upload.give_up()
            self._answer(running, fault)

    def _begin(self, running: _Running, value: dict[str, Any]) -> None:
        if self._upload is not None and value.get("upload") is True:
            raise wire.WireError("an upload began in the middle of another one")
        request = fields.read(ENVELOPE, value, "the request")
        op = self._ops.get(request["op"])
        if op is None:
            raise Fault(BAD_REQUEST, f"there is no operation {request['op']!r}")
        if request["id"] in self._running:
            raise Fault(BAD_REQUEST, f"id {request['id']} is in use")
        if request["upload"] != op.uploads:
            raise Fault(BAD_REQUEST, f"operation {request['op']} {'needs an' if op.uploads else 'takes no'} upload")
        if op.changes and request["epoch"] is None:
            raise Fault(BAD_REQUEST, f"operation {request['op']} changes something and needs an epoch")
        args = fields.read(op.fields, request["args"], f"the arguments of {request['op']}")
        running.deadline = deadline = Deadline(request["deadline"])
        running.changes = op.changes
        upload = self._upload = Upload(deadline) if op.uploads else self._upload
        frames = iter(upload) if op.uploads and upload is not None else iter(())
        call = Call(args, deadline, request["cluster"], request["epoch"], upload=frames)
        self._running[running.number] = running
        taken = upload if op.uploads else None
        running.thread = threading.Thread(target=self._work, args=(running, op, call, taken), daemon=True)
        running.thread.start()

    def _work(self, running: _Running, op: Op, call: Call, upload: Upload | None) -> None:
        downloads: list[bool] = []

        def send(data: bytes) -> None:
            if not downloads:
                # raw frames carry no id, so one download at a time
                if not self._downloading.acquire(timeout=call.deadline.left()):
                    call.deadline.check()
                downloads.append(True)
            for at in range(0, len(data), _LARGEST_RAW):
                self._send_for(running, wire.pack(wire.RAW, data[at : at + _LARGEST_RAW]))

        try:
            self._answer(running, _outcome(op, replace(call, send=send, progress=self._progress_of(running))))
        finally:
            if upload is not None:
                upload.give_up()
            if downloads:
                self._downloading.release()

    def _progress_of(self, running: _Running) -> Callable[[int, int], None]:
        last = [time.monotonic()]

        def progress(done: int, total: int) -> None:
            if time.monotonic() - last[0] >= _PROGRESS_EVERY:
                last[0] = time.monotonic()
                said = {"id": running.number, "progress": {"bytes": done, "total": total}}
                self._send_for(running, wire.pack_json(said))

        return progress

    def _send_for(self, running: _Running, data: bytes) -> None:
        """Send a frame of a request unless it was answered (by the alarm) meanwhile."""
        with self._writing:
            if running.answered:
                raise Fault(TIMEOUT, "the request was given up")
            self._write_all(data)

    def _answer(self, running: _Running, outcome: dict[str, Any] | Fault) -> None:
        if isinstance(outcome, Fault):
            reply: dict[str, Any] = {"id": running.number, "ok": False, "error": outcome.as_json()}
        else:
            reply = {"id": running.number, "ok": True, "result": outcome}
        data = wire.pack_json(reply)
        with self._writing:
            if not running.answered:
                running.answered = True
                if self._running.get(running.number) is running:
                    del self._running[running.number]
                self._write_all(data)

    def _write(self, data: bytes) -> None:
        with self._writing:
            self._write_all(data)

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._write_fd, view) :]


def _outcome(op: Op, call: Call) -> dict[str, Any] | Fault:
    """Run a handler; whatever goes wrong becomes the reply's error."""
    try:
        return op.handler(call)
    except Fault as fault:
        return fault
    except OSError as error:
        return Fault.of_os_error(error, "the operating system refused")
    except Exception as error:  # noqa: BLE001 - a programming error must answer, too, and not end the agent
        last = traceback.extract_tb(error.__traceback__)[-1]
        return Fault(INTERNAL, f"{type(error).__name__}: {error}", f"{os.path.basename(last.filename)}:{last.lineno}")
