"""The other end of a host's keeper: start it, ask it, and name its processes as this machine numbers them."""

from __future__ import annotations

import json
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from failoverd.lab import keeper
from failoverd.lab.layout import STATE_PARENT, STATE_PREFIX, Host
from failoverd.lab.processes import children, end, inner_number, last_words, run, wait_until
from failoverd.model.errors import FailoverdError

# Other hosts' disks are let go before anything else, or this host would hold them when they are taken away.
_LET_GO = f"""
for disk in {STATE_PARENT}/{STATE_PREFIX}*/hosts/*/disk; do
    [ "$disk" = "$1" ] || ! mountpoint -q "$disk" || umount -l "$disk"
done
shift
exec "$@"
"""
# /run is the host's own.
_BEGIN = 'mount -t tmpfs -o mode=755,size=16m tmpfs /run && mkdir -p -m 755 /run/sshd && exec "$@"'


@dataclass(frozen=True, slots=True)
class Service:
    """A process that a host's keeper starts; `restart` in seconds after its end, None for never."""

    name: str
    argv: tuple[str, ...]
    user: int
    cwd: str
    log: str
    restart: float | None = None
    remove: tuple[str, ...] = ()

    def specification(self) -> dict[str, object]:
        """What the keeper reads."""
        return {
            "name": self.name,
            "argv": self.argv,
            "user": self.user,
            "group": self.user,
            "cwd": self.cwd,
            "log": self.log,
            "restart": self.restart,
            "remove": self.remove,
            "autostart": True,
            "env": {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        }


def write_specification(host: Host, services: tuple[Service, ...]) -> None:
    """Write down what the host's keeper starts; it is read at each start of the host."""
    spec = {
        "hostname": host.name,
        "socket": str(host.keeper_socket),
        "services": [service.specification() for service in services],
    }
    Path(host.folder / "keeper.json").write_text(json.dumps(spec), encoding="utf-8")


def power_on(host: Host) -> None:
    """Start the host's keeper, and with it all its services; returns when it takes requests."""
    Path(host.keeper_socket).unlink(missing_ok=True)
    argv = ["setsid", "--fork", "ip", "netns", "exec", host.namespace]
    argv += ["sh", "-c", _LET_GO, "keeper", str(host.disk)]
    argv += ["unshare", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"]
    argv += ["sh", "-c", _BEGIN, "keeper"]
    argv += [sys.executable, "-I", "-S", str(keeper.__file__), str(host.folder / "keeper.json")]
    log = Path(host.log / "keeper.log")
    run(["sh", "-c", 'exec "$@" >>"$0" 2>&1 </dev/null', str(log), *argv])
    try:
        wait_until(lambda: is_on(host), deadline=20, what=f"the start of {host.name}'s keeper")
    except FailoverdError as error:
        raise FailoverdError(error.what, f"{error.detail}: {last_words(log)}") from error
    Path(host.folder / "keeper.pid").write_text(f"{keeper_pid(host)}\n", encoding="utf-8")


def power_off(host: Host) -> None:
    """Kill the keeper: the kernel ends every process of the host with it, at once."""
    pid = recorded_pid(host)
    if pid:
        end([pid])


def recorded_pid(host: Host) -> int:
    """The keeper's process number as noted at its start; 0 when it never ran or another process has it now."""
    try:
        pid = int(Path(host.folder / "keeper.pid").read_text(encoding="utf-8"))
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return 0
    return pid if str(host.folder / "keeper.json").encode() in line else 0


def is_on(host: Host) -> bool:
    """Whether the host's keeper takes requests."""
    try:
        ask(host, "status")
    except FailoverdError:
        return False
    return True


def ask(host: Host, op: str, **more: object) -> Mapping[str, object]:
    """One request to the host's keeper; FailoverdError when it does not answer or refuses."""
    try:
        with _connect(host) as connection:
            connection.sendall(json.dumps({"op": op, **more}).encode() + b"\n")
            answer = json.loads(connection.makefile("r").readline())
    except (OSError, ValueError) as error:
        raise FailoverdError(f"the keeper of {host.name} does not answer", str(error)) from error
    if "error" in answer:
        raise FailoverdError(f"{host.name} refused to {op}", str(answer["error"]))
    return dict(answer)


def _connect(host: Host) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(5.0)
    try:
        connection.connect(str(host.keeper_socket))
    except OSError as error:
        connection.close()
        raise FailoverdError(f"{host.name} is off", str(error), f"failoverd lab fault start {host.name}") from error
    return connection


def keeper_pid(host: Host) -> int:
    """The keeper's process number on this machine: the kernel names it at the other end of the socket."""
    with _connect(host) as connection:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", credentials)[0]
    return pid


def given_up(host: Host, service: str) -> bool:
    """Whether the service has ended and nobody starts it again."""
    services = ask(host, "status")["services"]
    facts = services[service] if isinstance(services, dict) else {}
    return bool(facts["pid"] == 0 and facts["restart"] is None)


def wait_for_service(host: Host, service: str, ready: Callable[[], bool], *, log: PurePath, deadline: float) -> None:
    """Wait until the service is ready; FailoverdError with the end of its log, at once when it ended for good."""
    what = f"the start of {service} on {host.name}"
    try:
        wait_until(lambda: ready() or given_up(host, service), deadline=deadline, what=what, every=0.02)
    except FailoverdError as error:
        raise FailoverdError(error.what, f"{error.detail}: {last_words(log)}") from error
    if not ready():
        raise FailoverdError(f"{service} on {host.name} ended at its start", last_words(log))


def service_pid(host: Host, service: str) -> int:
    """A service's process number on this machine; 0 when it does not run or the host is off."""
    if not is_on(host):
        return 0
    services = ask(host, "status")["services"]
    inner = services[service]["pid"] if isinstance(services, dict) else 0
    if inner == 0:
        return 0
    found = [pid for pid in children(keeper_pid(host)) if inner_number(pid) == inner]
    return found[0] if found else 0
