"""Clients of a lab that know one address only: the virtual one, or a HAProxy's, which runs on the clients' own host."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from failoverd.drivers.haproxy import HaproxyBalancers
from failoverd.lab import Lab
from failoverd.lab.writer import MYSQL_PORT, Writer
from failoverd.model.sight import Endpoint
from tests.acceptance.rehearsal import Rehearsal, eventually, rehearsal

SAMPLE = Path(__file__).parents[2] / "conf/haproxy/failoverd.cfg"


def address(lab: Lab) -> str:
    """The lab's virtual address."""
    return lab.layout.gateway.rpartition(".")[0] + ".100"


def balancer(lab: Lab) -> str:
    """Where the lab's HAProxy takes clients."""
    return lab.hosts["app1"].address


def led(lab: Lab) -> Lab:
    """The lab with both ways configured."""
    traffic = {
        "vip": {"address": f"{address(lab)}/24", "interface": "eth0"},
        "haproxy": {"sockets": [f"{balancer(lab)}:9999"], "backend": "shop"},
    }
    lab.configure({"clusters": {"shop": {"traffic": traffic}}})
    return lab


def client(lab: Lab, host: str) -> Writer:
    """A client that knows only this address."""
    return Writer({host: Endpoint(host, MYSQL_PORT)}, "app", lab.password("app"))


def holding(lab: Lab) -> tuple[str, ...]:
    """The database hosts that carry the virtual address, by their own kernels."""
    return tuple(name for name in lab.servers if address(lab) in addresses(lab, name))


def addresses(lab: Lab, server: str) -> set[str]:
    """All addresses of a host's interface."""
    told = lab.call_in(server, ["ip", "-json", "address", "show", "dev", "eth0"])
    links: list[Mapping[str, Any]] = json.loads(told.stdout)
    return {str(found["local"]) for link in links for found in link["addr_info"]}


def asked(lab: Lab, manager: str, path: str) -> int:
    """What a manager answers on its own host over HTTP: the status code, 0 for no answer."""
    code = (
        "import sys, urllib.request as u, urllib.error as e\n"
        "try: print(u.urlopen('http://127.0.0.1:8008' + sys.argv[1], timeout=20).status)\n"
        "except e.HTTPError as error: print(error.code)\n"
        "except OSError: print(0)\n"
    )
    return int(lab.call_in(manager, [sys.executable, "-c", code, path]).stdout)


class Proxy:
    """The sample HAProxy of conf/ with this lab's addresses in it."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._process: subprocess.Popen[bytes] | None = None
        self.place = f"{balancer(lab)}:9999"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        text = SAMPLE.read_text(encoding="utf-8").replace("10.0.0.5", balancer(self._lab))
        text = re.sub(r".*(/run/haproxy|server-state-file|load-server-state).*\n", "", text)
        for number, server in enumerate(self._lab.servers, 1):
            host = self._lab.hosts[server].address
            text = re.sub(rf"server {server} \S+", f"server {server} {host}:{MYSQL_PORT}", text)
            assert f"server db{number}" in text
        file = self._lab.folder / "haproxy.cfg"
        file.write_text(text, encoding="utf-8")
        self._process = self._lab.run_in("app1", ["haproxy", "-db", "-q", "-f", str(file)])
        eventually(self.ready, lambda found: found is not None, "an answer of HAProxy")

    def ready(self) -> tuple[str, ...] | None:
        """The servers that it leads clients to; None where it does not answer."""
        sight = HaproxyBalancers().look(self.place, "shop", 2.0)
        return None if sight.problem else tuple(sorted(sight.ready))

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


@contextmanager
def led_rehearsal(lab: Lab) -> Iterator[tuple[Rehearsal, Proxy]]:
    """A rehearsal in which a HAProxy runs beside; it ends with it."""
    proxy = Proxy(led(lab))
    proxy.start()
    try:
        with rehearsal(lab) as play:
            yield play, proxy
    finally:
        proxy.stop()
