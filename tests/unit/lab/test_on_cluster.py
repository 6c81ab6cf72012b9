"""A real cluster as the ground of a drill: what is refused before any server is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from failoverd.lab.on_cluster import ClusterGround
from failoverd.model.errors import ConfigError
from failoverd.model.runbook import ProbeShape
from tests.unit.config.folder import HEAD, SHOP, prepared


def nobody(*_: object) -> object:
    raise AssertionError("nothing is asked")


def test_a_client_of_an_address_that_is_not_there_is_refused_before_its_table_is_made(tmp_path: Path) -> None:
    config = prepared(tmp_path).load(HEAD + SHOP).config
    ways = (nobody, nobody, nobody)
    ground = ClusterGround((tmp_path, config), "shop", ProbeShape(through="vip"), ways)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"no virtual address.*clusters\.shop\.traffic\.vip"):
        ground.probe()
    assert ground.slowness() == 1.0, "limits on a real cluster are never stretched"
