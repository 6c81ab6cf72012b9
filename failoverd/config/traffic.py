"""The sections about clients: what leads them to the primary."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final

from failoverd.config.kinds import Text
from failoverd.model.traffic import Haproxy, TrafficPolicy, Vip

_OCTET: Final = r"(25[0-5]|2[0-4]\d|1?\d?\d)"
_NETWORK: Final = Text(
    re.compile(rf"{_OCTET}(\.{_OCTET}){{3}}/([1-9]|[12]\d|3[0-2])"), "an IPv4 address with its length, as 10.0.0.100/24"
)
_INTERFACE: Final = Text(re.compile(r"[A-Za-z0-9_.@-]{1,15}"), "the name of a network interface")
_SOCKET: Final = Text(
    re.compile(r"[A-Za-z0-9\[:][A-Za-z0-9.:\]-]*:\d{1,5}|/[A-Za-z0-9._/+-]+"), "HOST:PORT or an absolute path"
)
_BACKEND: Final = Text(re.compile(r"[A-Za-z0-9_.:-]+"), "a backend's name: letters, digits, and _ . : -", most=64)


@dataclass(frozen=True, slots=True)
class VipConfig:
    """A virtual address on the primary's host."""

    address: Annotated[str, _NETWORK, "The address with the length of its network, as 10.0.0.100/24."]
    interface: Annotated[str, _INTERFACE, "The interface of every database host that may carry it."]


@dataclass(frozen=True, slots=True)
class HaproxyConfig:
    """HAProxies that lead clients to the primary."""

    sockets: Annotated[tuple[str, ...], _SOCKET, "Their runtime sockets: HOST:PORT, or the path of a local one."]
    backend: Annotated[str, _BACKEND, "The backend whose servers have the names of ours."]


@dataclass(frozen=True, slots=True)
class TrafficConfig:
    """What leads clients to the primary, moved with it and kept there."""

    vip: VipConfig | None = None
    haproxy: HaproxyConfig | None = None

    @property
    def policy(self) -> TrafficPolicy:
        """The section as planning needs it."""
        address, _, prefix = self.vip.address.partition("/") if self.vip else ("", "", "")
        return TrafficPolicy(
            Vip(address, int(prefix), self.vip.interface) if self.vip else None,
            Haproxy(self.haproxy.sockets, self.haproxy.backend) if self.haproxy else None,
        )
