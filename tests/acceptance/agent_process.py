"""The agent's zipapp as a subprocess over pipes, spoken to the way a manager does."""

from __future__ import annotations

import os
import select
import subprocess
import time
from pathlib import Path
from typing import Any

from failoverd.agent import wire


class AgentRefused(AssertionError):
    """An error reply."""

    def __init__(self, error: dict[str, str]) -> None:
        super().__init__(str(error))
        self.code = error["code"]


class AgentProcess:
    """One `serve` process; `call` sends one request and waits for its reply."""

    def __init__(self, program: Path, folder: Path, prefix: tuple[str, ...] = (), cluster: str = "shop") -> None:
        self.cluster = cluster
        self.process = subprocess.Popen(
            [*prefix, "/usr/bin/python3", "-I", "-S", str(program), "serve", "--dir", str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True,
        )  # fmt: skip
        self._decoder = wire.FrameDecoder()
        self._frames: list[wire.Frame] = []
        self._next = 0
        self.hello: dict[str, Any] = self.frame(10).json()["hello"]

    def frame(self, wait: float) -> wire.Frame:
        """The next frame, within `wait` seconds."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + wait
        while not self._frames:
            left = deadline - time.monotonic()
            readable, _, _ = select.select([self.process.stdout], [], [], max(left, 0))
            assert readable, "no frame came"
            data = os.read(self.process.stdout.fileno(), 1 << 20)
            assert data, "the agent closed its output"
            self._frames.extend(self._decoder.feed(data))
        return self._frames.pop(0)

    def send(self, data: bytes) -> None:
        """Write bytes to the agent."""
        assert self.process.stdin is not None
        view = memoryview(data)
        while view:
            view = view[self.process.stdin.write(view) or 0 :]

    def request(self, op: str, args: dict[str, Any], epoch: int | None = None, **rest: Any) -> int:
        """Send a request and give its id."""
        self._next += 1
        envelope = {"id": self._next, "op": op, "args": args, "cluster": self.cluster, "epoch": epoch, **rest}
        self.send(wire.pack_json(envelope))
        return self._next

    def call(self, op: str, args: dict[str, Any], epoch: int | None = None, **rest: Any) -> dict[str, Any]:
        """The result; AgentRefused for an error reply. Raw frames before it are under "raw"."""
        upload = rest.pop("raw", None)
        number = self.request(op, args, epoch, upload=upload is not None, **rest)
        if upload is not None:
            for at in range(0, len(upload), 1 << 18):
                self.send(wire.pack(wire.RAW, upload[at : at + (1 << 18)]))
            self.send(wire.END_OF_UPLOAD)
        return self.reply(number, rest.get("deadline", 10.0) + 5)

    def reply(self, number: int, wait: float = 15.0) -> dict[str, Any]:
        """The reply to one request; nothing else may come but its raw frames and its progress."""
        raw: list[bytes] = []
        while True:
            frame = self.frame(wait)
            if frame.kind == wire.RAW:
                raw.append(frame.payload)
                continue
            value = frame.json()
            assert value["id"] == number, value
            if "progress" in value:
                continue
            if not value["ok"]:
                raise AgentRefused(value["error"])
            return {**value["result"], **({"raw": b"".join(raw)} if raw else {})}

    def close(self) -> int:
        """Hang up and wait for the end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(10)
