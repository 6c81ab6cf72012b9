"""What differs between a file and what the active manager runs with; and that no secret is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from failoverd.config.difference import Compared, Difference, Needs, compared, until_restart
from failoverd.model.settings import InForce, Settings
from tests.unit.config.folder import HEAD, SHOP, Folder, prepared

ZOOKEEPER = "zookeeper: {hosts: [10.0.0.9:2181], auth: {username: z, password_file: zk.secret}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = prepared(tmp_path)
    made.put("zk.secret", "z-canary\n")
    return made


def settings(folder: Folder, text: str) -> dict[str, Settings]:
    config = folder.load(text).config
    return {name: config.settings(name) for name in config.clusters}


def in_force(settings: dict[str, Settings]) -> dict[str, InForce]:
    return {name: InForce("mgr1", "1.0", told) for name, told in settings.items()}


def only(folder: Folder, active: str, file: str) -> Compared:
    (one,) = compared(settings(folder, file), in_force(settings(folder, active)))
    return one


def test_the_same_file_is_the_same(folder: Folder) -> None:
    one = only(folder, HEAD + SHOP, HEAD + SHOP)
    assert (one.same, one.differences) == (True, ())


@pytest.mark.parametrize(
    ("active", "file", "found"),
    [
        (
            HEAD + SHOP,
            HEAD + SHOP + "    failover: {cooldown: 2h, max_loss: any}\n",
            (
                Difference("failover.cooldown", "1h", "2h", Needs.RELOAD),
                Difference("failover.max_loss", "0", "any", Needs.RELOAD),
            ),
        ),
        (
            HEAD + SHOP,
            HEAD.replace("mysql: {", "mysql: {user: x, ") + SHOP,
            (Difference("mysql.user", "failoverd", "x", Needs.RELOAD),),
        ),
        (
            HEAD + SHOP,
            HEAD + SHOP.replace("name: db2, host: 10.0.0.2", "name: db3, host: 10.0.0.3, promote: never"),
            (
                Difference("servers.db3", None, "10.0.0.3", Needs.RELOAD),
                Difference("servers.db2", "10.0.0.2", None, Needs.RELOAD),
            ),
        ),
        (
            HEAD + SHOP,
            HEAD + SHOP.replace("host: 10.0.0.2", "host: 10.0.0.2, promote: never, maintenance: true"),
            (
                Difference("servers.db2.promote", "normal", "never", Needs.RELOAD),
                Difference("servers.db2.maintenance", "false", "true", Needs.RELOAD),
            ),
        ),
        (
            HEAD + SHOP + ZOOKEEPER,
            HEAD + SHOP + ZOOKEEPER.replace("auth:", "session_timeout: 9s, auth:"),
            (Difference("zookeeper.session_timeout", "6s", "9s", Needs.RESTART),),
        ),
    ],
    ids=["keys", "said once", "servers", "of a server", "restart"],
)
def test_each_key_is_told_as_people_write_it(
    active: str, file: str, found: tuple[Difference, ...], folder: Folder
) -> None:
    one = only(folder, active, file)
    assert one.differences == found
    assert not one.same


def test_a_manager_of_an_earlier_version_tells_its_digest_only(folder: Folder) -> None:
    ours = settings(folder, HEAD + SHOP)
    (same,) = compared(ours, {"shop": InForce("mgr1", "0.9", Settings(ours["shop"].digest))})
    (other,) = compared(ours, {"shop": InForce("mgr1", "0.9", Settings("another"))})
    assert (same.same, same.told) == (True, False)
    assert (other.same, other.told, other.differences) == (False, False, ())


def test_clusters_that_only_one_side_has_are_told(folder: Folder) -> None:
    ours = settings(folder, HEAD + SHOP)
    new, old = compared(ours, {"blog": InForce("mgr1", "1.0", ours["shop"])})
    assert (new.cluster, new.active, new.listed, new.same) == ("shop", None, True, False)
    assert (old.cluster, old.listed, old.same) == ("blog", False, False)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (HEAD + SHOP, ()),
        (HEAD + SHOP + "    failover: {cooldown: 2h}\n", ()),
        (HEAD + SHOP + "manager: {name: mgr1, site_guard: {clusters: 9}}\n", ()),
        (
            HEAD + SHOP + "manager: {name: mgr1, log_level: debug, listen: null}\n",
            ("manager.listen", "manager.log_level"),
        ),
        (HEAD + ZOOKEEPER + SHOP.replace("shop", "other"), ("clusters", "zookeeper")),
    ],
)
def test_what_a_reload_leaves_to_a_restart_is_named_by_its_keys(
    folder: Folder, text: str, found: tuple[str, ...]
) -> None:
    name = "" if "manager:" in text else "manager: {name: mgr1}\n"
    running = folder.load(HEAD + SHOP + "manager: {name: mgr1}\n").config
    assert until_restart(running, folder.load(text + name).config) == found


def test_no_secret_and_no_path_of_this_machine_is_told(folder: Folder) -> None:
    told = settings(folder, HEAD + SHOP + ZOOKEEPER)["shop"].told
    text = json.dumps(told)
    assert "canary" not in text
    assert str(folder.path) not in text
    assert ".secret" not in text
    assert told["zookeeper"]["auth"] == {"username": "z", "scheme": "digest"}  # type: ignore[index]
