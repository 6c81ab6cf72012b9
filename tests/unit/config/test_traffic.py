"""The ways of clients in the configuration: what reaches planning, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from failoverd.model.errors import ConfigError
from failoverd.model.hooks import HookPolicy, Point
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
        ("{vip: {address: 'fd00::100/64', interface: eth0}}", "not an IPv4 address with its length"),
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


def test_hooks_are_counted_where_they_stand(folder: Folder, tmp_path: Path) -> None:
    for name in ("on-promoted/10-dns", "on-promoted/20-mail", "on-success/10-mail"):
        (tmp_path / "hooks" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "hooks" / name).touch(mode=0o755)
    (tmp_path / "hooks/on-success/README").touch(mode=0o644)
    text = HEAD + SHOP + f"    hooks_dir: {tmp_path}/hooks\n    hooks_timeout: 3s\n    rebuild_timeout: 2h\n"
    found = folder.load(text).config.policy("shop").hooks
    assert found == HookPolicy(f"{tmp_path}/hooks", 3.0, (("on-promoted", 2), ("on-success", 1)), 7200.0)
    assert (found.limit(Point.ON_PROMOTED), found.limit(Point.REBUILD)) == (3.0, 7200.0)
    assert (found.count(Point.ON_PROMOTED), found.count(Point.FENCE)) == (2, 0)


def test_a_folder_of_hooks_that_is_missing_or_misspelt_is_refused(folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a folder"):
        folder.load(HEAD + SHOP + f"    hooks_dir: {tmp_path}/nowhere\n")
    (tmp_path / "hooks/on-sucess").mkdir(parents=True)
    with pytest.raises(ConfigError, match="on-sucess, which is no point"):
        folder.load(HEAD + SHOP + f"    hooks_dir: {tmp_path}/hooks\n")
