"""A second route's look at a server: a complete login and one SELECT, within one deadline.

A bare TCP connect would prove little and count as a broken handshake, which in the end blocks this host (error 1129).
"""

from __future__ import annotations

import errno
import socket
import ssl
import struct
import time
from typing import TYPE_CHECKING, Any

from failoverd.agent import fields, login
from failoverd.agent.conversation import Call, Op
from failoverd.agent.fields import Field

if TYPE_CHECKING:
    from collections.abc import Mapping

_LARGEST_ANSWER = 1024 * 1024

FIELDS = {
    "host": Field(fields.matching(r"[A-Za-z0-9._:%-]{1,255}", "a host")),
    "port": Field(fields.whole(1, 65535)),
    "user": Field(fields.text),
    "password": Field(fields.text),
    "timeout": Field(fields.seconds),
    "tls": Field(fields.one_of("off", "preferred", "required"), "preferred"),
}


class _Hung(Exception):
    """The time ran out after the connection was there; carries the stage."""


class _Reset(Exception):
    """The server closed the connection without a word; carries the stage."""


class _FullAuthNeeded(Exception):
    """The server does not have the account in its cache, and without TLS a probe does not send the password."""


def probe(call: Call) -> dict[str, Any]:
    """Give {"outcome", "code", "detail", "stage", "seconds"}; nothing that the server does makes this an error.

    Outcomes: ok; alive (the server spoke, `code` says what it refused); refused, reset, timeout, unreachable (the
    network answered or did not); hung (a connection, but no word within the time).
    """
    began = time.monotonic()
    outcome, code, detail, stage = _outcome(call.args)
    seconds = round(time.monotonic() - began, 6)
    return {"outcome": outcome, "code": code, "detail": detail, "stage": stage, "seconds": seconds}


def _outcome(args: Mapping[str, Any]) -> tuple[str, Any, str, str]:
    until = time.monotonic() + args["timeout"]
    try:
        connection = socket.create_connection((args["host"], args["port"]), timeout=args["timeout"])
    except OSError as error:
        return _no_connection(error), None, str(error), "connect"
    talk = _Talk(connection, until)
    try:
        _talk_through(talk, args)
    except login.ServerRefused as refused:
        return "alive", refused.code, refused.text[:200], talk.stage
    except (login.NotMysql, ssl.SSLError) as error:
        return "alive", "not-understood", str(error)[:200], talk.stage
    except _FullAuthNeeded:
        return "alive", "full-auth-needed", "the account is not in the server's cache and there is no TLS", talk.stage
    except _Hung:
        return "hung", None, f"no answer in stage {talk.stage}", talk.stage
    except (_Reset, OSError) as error:
        return "reset", None, str(error), talk.stage
    finally:
        talk.close()
    return "ok", None, "", "select"


def _no_connection(error: OSError) -> str:
    if isinstance(error, socket.timeout):
        return "timeout"
    if error.errno == errno.ECONNREFUSED:
        return "refused"
    return "reset" if error.errno == errno.ECONNRESET else "unreachable"


def _talk_through(talk: _Talk, args: Mapping[str, Any]) -> None:
    greeting = login.read_greeting(talk.read())
    secure = args["tls"] != "off" and bool(greeting.capabilities & login.TLS)
    if args["tls"] == "required" and not secure:
        raise login.NotMysql("the server offers no TLS, which is required")
    if secure:
        talk.stage = "tls"
        talk.write(login.tls_request())
        talk.secure()
    talk.stage = "login"
    plugin = greeting.plugin if login.scramble(greeting.plugin, "", b"") is not None else login.CACHING_SHA2
    answer = login.scramble(plugin, args["password"], greeting.nonce) or b""
    talk.write(login.login(args["user"], answer, plugin, secure))
    _authenticate(talk, args["password"], secure)
    talk.stage = "select"
    talk.command(b"\x03SELECT 1")
    login.raise_error(talk.read())
    talk.command(b"\x01")


def _authenticate(talk: _Talk, password: str, secure: bool) -> None:
    """Answer until the server says OK; ServerRefused when it says no."""
    for _ in range(4):
        packet = talk.read()
        login.raise_error(packet)
        if packet[:1] == b"\x00":
            return
        if packet[:1] == b"\xfe":
            plugin, nonce = login.switch_request(packet)
            answer = login.scramble(plugin, password, nonce)
            if answer is None:
                raise login.NotMysql(f"the account uses {plugin}")
            talk.write(answer)
        elif packet == b"\x01\x04":
            if not secure:
                raise _FullAuthNeeded
            talk.write(password.encode("utf-8") + b"\0")
        elif packet != b"\x01\x03":
            raise login.NotMysql("an unknown step of the login")
    raise login.NotMysql("the login has too many steps")


class _Talk:
    """Packets over a socket, with one deadline for all of them."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self._socket = connection
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._until = until
        self._number = 0
        self.stage = "greeting"

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def secure(self) -> None:
        """Put TLS on it; the certificate is not checked, because a probe asks for life and not for identity."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._limit()
        try:
            self._socket = context.wrap_socket(self._socket)
        except socket.timeout as error:
            raise _Hung from error
        except ssl.SSLEOFError as error:
            raise _Reset("the server closed the connection") from error

    def command(self, data: bytes) -> None:
        """Begin a new exchange."""
        self._number = 0
        self.write(data)

    def write(self, data: bytes) -> None:
        """Send one packet."""
        self._limit()
        try:
            self._socket.sendall(struct.pack("<I", len(data))[:3] + bytes([self._number & 0xFF]) + data)
        except socket.timeout as error:
            raise _Hung from error
        self._number += 1

    def read(self) -> bytes:
        """Receive one packet."""
        head = self._exactly(4)
        length = int.from_bytes(head[:3], "little")
        if not 0 < length <= _LARGEST_ANSWER:
            raise login.NotMysql(f"a packet of {length} bytes")
        self._number = head[3] + 1
        return self._exactly(length)

    def _limit(self) -> None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise _Hung
        self._socket.settimeout(left)

    def _exactly(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            self._limit()
            try:
                piece = self._socket.recv(length - len(data))
            except socket.timeout as error:
                raise _Hung from error
            if not piece:
                raise _Reset("the server closed the connection")
            data += piece
        return bytes(data)


OP = Op(probe, FIELDS)
