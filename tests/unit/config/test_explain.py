"""Explaining: every value as people write it, and where it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from failoverd.config.explain import Explained, explain
from failoverd.config.kinds import seconds_of, spell
from tests.unit.config.folder import HEAD, SHOP, Folder, prepared

SAMPLE = Path(__file__).parents[3] / "conf/failoverd.yml"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return prepared(tmp_path)


def explained(folder: Folder, text: str) -> dict[str, Explained]:
    return {value.path: value for value in explain(folder.load(text))}


def test_values_say_where_they_come_from(folder: Folder) -> None:
    folder.put("clusters.d/b.yml", "clusters:\n  blog:\n    servers: [{name: x, host: h, mysql: {user: low}}]\n")
    values = explained(folder, HEAD.replace("mysql: {", "mysql: {user: top, ") + SHOP)
    first = "clusters.shop.servers[0]"
    assert values["mysql.user"] == Explained("mysql.user", "top", "failoverd.yml:1", False)
    assert values[f"{first}.mysql.user"] == Explained(
        f"{first}.mysql.user", "top", "failoverd.yml:1 by mysql.user", True
    )
    assert values[f"{first}.mysql.port"].origin == "default by mysql.port"
    assert values[f"{first}.host"].origin == "failoverd.yml:7"
    assert values["clusters.blog.servers[0].mysql.user"].origin == "clusters.d/b.yml:3"
    assert values["zookeeper"] == Explained("zookeeper", "null", "default", False)
    assert values["clusters.shop.detection.interval"].value == "500ms"
    assert values["clusters.shop.failover.automatic"].value == "true"
    assert values["clusters.shop.failover.max_loss"].value == "0"


def test_secrets_show_only_where_they_were_read(folder: Folder) -> None:
    value = explained(folder, HEAD + SHOP)["mysql.password_file"].value
    assert value == f"*** (read from {folder.path}/mysql.secret)"


def test_the_samples_values_are_the_defaults(folder: Folder) -> None:
    sample = SAMPLE.read_text().replace("/etc/failoverd/", f"{folder.path}/").replace("id_ed25519", "id")
    written = explained(folder, sample)
    plain = explained(folder, HEAD + "zookeeper: {hosts: ['a:1']}\n" + SHOP)
    assert written["zookeeper.hosts"].value == "zk1:2181, zk2:2181, zk3:2181"
    chosen = {"manager.name", "zookeeper.hosts"}
    compared = [path for path in plain if ".servers[" not in path and path not in chosen]
    assert len(compared) > 40
    assert {path: plain[path].value for path in compared} == {path: written[path].value for path in compared}


@pytest.mark.parametrize(
    ("text", "seconds", "back"),
    [
        ("500ms", 0.5, "500ms"),
        ("0s", 0.0, "0s"),
        ("1.5s", 1.5, "1.5s"),
        ("60s", 60.0, "1m"),
        ("90m", 5400.0, "90m"),
        ("24h", 86400.0, "1d"),
        ("61s", 61.0, "61s"),
    ],
)
def test_durations_are_read_and_spelled(text: str, seconds: float, back: str) -> None:
    assert seconds_of(text) == seconds
    assert spell(seconds) == back
