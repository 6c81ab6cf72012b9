"""`failoverd config check --against-active`: what the active managers run with, against the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from failoverd.config.load import read
from failoverd.model.errors import CoordinationError
from failoverd.model.settings import InForce, Settings
from tests.unit.cli.stand_in import StandIn, Terminal, document, terminal

COMMAND = ("config", "check", "--against-active")


@pytest.fixture
def screen(tmp_path: Path) -> Terminal:
    return terminal(tmp_path)


@pytest.fixture
def ours(screen: Terminal) -> Settings:
    return read(screen.folder / "failoverd.yml").config.settings("shop")


def other(ours: Settings) -> Settings:
    """The same, but for two keys."""
    told = {**ours.told, "durability": "lossless", "failover": {**ours.told["failover"], "cooldown": 60.0}}  # type: ignore[dict-item]
    return Settings("another", MappingProxyType(told))


def active(settings: Settings, cluster: str = "shop") -> StandIn:
    return StandIn(in_force={cluster: InForce("mgr1", "1.0", settings)})


def test_without_the_option_nobody_is_asked(screen: Terminal) -> None:
    app = StandIn()
    assert screen.call(app, "config", "check").exit_code == 0
    assert app.asked == []


def test_the_same_settings_are_no_finding(screen: Terminal, ours: Settings) -> None:
    result = screen.call(active(ours), *COMMAND)
    assert result.exit_code == 0
    assert "shop: mgr1 runs with these settings" in result.stdout


def test_each_difference_is_shown_as_it_is_and_as_it_would_be(screen: Terminal, ours: Settings) -> None:
    result = screen.call(active(other(ours)), *COMMAND)
    assert result.exit_code == 1
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "shop: mgr1 runs with other settings" in lines
    assert "failover.cooldown 1m -> 1h (by reload)" in lines
    assert "durability lossless -> async (by reload)" in lines
    assert any("config-differs" in line for line in lines)


def test_the_document_has_the_same(screen: Terminal, ours: Settings) -> None:
    result = screen.call(active(other(ours)), *COMMAND, "--json")
    told: Any = document(result)
    assert (result.exit_code, told["errors"]) == (1, [])
    (one,) = told["against_active"]
    assert (one["cluster"], one["manager"], one["same"], one["refused"]) == ("shop", "mgr1", False, ["config-differs"])
    assert {"key": "failover.cooldown", "active": "1m", "file": "1h", "needs": "reload"} in one["differences"]


def test_what_only_one_side_has_and_what_is_not_told(screen: Terminal, ours: Settings) -> None:
    nobody = screen.call(StandIn(in_force={}), *COMMAND)
    assert (nobody.exit_code, "shop: no manager is active for it" in nobody.stdout) == (1, True)
    one: Any = document(screen.call(StandIn(in_force={}), *COMMAND, "--json"))["against_active"]
    assert [(each["cluster"], each["manager"], each["listed"], each["same"]) for each in one] == [
        ("shop", None, True, False)
    ]
    gone = screen.call(StandIn(in_force={"blog": InForce("mgr1", "1.0", ours)}), *COMMAND)
    assert (gone.exit_code, "blog: mgr1 watches it, and the file does not have it" in gone.stdout) == (1, True)
    silent = screen.call(active(Settings("another")), *COMMAND)
    assert (silent.exit_code, "it does not tell which: failoverd 1.0 runs there" in silent.stdout) == (1, True)
    known = screen.call(active(replace(ours, told={})), *COMMAND)
    assert known.exit_code == 0


def test_zookeeper_that_is_away_is_told(screen: Terminal) -> None:
    result = screen.call(StandIn(in_force=CoordinationError("ZooKeeper is away", "10.0.0.9:2181")), *COMMAND)
    assert (result.exit_code, "ZooKeeper is away" in result.stderr) == (1, True)


def test_errors_come_first(screen: Terminal) -> None:
    file = screen.folder / "failoverd.yml"
    file.write_text(file.read_text(encoding="utf-8") + "nonsense: yes\n", encoding="utf-8")
    app = StandIn()
    assert screen.call(app, *COMMAND).exit_code == 2
    assert app.asked == []
