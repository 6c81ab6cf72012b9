"""Connections: who is slow, or one too many, takes nobody else's place."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from failoverd.config.web import WebConfig
from failoverd.web import connection
from failoverd.web.guard import HEADERS
from failoverd.web.serve import bound
from tests.acceptance.rehearsal import eventually

_PATIENCE = 60.0


@contextmanager
def server() -> Iterator[int]:
    """A server with our connections, and a word for everybody who asks: its port."""
    listening = bound(WebConfig(listen="127.0.0.1:0"))
    settings = uvicorn.Config(
        PlainTextResponse("here\n"), http=connection.Connection, ws="none", lifespan="off", log_level="critical"
    )
    running = uvicorn.Server(settings)
    thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        running.should_exit = True
        thread.join(_PATIENCE)


def opened(port: int, said: bytes = b"") -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), _PATIENCE)
    made.sendall(said)
    return made


def answer(port: int) -> tuple[int, str, dict[str, str]]:
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        asked.request("GET", "/")
        told = asked.getresponse()
        return told.status, told.read().decode(), {name.lower(): value for name, value in told.getheaders()}
    finally:
        asked.close()


def ended(one: socket.socket) -> bool:
    """Whether the other side ends it, whatever it says before."""
    try:
        while one.recv(1000):
            pass
    except ConnectionResetError:
        return True
    return True


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nonly a part",
    ],
)
def test_who_says_nothing_or_never_ends_is_cut_and_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(connection, "PATIENCE", 0.5)
    with server() as port, opened(port, said) as slow:
        assert answer(port)[:2] == (200, "here\n")
        assert ended(slow)


def test_one_too_many_is_told_so_and_has_a_place_when_another_one_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST", 3)
    with server() as port:
        held = [opened(port) for _ in range(3)]
        status, text, headers = answer(port)
        assert (status, "Too many look at this page at once" in text) == (503, True)
        assert (headers["retry-after"], headers["connection"]) == ("5", "close")
        assert {name.lower(): value for name, value in HEADERS}.items() <= headers.items()
        held.pop().close()
        eventually(lambda: answer(port)[0] == 200, bool, "a free place")
        for one in held:
            one.close()


def test_far_too_many_are_cut_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST", 2)
    with server() as port:
        held = [opened(port) for _ in range(4)]
        with opened(port) as over:
            assert ended(over)
        for one in held:
            one.close()


def test_headers_without_end_are_refused() -> None:
    with server() as port, opened(port, b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ") as long:
        try:
            for _ in range(64):
                long.sendall(b"x" * 4096)
        except (ConnectionResetError, BrokenPipeError):
            return
        assert long.recv(1000).startswith(b"HTTP/1.1 4")
