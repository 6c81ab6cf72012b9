"""The virtual address on this host: is it here, bring it, take it away, tell the neighbours whose it is now.

What is here is read from the kernel without any right; bringing and taking need the door's.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import struct
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any, Callable

from failoverd.agent import fields
from failoverd.agent.faults import DOOR, NOT_FOUND, TIMEOUT, Fault, why_not
from failoverd.agent.fields import Field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from failoverd.agent.deadline import Deadline

_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
_LOCAL = re.compile(r"\|-- (\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL")
_ARP = 0x0806
_EVERYBODY = b"\xff" * 6
# A neighbour that missed the first word, or that the former holder answered meanwhile, hears it again (seconds).
_AGAIN_AFTER = (0.1, 0.4, 1.0, 2.0)
_PROOF = "127.91.7.3"


def _ipv4(value: Any) -> str:
    try:
        return socket.inet_ntop(socket.AF_INET, socket.inet_pton(socket.AF_INET, fields.text(value)))
    except OSError:
        raise ValueError("an IPv4 address is expected") from None


def vip(value: Any) -> dict[str, Any]:
    """Check a virtual address: address, prefix and interface."""
    try:
        return fields.read(FIELDS, value, "the address")
    except Fault as fault:
        raise ValueError(str(fault)) from fault


FIELDS = {
    "address": Field(_ipv4),
    "prefix": Field(fields.whole(1, 32)),
    "interface": Field(fields.matching(r"[A-Za-z0-9_.@-]{1,15}", "an interface's name")),
}


def held() -> list[str]:
    """Every IPv4 address of this host, loopback apart, sorted."""
    with open("/proc/net/fib_trie", encoding="ascii") as stream:
        found = set(_LOCAL.findall(stream.read()))
    return sorted(address for address in found if not address.startswith("127."))


def take(args: Mapping[str, Any], deadline: Deadline) -> dict[str, Any]:
    """Bring the address here and say so to the neighbours, also where it is here already; {"taken": whether it was
    not}.
    """
    address, interface = args["address"], args["interface"]
    _exists(interface)
    brought = address not in held()
    if brought:
        _ip(deadline, "address", "add", f"{address}/{args['prefix']}", "dev", interface)
    announce(address, interface)
    threading.Thread(target=_announce_again, args=(address, interface), daemon=True).start()
    return {"taken": brought}


def leave(args: Mapping[str, Any], deadline: Deadline) -> dict[str, Any]:
    """Take the address away from here; {"left": whether it was here}."""
    address = args["address"]
    if address not in held():
        return {"left": False}
    _ip(deadline, "address", "delete", f"{address}/{args['prefix']}", "dev", args["interface"])
    if address in held():
        raise Fault(DOOR, f"{address} is still on this host", "it stands on another interface, or with another prefix")
    return {"left": True}


def announce(address: str, interface: str) -> None:
    """Tell all neighbours, as question and as answer, that the address is at this interface now."""
    with open(f"/sys/class/net/{interface}/address", encoding="ascii") as stream:
        mac = bytes.fromhex(stream.read().strip().replace(":", ""))
    if len(mac) != 6:
        return
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ARP)) as line:
        line.bind((interface, _ARP))
        for operation in (1, 2):
            line.send(gratuitous(mac, socket.inet_aton(address), operation))


def gratuitous(mac: bytes, address: bytes, operation: int) -> bytes:
    """The frame of a gratuitous ARP: a question (1) or an answer (2) in which sender and target are the same."""
    ethernet = _EVERYBODY + mac + struct.pack("!H", _ARP)
    fixed = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    return ethernet + fixed + mac + address + mac + address


def _announce_again(address: str, interface: str) -> None:
    for pause in _AGAIN_AFTER:
        time.sleep(pause)
        with contextlib.suppress(OSError):
            if address not in held():
                return
            announce(address, interface)


def prove(args: Mapping[str, Any], deadline: Deadline) -> dict[str, str]:
    """Try each right that moving the address needs, with a loopback address of our own; why not, by right."""
    interface = args["interface"]
    attempts: dict[str, Callable[[], None]] = {
        f"interface {interface}": lambda: _exists(interface),
        "add and delete an address": lambda: _prove_change(deadline),
        "send gratuitous ARP": lambda: _prove_raw(interface),
    }
    return {name: _why(attempt) for name, attempt in attempts.items()}


def _why(attempt: Callable[[], None]) -> str:
    try:
        attempt()
    except (OSError, Fault) as error:
        return why_not(error)
    return ""


def _prove_change(deadline: Deadline) -> None:
    with contextlib.suppress(Fault):
        _ip(deadline, "address", "delete", f"{_PROOF}/32", "dev", "lo")
    _ip(deadline, "address", "add", f"{_PROOF}/32", "dev", "lo")
    _ip(deadline, "address", "delete", f"{_PROOF}/32", "dev", "lo")


def _prove_raw(interface: str) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ARP)) as line:
        line.bind((interface, _ARP))


def _exists(interface: str) -> None:
    if not os.path.isdir(f"/sys/class/net/{interface}"):
        there = ", ".join(sorted(os.listdir("/sys/class/net")))
        raise Fault(NOT_FOUND, f"this host has no interface {interface}", f"it has {there}", "see traffic.vip")


def _ip(deadline: Deadline, *words: str) -> None:
    program = shutil.which("ip", path=_PATH)
    if program is None:
        raise Fault(NOT_FOUND, "this host has no program ip", _PATH, "install iproute2")
    try:
        done = subprocess.run(
            [program, *words],
            check=False,
            capture_output=True,
            timeout=max(deadline.left(), 0.05),
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise Fault(TIMEOUT, f"ip {' '.join(words)} was not done in time") from error
    if done.returncode:
        raise Fault(DOOR, f"ip {' '.join(words)} failed", done.stderr.decode("utf-8", "replace").strip()[:500])
