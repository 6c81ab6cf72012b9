"""MySQL's login as far as a probe needs it: greeting, TLS request, answer, fast and full authentication. Pure bytes."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

TLS = 0x800
_LONG_PASSWORD = 0x1
_PROTOCOL_41 = 0x200
_SECURE_CONNECTION = 0x8000
_PLUGIN_AUTH = 0x80000
_CAPABILITIES = _LONG_PASSWORD | _PROTOCOL_41 | _SECURE_CONNECTION | _PLUGIN_AUTH
_LARGEST_PACKET = 0x1000000
_UTF8MB4 = 255

CACHING_SHA2 = "caching_sha2_password"
NATIVE = "mysql_native_password"


class NotMysql(ValueError):
    """The other side speaks, but not MySQL's protocol as we know it."""


class ServerRefused(Exception):
    """The server sent an error packet: it lives, whatever it refuses."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


@dataclass(frozen=True)
class Greeting:
    """What a server says first."""

    version: str
    capabilities: int
    nonce: bytes
    plugin: str


def raise_error(packet: bytes) -> None:
    """Raise ServerRefused when a packet is an error."""
    if packet[:1] == b"\xff" and len(packet) >= 3:
        text = packet[3:].decode("utf-8", "replace")
        raise ServerRefused(struct.unpack_from("<H", packet, 1)[0], text[6:] if text.startswith("#") else text)


def read_greeting(packet: bytes) -> Greeting:
    """Read the first packet; ServerRefused when it is an error, NotMysql when it is something else."""
    raise_error(packet)
    version, zero, rest = packet[1:].partition(b"\0")
    if packet[:1] != b"\x0a" or not zero or len(rest) < 31:
        raise NotMysql("the greeting is not that of protocol 10")
    # thread 4, nonce 8, filler 1, capabilities 2, character set 1, status 2, capabilities 2, nonce length 1, filler 10
    low, high = struct.unpack_from("<H", rest, 13)[0], struct.unpack_from("<H", rest, 18)[0]
    length = max(13, rest[20] - 8)
    nonce = rest[4:12] + rest[31 : 31 + length]
    plugin = rest[31 + length :].partition(b"\0")[0].decode("ascii", "replace")
    return Greeting(version.decode("ascii", "replace"), low | high << 16, nonce[:20], plugin)


def tls_request() -> bytes:
    """Ask for TLS, as the first half of the login."""
    return struct.pack("<IIB23x", _CAPABILITIES | TLS, _LARGEST_PACKET, _UTF8MB4)


def login(user: str, answer: bytes, plugin: str, tls: bool) -> bytes:
    """Make the login packet."""
    capabilities = _CAPABILITIES | (TLS if tls else 0)
    head = struct.pack("<IIB23x", capabilities, _LARGEST_PACKET, _UTF8MB4)
    return head + user.encode("utf-8") + b"\0" + bytes([len(answer)]) + answer + plugin.encode("ascii") + b"\0"


def scramble(plugin: str, password: str, nonce: bytes) -> bytes | None:
    """Answer a nonce; None for a plugin that a probe does not know."""
    secret = password.encode("utf-8")
    if plugin not in (CACHING_SHA2, NATIVE):
        return None
    if not secret:
        return b""
    if plugin == CACHING_SHA2:
        first = hashlib.sha256(secret).digest()
        mask = hashlib.sha256(hashlib.sha256(first).digest() + nonce).digest()
    else:
        first = hashlib.sha1(secret).digest()
        mask = hashlib.sha1(nonce + hashlib.sha1(first).digest()).digest()
    return bytes(a ^ b for a, b in zip(first, mask))


def switch_request(packet: bytes) -> tuple[str, bytes]:
    """Read the server's wish for another plugin: its name and a new nonce."""
    name, _, nonce = packet[1:].partition(b"\0")
    return name.decode("ascii", "replace"), nonce[:20]
