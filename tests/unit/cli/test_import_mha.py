"""MHA's configuration at the command line: ours to standard output, the account to standard error."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.unit.cli.stand_in import StandIn, document, terminal

APP = (
    "[server default]\nuser=admin\npassword=m-canary\n[server1]\nhostname=db1\n[server2]\nhostname=db2\nignore_fail=1\n"
)


def written(folder: Path) -> str:
    file = folder / "app1.cnf"
    file.write_text(APP)
    return str(file)


def test_the_configuration_and_the_account_go_different_ways(tmp_path: Path) -> None:
    result = terminal(tmp_path).call(StandIn(), "import-mha", written(tmp_path), "--cluster", "shop")
    assert result.exit_code == 0
    assert list(yaml.safe_load(result.stdout)["clusters"]) == ["shop"]
    for words in (
        "user -> mysql.user: ",
        "password -> mysql.password_file: ",
        "not needed: 1",
        "  ignore_fail: a dead",
    ):
        assert words in result.stderr
    assert "m-canary" not in result.stdout + result.stderr


def test_one_document(tmp_path: Path) -> None:
    result = terminal(tmp_path).call(StandIn(), "import-mha", written(tmp_path), "--json")
    shown = document(result)
    parameters, config = shown["parameters"], shown["config"]
    assert isinstance(parameters, list)
    assert isinstance(config, dict)
    assert [row["name"] for row in parameters] == ["user", "password", "hostname", "hostname", "ignore_fail"]
    assert parameters[1]["value"] == "(hidden)"
    assert list(config["clusters"]) == ["app1"]


def test_a_wrong_file_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "bad.cnf").write_text("[server1]\nhostnam=db1\n")
    result = terminal(tmp_path).call(StandIn(), "import-mha", str(tmp_path / "bad.cnf"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "bad.cnf:2: [server1].hostnam: is no parameter of MHA 0.58" in result.stderr
