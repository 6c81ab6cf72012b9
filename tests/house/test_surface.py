"""The comparison of the code's outside with docs/contract.md, on a small command tree and schema of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from tests.house.surface import compared, keys_of, surface_of


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


def test_commands_and_options_of_a_click_tree() -> None:
    commands, options = surface_of(main)
    assert commands == {"ops list"}
    assert options == {"--config", "ops list --since", "--json"}


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
