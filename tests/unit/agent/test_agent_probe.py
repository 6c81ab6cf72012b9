"""The probe against servers that behave badly in every way."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from failoverd.agent import fields, login, probe
from failoverd.agent.conversation import Call
from failoverd.agent.deadline import Deadline

NONCE = bytes(range(1, 21))
GREETING = (
    b"\x0a9.7.4\0" + struct.pack("<I", 7) + NONCE[:8] + b"\0" + struct.pack("<H", 0xF7FF) + b"\xff\x02\x00"
    + struct.pack("<H", 0xDFFF) + bytes([21]) + bytes(10) + NONCE[8:] + b"\0" + b"caching_sha2_password\0"
)  # fmt: skip
PLAIN = GREETING.replace(struct.pack("<H", 0xF7FF), struct.pack("<H", 0xF7FF & ~login.TLS))
OK = b"\x00\x00\x00\x02\x00\x00\x00"
Act = Callable[[socket.socket], None]


def packet(number: int, data: bytes) -> bytes:
    return struct.pack("<I", len(data))[:3] + bytes([number]) + data


def refusal(number: int, code: int) -> bytes:
    return packet(number, b"\xff" + struct.pack("<H", code) + b"#HY000refused")


@pytest.fixture
def serve() -> Iterator[Callable[[Act], int]]:
    listeners: list[socket.socket] = []

    def begin(act: Act) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                act(connection)

        threading.Thread(target=run, daemon=True).start()
        return int(listener.getsockname()[1])

    yield begin
    for listener in listeners:
        listener.close()


def ask(port: int, **other: Any) -> dict[str, Any]:
    asked = {"host": "127.0.0.1", "port": port, "user": "m", "password": "pw", "timeout": 0.4, "tls": "off", **other}
    return probe.probe(Call(fields.read(probe.FIELDS, asked, "test"), Deadline(5)))


def says(*data: bytes) -> Act:
    def act(connection: socket.socket) -> None:
        with contextlib.suppress(ConnectionError):
            for one in data:
                connection.sendall(one)
                connection.recv(4096)

    return act


def silent(connection: socket.socket) -> None:
    connection.recv(1)


def resets(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    ("act", "outcome", "code", "stage"),
    [
        (silent, "hung", None, "greeting"),
        # on a busy machine the reset comes before the connecting side has looked again
        (resets, "reset", None, "connect greeting"),
        (lambda _: None, "reset", None, "greeting"),
        (says(refusal(0, 1040)), "alive", 1040, "greeting"),
        (says(refusal(0, 1129)), "alive", 1129, "greeting"),
        (says(b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n"), "alive", "not-understood", "greeting"),
        (says(packet(0, b"\x0a9.7.4\0")), "alive", "not-understood", "greeting"),
        (says(packet(0, PLAIN), refusal(2, 3032)), "alive", 3032, "login"),
        (says(packet(0, PLAIN), packet(2, b"\x01\x04")), "alive", "full-auth-needed", "login"),
        (says(packet(0, PLAIN), packet(2, b"\xfeauth_pam\0abc")), "alive", "not-understood", "login"),
        (says(packet(0, PLAIN), packet(2, OK), refusal(1, 1053)), "alive", 1053, "select"),
    ],
)  # fmt: skip
def test_every_behaviour_has_its_outcome(
    serve: Callable[[Act], int], act: Act, outcome: str, code: object, stage: str
) -> None:
    answer = ask(serve(act))
    assert (answer["outcome"], answer["code"]) == (outcome, code)
    assert answer["stage"] in stage.split()


def test_a_server_that_hangs_after_the_login_is_hung(serve: Callable[[Act], int]) -> None:
    def act(connection: socket.socket) -> None:
        says(packet(0, PLAIN), packet(2, OK))(connection)
        connection.recv(4096)

    answer = ask(serve(act))
    assert (answer["outcome"], answer["stage"]) == ("hung", "select")
    assert 0.3 < answer["seconds"] < 3


def test_the_right_answer_to_the_nonce_is_sent(serve: Callable[[Act], int]) -> None:
    seen: list[bytes] = []

    def act(connection: socket.socket) -> None:
        connection.sendall(packet(0, PLAIN))
        seen.append(connection.recv(4096))
        connection.sendall(packet(2, b"\x01\x03") + packet(3, OK))
        seen.append(connection.recv(4096))
        connection.sendall(packet(1, b"\x01"))

    assert ask(serve(act))["outcome"] == "ok"
    assert (login.scramble(login.CACHING_SHA2, "pw", NONCE) or b"") in seen[0]
    assert b"pw" not in seen[0]
    assert seen[1][4:] == b"\x03SELECT 1"


def test_another_plugin_is_answered_when_it_is_known(serve: Callable[[Act], int]) -> None:
    nonce, seen = b"Z" * 20, []

    def act(connection: socket.socket) -> None:
        connection.sendall(packet(0, PLAIN))
        connection.recv(4096)
        connection.sendall(packet(2, b"\xfe" + b"mysql_native_password\0" + nonce + b"\0"))
        seen.append(connection.recv(4096)[4:])
        connection.sendall(packet(4, OK))
        connection.recv(4096)
        connection.sendall(packet(1, b"\x01"))

    assert ask(serve(act))["outcome"] == "ok"
    assert seen == [login.scramble(login.NATIVE, "pw", nonce)]


def test_a_closed_port_is_refused_and_a_password_is_never_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answer = ask(port, password="the-secret")
    assert answer["outcome"] == "refused"
    assert "the-secret" not in str(answer)


def test_tls_that_is_required_and_missing_is_said(serve: Callable[[Act], int]) -> None:
    answer = ask(serve(says(packet(0, PLAIN))), tls="required")
    assert answer["code"] == "not-understood"
    assert "TLS" in answer["detail"]


def test_known_scrambles() -> None:
    """The empty password answers nothing; the answers differ by nonce and plugin."""
    assert login.scramble(login.CACHING_SHA2, "", NONCE) == b""
    assert login.scramble("sha256_password", "x", NONCE) is None
    answers = {
        login.scramble(plugin, "pw", nonce)
        for plugin in (login.CACHING_SHA2, login.NATIVE)
        for nonce in (NONCE, b"y" * 20)
    }
    assert len(answers) == 4
