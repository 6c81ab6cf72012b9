"""The ways of clients in the configuration: what reaches planning, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from failoverd.model.errors import ConfigError
from failoverd.model.traffic import Haproxy, TrafficPolicy, Vip
from tests.unit.config.folder import HEAD, SHOP, Folder, prepared


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return prepared(tmp_path)


def shop(traffic: str) -> str:
    return HEAD + SHOP + f"    traffic: {traffic}\n"


def test_the_ways_of_clients_reach_planning(folder: Folder) -> None:
    text = shop("{vip: {address: 10.0.0.100/24, interface: eth0}, haproxy: {sockets: [h:1, /run/h], backend: s}}")
    vip, haproxy = Vip("10.0.0.100", 24, "eth0"), Haproxy(("h:1", "/run/h"), "s")
    assert folder.load(text).config.policy("shop").traffic == TrafficPolicy(vip, haproxy)
    assert folder.load(text).config.policy("shop").traffic.any
    assert not folder.load(HEAD + SHOP).config.policy("shop").traffic.any


@pytest.mark.parametrize(
    ("traffic", "said"),
    [
        ("{vip: {address: 10.0.0.100, interface: eth0}}", "not an IPv4 address with its length"),
        ("{vip: {address: 10.0.0.300/24, interface: eth0}}", "not an IPv4 address with its length"),
        ("{vip: {address: 10.0.0.9/24, interface: 'eth0; x'}}", "not the name of a network interface"),
        ("{vip: {address: 10.0.0.9/24}}", "traffic.vip.interface"),
        ("{vip: {address: 10.0.0.2/24, interface: eth0}}", "is the address of one of the servers"),
        ("{haproxy: {sockets: [nowhere], backend: s}}", "not HOST:PORT or an absolute path"),
        ("{haproxy: {sockets: [], backend: s}}", "is an empty list"),
        ("{haproxy: {sockets: [h:1], backend: 'a b'}}", "not a backend's name"),
    ],
)
def test_what_could_not_be_done_is_refused(folder: Folder, traffic: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        folder.load(shop(traffic))
