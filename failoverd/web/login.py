"""Who looks: said by a trusted proxy, or proven by a password. A table of ways, each answering with a name or a
refusal.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from anyio import CapacityLimiter, to_thread
from starlette.datastructures import Headers

from failoverd.config.web import BASIC, PROXY, WebConfig
from failoverd.service import logs
from failoverd.web.passwords import USER, People, read_people, right

_KEPT: Final = 1000
# Passwords that are tried at the same time: each costs a core and 16 MB, also for whoever guesses.
_TRIED_AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True)
class Refused:
    """Why somebody is not let in: the status and the sentence, and the headers that go with it."""

    status: int
    sentence: str
    headers: Mapping[str, str]


class Login(Protocol):
    """A way to know who looks."""

    async def who(self, peer: str, headers: Headers) -> str | Refused:
        """The person's name, empty where nobody asks for one."""


class Nobody:
    """No login: everybody who reaches the page may look."""

    async def who(self, peer: str, headers: Headers) -> str | Refused:
        """An empty name."""
        return ""


class Proxy:
    """A proxy says it in a header; what anybody else says is not even read."""

    def __init__(self, config: WebConfig) -> None:
        self._networks = [ipaddress.ip_network(text) for text in config.trusted_proxies]
        self._header = config.user_header

    async def who(self, peer: str, headers: Headers) -> str | Refused:
        """The one name in the header."""
        if not self._trusted(peer):
            return Refused(403, "This page is opened through its proxy.", {})
        said = headers.getlist(self._header)
        if len(said) != 1 or USER.fullmatch(said[0]) is None:
            return Refused(401, f"The proxy does not say in {self._header} who you are.", {})
        return said[0]

    def _trusted(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)


class Basic:
    """A name and a password with each request, as browsers send them over TLS. Who was right once is known again, and
    waits for nobody's guesses.
    """

    def __init__(self, people: People) -> None:
        self._people = people
        self._key = os.urandom(32)
        self._known: dict[bytes, str] = {}
        self._turns = CapacityLimiter(_TRIED_AT_ONCE)

    async def who(self, peer: str, headers: Headers) -> str | Refused:
        """The name that was proven."""
        said = headers.get("authorization", "")
        mark = hmac.digest(self._key, said.encode(), hashlib.sha256)
        if mark in self._known:
            return self._known[mark]
        user, password = credentials(said)
        if not user or not await to_thread.run_sync(right, self._people, user, password, limiter=self._turns):
            if said:
                logs.logger().warning("a wrong name or password for the page", peer=peer)
            challenge = {"WWW-Authenticate": 'Basic realm="failoverd", charset="UTF-8"'}
            return Refused(401, "Who are you? Name and password are asked for.", challenge)
        if len(self._known) < _KEPT:
            self._known[mark] = user
        return user


def credentials(said: str) -> tuple[str, str]:
    """Name and password of an Authorization header, both empty where it is none of ours."""
    scheme, _, rest = said.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, colon, password = base64.b64decode(rest, validate=True).decode().partition(":")
    except ValueError:  # neither base64 nor text
        return "", ""
    return (user, password) if colon else ("", "")


def login_of(config: WebConfig) -> Login:
    """The way that the configuration says. Raises ConfigError where its people cannot be read."""
    if config.login == PROXY:
        return Proxy(config)
    if config.login == BASIC and config.password_file is not None:
        return Basic(read_people(config.password_file))
    return Nobody()
