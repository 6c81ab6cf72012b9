"""MHA's files become ours: what is mapped, what is accounted for, and what is refused with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from failoverd.config.complaints import ConfigErrors
from failoverd.config.mha import Imported, import_mha
from failoverd.config.mha_parameters import PARAMETERS, Fate
from tests.unit.config.folder import prepared

PAGE = Path(__file__).parents[3] / "docs/from-mha.md"
COMMON = """\
# for all applications
[server default]
user=mha
password=m-canary
ssh_user=mysql
ping_interval=1
"""
APP = """\
[server default]
repl_user = repl
repl_password = r-canary
user=admin
ssh_port=2222
log_level=debug

[server1]
hostname=db1.example.net
candidate_master=1

[server2]
hostname=db2.example.net
ip=10.0.0.2
port=3307
ssh_port=22

; the reporting one
[server3]
hostname=db3.example.net
no_master=1
candidate_master=1

[binlog1]
hostname=db1.example.net
"""


def imported(folder: Path, app: str, common: str = "") -> Imported:
    file, other = folder / "shop.cnf", folder / "masterha_default.cnf"
    file.write_text(app)
    other.write_text(common)
    return import_mha(file, other if common else None)


def test_an_application_becomes_a_cluster(tmp_path: Path) -> None:
    assert imported(tmp_path, APP, COMMON).config == {
        "manager": {"log_level": "debug"},
        "mysql": {"user": "admin"},
        "replication": {"user": "repl"},
        "ssh": {"user": "mysql", "port": 2222},
        "clusters": {
            "shop": {
                "servers": [
                    {"name": "db1", "host": "db1.example.net", "promote": "prefer"},
                    {"name": "db2", "host": "10.0.0.2", "port": 3307, "ssh": {"port": 22}},
                    {"name": "db3", "host": "db3.example.net", "promote": "never"},
                ]
            }
        },
    }


def test_what_is_printed_is_a_configuration_without_secrets(tmp_path: Path) -> None:
    made = imported(tmp_path, APP, COMMON)
    assert "canary" not in made.text()
    assert "# by hand: [server default] repl_password = (hidden): " in made.text()
    document = yaml.safe_load(made.text())
    document["mysql"]["password_file"] = "mysql.secret"
    document["replication"]["password_file"] = "repl.secret"
    document["ssh"] |= {"key_file": "id", "known_hosts": "known_hosts"}
    folder = prepared(tmp_path)
    config = folder.load(yaml.safe_dump(document)).config
    assert [server.name for server in config.clusters["shop"].servers] == ["db1", "db2", "db3"]
    assert config.access("shop", "db2").ssh.port == 22


def test_hosts_that_share_their_first_label_are_told_apart(tmp_path: Path) -> None:
    app = "[server1]\nhostname=db.a.example\n[server2]\nhostname=db.b.example\nport=3307\n"
    (cluster,) = imported(tmp_path, app).config["clusters"].values()
    assert [server["name"] for server in cluster["servers"]] == ["db.a.example-3306", "db.b.example-3307"]


@pytest.mark.parametrize(
    ("app", "line", "words"),
    [
        ("[server1]\nhostname=db1\nhostnam=db2\n", 3, "no parameter of MHA"),
        ("user=x\n[server1]\nhostname=db1\n", 1, "before the first section"),
        ("[server1]\nhostname=db1\nnonsense\n", 3, "neither"),
        ("[server1]\nhostname=db1\nport=33o6\n", 3, "no number"),
        ("[server1]\nhostname=db1\nno_master=yes\n", 3, "neither 0 nor 1"),
        ("[server1]\nport=3306\n", 1, "no hostname"),
        ("[server default]\nuser=x\n", 1, "no [serverN]"),
        ("[server1]\nhostname=db1\n[server2]\nhostname=db1\n", 1, "a server twice"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, app: str, line: int, words: str) -> None:
    with pytest.raises(ConfigErrors) as raised:
        imported(tmp_path, app)
    (complaint,) = raised.value.complaints
    assert (complaint.place.line, words in complaint.sentence) == (line, True), complaint


def test_a_file_that_is_not_there_and_a_name_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="cannot be read"):
        import_mha(tmp_path / "none.cnf", None)
    (tmp_path / "shop.cnf").write_text(APP)
    with pytest.raises(ConfigErrors, match="--cluster"):
        import_mha(tmp_path / "shop.cnf", None, "no name")


def test_every_parameter_has_one_fate_and_a_row_in_the_page() -> None:
    names = [parameter.name for parameter in PARAMETERS]
    assert len(set(names)) == len(names) == 42
    assert all(parameter.key for parameter in PARAMETERS if parameter.fate is Fate.MAPPED)
    rows = re.findall(
        r"^\| `(\w+)` \| ([a-z ]+) \| (?:`([^`]+)`)? ?\| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert rows == [(p.name, str(p.fate), p.key, p.sentence) for p in PARAMETERS]
