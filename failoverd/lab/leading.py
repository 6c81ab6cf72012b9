"""Ways of clients that know one address only: the lab's virtual address, and a HAProxy on the clients' own host."""

from __future__ import annotations

import subprocess
from typing import Final

from failoverd.drivers.haproxy import HaproxyBalancers
from failoverd.lab.lab import Lab
from failoverd.lab.processes import wait_until
from failoverd.lab.writer import MYSQL_PORT

_PATIENCE: Final = 60.0
_SOCKET: Final = 9999
_CONFIGURATION: Final = """\
global
    stats socket ipv4@{here}:{socket} level admin
defaults
    mode tcp
    timeout connect 2s
    timeout client 1h
    timeout server 1h
frontend {cluster}
    bind {here}:{port}
    default_backend {cluster}
backend {cluster}
{servers}
"""


def virtual_address(lab: Lab) -> str:
    """The lab's virtual address."""
    return lab.layout.gateway.rpartition(".")[0] + ".100"


def balancer_address(lab: Lab) -> str:
    """Where the lab's HAProxy takes clients."""
    return lab.hosts["app1"].address


def lead(lab: Lab) -> Lab:
    """Configure both ways, before managers start; the lab again."""
    traffic = {
        "vip": {"address": f"{virtual_address(lab)}/24", "interface": "eth0"},
        "haproxy": {"sockets": [f"{balancer_address(lab)}:{_SOCKET}"], "backend": lab.layout.options.cluster},
    }
    lab.configure({"clusters": {lab.layout.options.cluster: {"traffic": traffic}}})
    return lab


class Balancer:
    """A HAProxy of the lab, which leads nobody anywhere until a manager tells it."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._process: subprocess.Popen[bytes] | None = None
        self.place = f"{balancer_address(lab)}:{_SOCKET}"

    def configuration(self) -> str:
        """The text of its configuration."""
        hosts = [(name, self._lab.hosts[name].address) for name in self._lab.servers]
        lines = [f"    server {name} {address}:{MYSQL_PORT} disabled" for name, address in hosts]
        return _CONFIGURATION.format(
            here=balancer_address(self._lab),
            socket=_SOCKET,
            port=MYSQL_PORT,
            cluster=self._lab.layout.options.cluster,
            servers="\n".join(lines),
        )

    def start(self) -> None:
        """Start it, and wait until it answers. Raises FailoverdError."""
        file = self._lab.folder / "haproxy.cfg"
        file.write_text(self.configuration(), encoding="utf-8")
        self._process = self._lab.run_in("app1", ["haproxy", "-db", "-q", "-f", str(file)])
        wait_until(lambda: self.ready() is not None, deadline=_PATIENCE, what="an answer of HAProxy")

    def ready(self) -> tuple[str, ...] | None:
        """The servers that it leads clients to; None where it does not answer."""
        sight = HaproxyBalancers().look(self.place, self._lab.layout.options.cluster, 2.0)
        return None if sight.problem else tuple(sorted(sight.ready))

    def stop(self) -> None:
        """End it at once; one that does not run is no error."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None
