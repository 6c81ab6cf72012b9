"""The shell completes names of the configuration: clusters, and the servers of the cluster that was typed."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from failoverd.cli.main import main
from tests.unit.cli.stand_in import Terminal, terminal
from tests.unit.cli.test_commands import commands
from tests.unit.config.folder import HEAD, SHOP

BLOG = "  blog:\n    servers:\n      - {name: web1, host: 10.0.1.1}\n      - {name: web2, host: 10.0.1.2}\n"


@pytest.fixture
def screen(tmp_path: Path) -> Terminal:
    return terminal(tmp_path, HEAD + SHOP + BLOG)


def completed(screen: Terminal, *words: str, by_environment: bool = False) -> list[str]:
    """What the shell offers for the last word."""
    path = str(screen.folder / "failoverd.yml")
    asked = ["failoverd", *([] if by_environment else ["-c", path]), *words]
    variables = {"_FAILOVERD_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(asked)}
    variables |= {"COMP_CWORD": str(len(asked) - 1), "FAILOVERD_CONFIG": path if by_environment else ""}
    done = CliRunner().invoke(main, [], env=variables, prog_name="failoverd")
    return [line.partition(",")[2] for line in done.output.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("status", ""), ["shop", "blog"]),
        (("failover", "s"), ["shop"]),
        (("failover", "blog", "--to", ""), ["web1", "web2"]),
        (("failover", "--to", "db"), ["db1", "db2"]),
        (("rejoin", "shop", ""), ["db1", "db2"]),
        (("plan", "shop", "--kill", "db1", "--kill", "d"), ["db1", "db2"]),
        (("agent", "install", "shop", "db1", "db"), ["db1", "db2"]),
        (("pause", "blog", "--server", "web"), ["web1", "web2"]),
        (("rejoin", "nowhere", ""), []),
    ],
    ids=" ".join,
)
def test_names_of_the_configuration_are_offered(words: tuple[str, ...], offered: list[str], screen: Terminal) -> None:
    assert completed(screen, *words) == offered
    assert completed(screen, *words, by_environment=True) == offered


def test_nothing_is_offered_or_said_where_it_cannot_be_read(screen: Terminal) -> None:
    (screen.folder / "failoverd.yml").write_text("nonsense: [", encoding="utf-8")
    assert completed(screen, "status", "") == []
    (screen.folder / "failoverd.yml").unlink()
    assert completed(screen, "status", "") == []


def test_every_name_of_a_cluster_or_a_server_is_completed() -> None:
    named = {"cluster", "server", "servers", "to", "kill", "confirm"}
    for name, command in commands(main).items():
        for parameter in command.params:
            new = name == "import-mha"  # it names a cluster that is not there yet
            if parameter.name in named and not new and isinstance(parameter, (click.Argument, click.Option)):
                assert parameter._custom_shell_complete is not None, (name, parameter.name)
