"""Clients of a lab that know one address only: the virtual one, or a HAProxy's, which runs on the clients' own host."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from failoverd.lab import Lab
from failoverd.lab.leading import Balancer, balancer_address, lead, virtual_address
from failoverd.lab.writer import MYSQL_PORT, Writer
from failoverd.model.sight import Endpoint
from tests.acceptance.rehearsal import Rehearsal, rehearsal

SAMPLE = Path(__file__).parents[2] / "conf/haproxy/failoverd.cfg"


def client(lab: Lab, host: str) -> Writer:
    """A client that knows only this address."""
    return Writer({host: Endpoint(host, MYSQL_PORT)}, "app", lab.password("app"))


def holding(lab: Lab) -> tuple[str, ...]:
    """The database hosts that carry the virtual address, by their own kernels."""
    return tuple(name for name in lab.servers if virtual_address(lab) in addresses(lab, name))


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


class Proxy(Balancer):
    """The sample HAProxy of conf/ with this lab's addresses in it."""

    def configuration(self) -> str:
        """The sample's text; what names files of a real host is left out."""
        text = SAMPLE.read_text(encoding="utf-8").replace("10.0.0.5", balancer_address(self._lab))
        text = re.sub(r".*(/run/haproxy|server-state-file|load-server-state).*\n", "", text)
        for number, server in enumerate(self._lab.servers, 1):
            host = self._lab.hosts[server].address
            text = re.sub(rf"server {server} \S+", f"server {server} {host}:{MYSQL_PORT}", text)
            assert f"server db{number}" in text
        return text


@contextmanager
def led_rehearsal(lab: Lab) -> Iterator[tuple[Rehearsal, Proxy]]:
    """A rehearsal in which a HAProxy runs beside; it ends with it."""
    proxy = Proxy(lead(lab))
    proxy.start()
    try:
        with rehearsal(lab) as play:
            yield play, proxy
    finally:
        proxy.stop()
