"""The lab's own switch: one process that carries frames between the hosts' TAP devices and can hold them back.

Kernels without a network emulator cannot delay packets, so this does. Runs by file name, standard library alone.
Requests come over a unix socket, one JSON line each:
{"op": "slow", "from": NAME, "to": NAME, "delay": SECONDS, "jitter": SECONDS}, {"op": "link", "host": NAME, "up": BOOL},
{"op": "clear"}, {"op": "ping"}.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import socket
import struct
import sys
import time
from typing import Any

_TUNSETIFF = 0x400454CA
_TAP_WITHOUT_HEADER = 0x0002 | 0x1000
_FRAME = 65536
_NO_DELAY = (0.0, 0.0)


def open_tap(name: str, namespace: int) -> int:
    """Make a TAP device in a network namespace (an open file of it) and return its file; the caller stays there."""
    if ctypes.CDLL(None, use_errno=True).setns(namespace, 0) != 0:
        raise OSError(ctypes.get_errno(), "the network namespace cannot be entered")
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _TAP_WITHOUT_HEADER))
    return tap


class Switch:
    """Ports by name, addresses learned from frames, and delays by pair of ports."""

    def __init__(self, ports: dict[str, int], listener: socket.socket) -> None:
        self.ports = ports
        self.names = {tap: name for name, tap in ports.items()}
        self.listener = listener
        self.learned: dict[bytes, int] = {}
        self.delays: dict[tuple[int, int], tuple[float, float]] = {}
        self.unplugged: set[int] = set()
        self.held: list[tuple[float, int, int, bytes]] = []
        self.last: dict[tuple[int, int], float] = {}
        self.count = 0

    def run(self) -> None:
        """Carry frames for ever."""
        poll = select.epoll()
        for tap in self.names:
            poll.register(tap, select.EPOLLIN)
        poll.register(self.listener, select.EPOLLIN)
        while True:
            pause = self.held[0][0] - time.monotonic() if self.held else -1
            for ready, _ in poll.poll(max(0.0, pause) if self.held else -1):
                if ready == self.listener.fileno():
                    self._serve()
                else:
                    self._read(ready)
            self._deliver()

    def _read(self, tap: int) -> None:
        for _ in range(64):
            try:
                frame = os.read(tap, _FRAME)
            except OSError:
                return
            if tap not in self.unplugged:
                self.learned[frame[6:12]] = tap
                self._forward(tap, frame)

    def _forward(self, source: int, frame: bytes) -> None:
        target = self.learned.get(frame[:6])
        for tap in [target] if target is not None else [tap for tap in self.names if tap != source]:
            delay, jitter = self.delays.get((source, tap), _NO_DELAY)
            if delay == jitter == 0.0:
                self._write(tap, frame)
                continue
            due = time.monotonic() + max(0.0, delay + random.uniform(-jitter, jitter))  # noqa: S311 - no secret
            # A wire keeps the order; jitter moves the frames behind a late one too.
            due = self.last[source, tap] = max(due, self.last.get((source, tap), 0.0))
            self.count += 1
            heapq.heappush(self.held, (due, self.count, tap, frame))

    def _deliver(self) -> None:
        now = time.monotonic()
        while self.held and self.held[0][0] <= now:
            _, _, tap, frame = heapq.heappop(self.held)
            self._write(tap, frame)

    def _write(self, tap: int, frame: bytes) -> None:
        if tap in self.unplugged:
            return
        try:
            os.write(tap, frame)
        except OSError:
            return  # the device is down or its queue is full: a switch drops the frame

    def _serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(1.0)
            try:
                answer = self._answer(json.loads(connection.makefile("r").readline()))
                connection.sendall(json.dumps(answer).encode() + b"\n")
            except (OSError, ValueError, KeyError, TypeError) as error:
                os.write(2, f"switch: {type(error).__name__}: {error}\n".encode())

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["op"] == "slow":
            pair = (self.ports[request["from"]], self.ports[request["to"]])
            self.delays[pair] = (float(request["delay"]), float(request["jitter"]))
        elif request["op"] == "link":
            tap = self.ports[request["host"]]
            (self.unplugged.discard if request["up"] else self.unplugged.add)(tap)
        elif request["op"] == "clear":
            self.delays.clear()
        return {"ok": True}


def main() -> None:
    """Make the devices named in the specification file, say that they are there, and carry frames.

    The process ends up in the last host's namespace, so that it is found among the lab's processes.
    """
    with open(sys.argv[1], encoding="utf-8") as file:
        spec = json.load(file)
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    ports = {"machine": open_tap(spec["machine"], own)}
    for name, namespace in spec["hosts"].items():
        ports[name] = open_tap("eth0", os.open(namespace, os.O_RDONLY))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(spec["socket"])
    os.chmod(spec["socket"], 0o600)
    listener.listen(16)
    Switch(ports, listener).run()


if __name__ == "__main__":
    main()
