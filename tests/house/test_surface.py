"""The comparison of the code's outside with docs/contract.md, on a small command tree and schema of its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from tests.house.surface import JSON_MAKERS, compared, keys_of, surface_of, unlisted_commands, unlisted_fields


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    servers: tuple[Server, ...]
    vip: Server | None


@dataclass(frozen=True, slots=True)
class Config:
    listen: str
    clusters: Mapping[str, Cluster]


@click.group()
@click.option("-c", "--config")
@click.version_option("1")
def main(config: str) -> None:
    """Stand for the real command."""


@main.group()
def ops() -> None:
    """Stand for a group."""


@ops.command("list")
@click.option("--json", is_flag=True)
@click.option("--since")
def list_ops(json: bool, since: str) -> None:
    """Stand for a command."""


@main.group()
def lab() -> None:
    """Stand for the lab, where every command says which."""


@lab.command()
@click.option("--name")
def up(name: str) -> None:
    """Stand for a lab command."""


def test_commands_and_options_of_a_click_tree() -> None:
    commands, options = surface_of(main)
    assert commands == {"ops list", "lab up"}
    assert options == {"--config", "ops list --since", "--json", "lab --name"}


def test_keys_of_a_schema() -> None:
    assert set(keys_of(Config)) == {
        "listen",
        "clusters.*.servers[].name",
        "clusters.*.servers[].ports",
        "clusters.*.vip.name",
        "clusters.*.vip.ports",
    }


@pytest.mark.parametrize(
    ("row", "real", "finding"),
    [
        (
            "| command run | text | planned | |",
            {"run", "stop"},
            "the code has command 'stop' and there is no row for it",
        ),
        (
            "| command run | text | delivered | x |",
            set[str](),
            "command 'run' is delivered and the code does not have it",
        ),
        ("| command run | text | planned | |", {"run"}, ""),
        ("| command run | text | planned | |", set[str](), ""),
    ],
)
def test_both_directions_are_compared(tmp_path: Path, row: str, real: set[str], finding: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/contract.md").write_text(row + "\n")
    assert [found.what for found in compared(tmp_path, "command", real)] == ([finding] if finding else [])


def test_json_fields_are_the_keys_that_are_written(tmp_path: Path) -> None:
    for place, text in {"docs/contract.md": "| json name | text | planned | |\n", JSON_MAKERS[0]: JSON}.items():
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_text(text)
    findings = [found.what for found in unlisted_fields(tmp_path)]
    assert findings == ["the code has json 'lost' and there is no row for it"]


JSON = "def report_json(name):\n    return {'name': name, 'lost': 0, **{name: 1}}\n"


def test_a_module_that_cannot_be_looked_at_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "failoverd/cli").mkdir(parents=True)
    assert not list(unlisted_commands(tmp_path))
    (tmp_path / "failoverd/cli/main.py").write_text("")
    monkeypatch.setitem(sys.modules, "failoverd.cli.main", None)
    assert [found.what.split(":")[0] for found in unlisted_commands(tmp_path)] == ["cannot be looked at"]
