"""The Balancers port: HAProxy's runtime API over its stats socket, one short connection for each exchange."""

from __future__ import annotations

import socket
import time

from failoverd.model.errors import BalancerError
from failoverd.model.traffic import BalancerSight, Steering
from failoverd.ports import Lease

# Maintenance that stands in the file is only information once somebody has set the state by this interface.
_CONFIGURED = 0x04
_LARGEST = 4 * 1024 * 1024
_HINT = "look at `stats socket` in its configuration: level admin is needed"


class HaproxyBalancers:
    """Implements `ports.Balancers`. A place is HOST:PORT, or the path of a socket of this machine."""

    def look(self, place: str, backend: str, timeout: float) -> BalancerSight:
        """Which servers of the backend it leads clients to; never raises for what a HAProxy does."""
        try:
            states = read_states(place, backend, time.monotonic() + timeout)
        except BalancerError as error:
            return BalancerSight(place, problem=str(error))
        ready = frozenset(name for name, admin in states.items() if not admin & ~_CONFIGURED)
        return BalancerSight(place, ready, frozenset(states) - ready)

    def steer(self, wanted: Steering, lease: Lease, timeout: float) -> int:
        """Change what is not as wanted, in one go, and read it back. Raises LockLost or BalancerError."""
        end = time.monotonic() + timeout
        states = read_states(wanted.socket, wanted.backend, end)
        if wanted.server not in states:
            there = ", ".join(sorted(states))
            raise BalancerError(f"{wanted} has no server {wanted.server}", f"it has {there}", "names must be ours")
        commands = list(orders(wanted, states))
        if not commands:
            return 0
        lease.check()
        told = exchange(wanted.socket, "; ".join(command for order in commands for command in order), end).strip()
        if told:
            raise BalancerError(f"{wanted} refused", told.splitlines()[0][:200], _HINT)
        left = list(orders(wanted, read_states(wanted.socket, wanted.backend, end)))
        if left:
            raise BalancerError(f"{wanted} does not hold what it was told", left[0][0])
        return len(commands)

    def may_change(self, place: str, backend: str, timeout: float) -> str:
        """Why this HAProxy would not let us change anything; empty where it would. Nothing is changed by asking."""
        nobody = "failoverd-check"
        try:
            told = exchange(place, f"shutdown sessions server {backend}/{nobody}", time.monotonic() + timeout)
        except BalancerError as error:
            return str(error)
        return "permission denied" if "denied" in told.lower() else ""


def orders(wanted: Steering, states: dict[str, int]) -> list[tuple[str, ...]]:
    """The commands that lead from these states to the wanted ones, one tuple for each server; the old way is shut
    before the new one is opened.
    """
    found: list[tuple[str, ...]] = []
    for name in sorted(wanted.others & states.keys()):
        if not states[name] & ~_CONFIGURED:
            path = f"{wanted.backend}/{name}"
            found.append((f"set server {path} state maint", f"shutdown sessions server {path}"))
    if states.get(wanted.server, 0) & ~_CONFIGURED:
        found.append((f"set server {wanted.backend}/{wanted.server} state ready",))
    return found


def read_states(place: str, backend: str, end: float) -> dict[str, int]:
    """The administrative state of every server of a backend; raises BalancerError."""
    told = exchange(place, f"show servers state {backend}", end)
    lines = [line.split() for line in told.splitlines() if line.strip()]
    heading = next((words[1:] for words in lines if words[0] == "#"), [])
    try:
        name, admin = heading.index("srv_name"), heading.index("srv_admin_state")
        rows = [words for words in lines if words[0].isdigit() and len(words) > admin]
        return {words[name]: int(words[admin]) for words in rows}
    except ValueError:
        said = told.strip().splitlines()[0][:200] if told.strip() else "nothing"
        raise BalancerError(f"HAProxy at {place} does not show backend {backend}", said, _HINT) from None


def exchange(place: str, command: str, end: float) -> str:
    """One command line and everything that is said to it; raises BalancerError."""
    try:
        with connected(place, end) as line:
            line.sendall(f"{command}\n".encode())
            told = bytearray()
            while len(told) < _LARGEST:
                line.settimeout(left(end))
                data = line.recv(65536)
                if not data:
                    break
                told += data
    except OSError as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise BalancerError(f"HAProxy at {place} cannot be asked", why) from error
    return told.decode("utf-8", "replace")


def connected(place: str, end: float) -> socket.socket:
    """A connection to a runtime socket; raises OSError."""
    if place.startswith("/"):
        line = socket.socket(socket.AF_UNIX)
        try:
            line.settimeout(left(end))
            line.connect(place)
        except OSError:
            line.close()
            raise
        return line
    host, _, port = place.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), left(end))


def left(end: float) -> float:
    """Seconds until then; TimeoutError where none are left."""
    seconds = end - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds
