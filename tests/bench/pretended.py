"""Many servers in one process that speak MySQL's protocol and answer what a look asks with rows of a real server.

`python -m tests.bench.pretended FILE` serves the servers that a JSON file lists until SIGTERM, and prints then, as
JSON, when each was looked at. On SIGUSR1 those fall silent that are to: they take what is said and answer nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import struct
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from failoverd.drivers.mysql import statements

RECORDED = Path(__file__).parents[1] / "fixtures/status"
# Long passwords, several statements at once, and the name of the way to log in: what a client needs to hear.
_CAN = 0x1 | 0x4 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x10000 | 0x20000 | 0x80000
_WAY = b"caching_sha2_password"
_TEXT, _LONG_LONG = 253, 8
_AUTOCOMMIT, _MORE = 0x2, 0x8
_OK = b"\x00\x00\x00" + struct.pack("<HH", _AUTOCOMMIT, 0)
_QUIT, _QUERY = 1, 3
_GROWTH = 20.0  # transactions a second


@dataclass
class Server:
    """One pretended server: where it listens, what its answers say of it, and when it was looked at."""

    port: int
    role: str
    words: Mapping[str, str]
    falls_silent: bool = False
    silent: bool = False
    looks: list[float] = field(default_factory=list)


def packet(number: int, payload: bytes) -> bytes:
    """One packet of the protocol."""
    return struct.pack("<I", len(payload))[:3] + bytes([number & 255]) + payload


def text(value: str | None) -> bytes:
    """A value of a row."""
    if value is None:
        return b"\xfb"
    data = value.encode()
    size = len(data)
    return (bytes([size]) if size < 251 else b"\xfc" + struct.pack("<H", size)) + data


def column(name: str, kind: int) -> bytes:
    """What is told of a column; texts are UTF-8, numbers binary."""
    charset = 255 if kind == _TEXT else 63
    names = b"".join(text(word) for word in ("def", "", "", "", name, ""))
    return names + b"\x0c" + struct.pack("<HIBHBxx", charset, 1024, kind, 0, 0)


class Answers:
    """The recorded answers of one role, as packets; only rows are made anew for each server."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._told = told
        self._made: dict[str, list[bytes | tuple[int, list[str | None]]]] = {}

    def to(self, said: str, words: Mapping[str, str]) -> bytes:
        """Everything that is answered to one packet of statements. KeyError for one that was not recorded."""
        if said not in self._made:
            self._made[said] = self._make(said)
        return b"".join(
            part
            if isinstance(part, bytes)
            else packet(part[0], b"".join(text(value and value.format(**words)) for value in part[1]))
            for part in self._made[said]
        )

    def _make(self, said: str) -> list[bytes | tuple[int, list[str | None]]]:
        parts: list[bytes | tuple[int, list[str | None]]] = []
        number, asked = 1, said.split("; ")
        for place, statement in enumerate(asked, 1):
            columns, rows = self._told[statement]["columns"], self._told[statement]["rows"]
            state = _AUTOCOMMIT | (_MORE if place < len(asked) else 0)
            end = b"\xfe" + struct.pack("<HH", 0, state)
            heads = [bytes([len(columns)]), *(column(name, kind) for name, kind in columns), end]
            parts += [packet(number + at, head) for at, head in enumerate(heads)]
            number += len(heads)
            parts += [(number + at, row) for at, row in enumerate(rows)]
            parts.append(packet(number + len(rows), end))
            number += len(rows) + 1
        return parts


class Conversation(asyncio.Protocol):
    """One client's session with one server."""

    def __init__(self, server: Server, answers: Answers, begun: float) -> None:
        self._server, self._answers, self._begun = server, answers, begun
        self._heard = b""
        self._known = False
        self._line: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._line = transport
        low, high = _CAN & 0xFFFF, _CAN >> 16
        greeting = (
            b"\x0a" + b"9.7.4\x00" + struct.pack("<I", 1) + b"12345678\x00" + struct.pack("<HBHH", low, 255, 2, high)
        )
        if not self._server.silent:
            transport.write(packet(0, greeting + b"\x15" + bytes(10) + b"123456789012\x00" + _WAY + b"\x00"))

    def data_received(self, data: bytes) -> None:
        """Answer every whole packet."""
        self._heard += data
        while len(self._heard) >= 4:
            size = 4 + int.from_bytes(self._heard[:3], "little")
            if len(self._heard) < size:
                return
            payload, self._heard = self._heard[4:size], self._heard[size:]
            if not self._server.silent:
                self._answer(payload)

    def _answer(self, payload: bytes) -> None:
        assert self._line is not None
        if not self._known:
            self._known = True  # whoever comes is the right one
            self._line.write(packet(2, b"\x01\x03") + packet(3, _OK))
        elif payload[0] == _QUERY:
            self._line.write(self._query(payload[1:].decode()))
        elif payload[0] == _QUIT:
            self._line.close()

    def _query(self, said: str) -> bytes:
        if said.startswith("SET "):
            return packet(1, _OK)
        if said.endswith(statements.READ_SETS.text):
            self._server.looks.append(time.monotonic())
        grown = 1000 + int((time.monotonic() - self._begun) * _GROWTH)
        return self._answers.to(said, {**self._server.words, "sequence": f"1-{grown}"})


def recorded() -> Mapping[str, Answers]:
    """The newest recording, by role."""
    path = max(RECORDED.glob("*.json"))
    return {role: Answers(told) for role, told in json.loads(path.read_text(encoding="utf-8")).items()}


async def serve(servers: Sequence[Server]) -> None:
    """Serve them all until told to end."""
    answers, loop, begun = recorded(), asyncio.get_running_loop(), time.monotonic()

    def conversing(server: Server) -> Conversation:
        return Conversation(server, answers[server.role], begun)

    def silence() -> None:
        for server in servers:
            server.silent = server.falls_silent

    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, silence)
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    async with contextlib.AsyncExitStack() as stack:
        for server in servers:
            one = await loop.create_server(lambda server=server: conversing(server), "127.0.0.1", server.port)  # type: ignore[misc]
            await stack.enter_async_context(one)
        print("ready", flush=True)
        await ended.wait()


def main(words: Sequence[str]) -> int:
    """Serve, then tell the moments of all looks."""
    servers = [Server(**one) for one in json.loads(Path(words[0]).read_text(encoding="utf-8"))]
    asyncio.run(serve(servers))
    print(json.dumps({str(server.port): [round(at, 4) for at in server.looks] for server in servers}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
