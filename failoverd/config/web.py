"""The section `web`: where the page is served, under which names, who is let in, and what they may do there."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from failoverd.config.complaints import Wrong
from failoverd.config.document import Scalar
from failoverd.config.kinds import Choice, LocalFile, Text

PAUSE, RESUME, SWITCHOVER = ACTIONS = ("pause", "resume", "switchover")
NONE, PROXY, BASIC = LOGINS = ("none", "proxy", "basic")
_LISTEN: Final = Text(re.compile(r"[A-Za-z0-9\[:][A-Za-z0-9.:\]-]*:\d{1,5}"), "HOST:PORT")
_HOST_NAME: Final = Text(re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?"), "a host's name")
_HEADER: Final = Text(re.compile(r"[A-Za-z][A-Za-z0-9-]*"), "the name of an HTTP header", most=64)


@dataclass(frozen=True, slots=True)
class Network:
    """An address, or a network like 10.0.0.0/24."""

    def read(self, scalar: Scalar, base: Path) -> str:
        """The network as written, when it is one."""
        try:
            ipaddress.ip_network(scalar.text)
        except ValueError:
            raise Wrong(
                f"'{scalar.text}' is neither an address nor a network", "as in 10.0.0.5 or 10.0.0.0/24"
            ) from None
        return scalar.text


@dataclass(frozen=True, slots=True)
class WebTls:
    """The certificate that the page is served with."""

    cert_file: Annotated[Path, LocalFile(), "Our certificate, with those that lead to its root."]
    key_file: Annotated[Path, LocalFile(private=True), "Its key."]


@dataclass(frozen=True, slots=True)
class WebConfig:
    """The page that `failoverd web` serves."""

    listen: Annotated[str, _LISTEN, "Where the page is served."] = "127.0.0.1:8009"
    names: Annotated[
        tuple[str, ...], _HOST_NAME, "Host names that the page is opened under, besides localhost and addresses."
    ] = ()
    tls: WebTls | None = None
    login: Annotated[
        str, Choice(LOGINS), "Who says who looks: nobody, a proxy in front, or the page's own list of people."
    ] = NONE
    trusted_proxies: Annotated[
        tuple[str, ...], Network(), "Who may say it; requests from elsewhere are refused then."
    ] = ()
    user_header: Annotated[str, _HEADER, "The header in which a proxy says who looks."] = "X-Remote-User"
    password_file: Annotated[
        Path | None,
        LocalFile(private=True, null=True),
        "People and their passwords, hashed: `failoverd web --password`.",
    ] = None
    actions: Annotated[tuple[str, ...], Choice(ACTIONS), "What people may do on the page; without any, only look."] = ()

    @property
    def place(self) -> tuple[str, int]:
        """Host and port, an IPv6 address without its brackets."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def loopback(self) -> bool:
        """Whether only this host reaches it."""
        host = self.place[0]
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"
