"""TCP and TLS below a session: dialling with a deadline, the options of the socket, one TLS context per policy."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from functools import lru_cache

from failoverd.drivers.mysql.access import ServerAccess, Tls
from failoverd.drivers.tasks import ThreadTasks

_USER_TIMEOUT = 5000  # milliseconds that sent bytes may stay unacknowledged before the kernel gives the line up
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 3))
_UNACKED = struct.Struct("=24xI")  # struct tcp_info of the kernel: tcpi_unacked stands behind 8 bytes and 4 numbers


class Names:
    """Addresses of host names, asked with a deadline; while the name service is silent the last answer stands.

    Failovers happen when networks are ill: a name that was known a moment ago must not blind the manager.
    """

    def __init__(self, tasks: ThreadTasks) -> None:
        self._tasks = tasks
        self._known: dict[str, tuple[str, ...]] = {}

    def addresses(self, host: str, timeout: float) -> tuple[str, ...]:
        """The addresses to dial, best first; socket.gaierror where the name is unknown and always was."""
        if _is_address(host):
            return (host,)
        answer = self._tasks.gather({host: lambda: _resolve(host)}, timeout)[host]
        if isinstance(answer, tuple):
            self._known[host] = answer
        elif host not in self._known:
            raise socket.gaierror(socket.EAI_AGAIN, f"the name {host} could not be resolved: {answer}")
        return self._known[host]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _resolve(host: str) -> tuple[str, ...]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def dial(addresses: tuple[str, ...], port: int, timeout: float) -> socket.socket:
    """A TCP connection to the first address that takes one, with every option that makes silence audible.

    Each address gets an equal part of `timeout` seconds. Raises the last address's OSError.
    """
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            return _dial(address, port, timeout / len(addresses))
    return _dial(addresses[-1], port, timeout / len(addresses))


def _dial(address: str, port: int, timeout: float) -> socket.socket:
    line = socket.create_connection((address, port), timeout)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        line.setsockopt(socket.IPPROTO_TCP, option, value)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT)
    return line


def unacknowledged(line: socket.socket) -> bool:
    """Whether bytes of ours wait for the other kernel's word: then the line or the host is silent, not the server."""
    info = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return bool(_UNACKED.unpack_from(info)[0])


@lru_cache(maxsize=64)
def _context(ca_file: str, verified: bool, named: bool = False) -> ssl.SSLContext:
    """One context per policy and authority: making one takes 25 ms, a handshake 2."""
    context = ssl.create_default_context(cafile=ca_file or None)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # MySQL's own generated certificates do not pass the strict reading
    context.check_hostname = named
    context.verify_mode = ssl.CERT_REQUIRED if verified else ssl.CERT_NONE
    return context


_TLS_ARGUMENTS: Mapping[Tls, Callable[[ServerAccess], Mapping[str, object]]] = {
    "off": lambda _: {"ssl_disabled": True},
    "preferred": lambda _: {"ssl": _context("", verified=False)},
    "required": lambda _: {"ssl": _context("", verified=False)},
    "verify": lambda access: {"ssl": _context(access.ca_file, verified=True, named=not access.ca_file)},
    "verify-identity": lambda access: {"ssl": _context(access.ca_file, verified=True, named=True)},
}


def tls_arguments(access: ServerAccess) -> Mapping[str, object]:
    """What the library is told about TLS for this server; OSError where the file of authorities cannot be read."""
    return _TLS_ARGUMENTS[access.tls](access)
