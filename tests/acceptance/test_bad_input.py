"""Bad input: one clear error with what, where and hint, the right exit code, and nothing changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from failoverd.lab import Lab, Options
from tests.acceptance.rehearsal import eventually, replication

Change = Callable[["Folder"], None]


@dataclass(frozen=True)
class Folder:
    """A copy of what people's commands read, to be spoiled; the lab keeps its own."""

    path: Path
    lab: Lab

    @property
    def config(self) -> Path:
        return self.path / "failoverd.yml"

    @property
    def known_hosts(self) -> Path:
        return self.path / "keys/known_hosts"

    @property
    def secret(self) -> Path:
        return self.path / "keys/mysql.secret"

    def root(self) -> dict[str, Any]:
        root: dict[str, Any] = yaml.safe_load(self.config.read_text(encoding="utf-8"))
        return root

    def write(self, root: dict[str, Any]) -> None:
        self.config.write_text(yaml.safe_dump(root), encoding="utf-8")

    def run(self, *words: str, user: int = 0) -> tuple[int, dict[str, Any], str]:
        """The exit code, the one document of `--json`, and what was said."""
        argv = [sys.executable, "-m", "failoverd", "-c", str(self.config), *words, "--json"]
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL, user=user
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout), done.stderr


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    one = Lab.up(Options(name=f"t{os.getpid()}-bad", replicas=2, zookeepers=0, managers=0))
    try:
        yield one
    finally:
        one.down()


@pytest.fixture
def folder(lab: Lab, tmp_path: Path) -> Iterator[Folder]:
    """A good configuration of one's own; afterwards every server must be as it was."""
    (tmp_path / "keys").mkdir()
    for key in (lab.folder / "keys").iterdir():
        if key.is_file():
            (tmp_path / "keys" / key.name).write_bytes(key.read_bytes())
            (tmp_path / "keys" / key.name).chmod(0o600)
    text = lab.config_path.read_text(encoding="utf-8").replace(f"{lab.folder}/keys", f"{tmp_path}/keys")
    one = Folder(tmp_path, lab)
    one.config.write_text(text, encoding="utf-8")
    before = state(lab)
    yield one
    assert state(lab) == before, "nothing may be changed"


def state(lab: Lab) -> dict[str, tuple[object, ...]]:
    wanted = "SELECT @@GLOBAL.gtid_executed, @@read_only, @@super_read_only, @@offline_mode"
    kept = ("Source_Host", "Replica_IO_Running", "Replica_SQL_Running")
    return {s: (*lab.sql(s, wanted), tuple(replication(lab, s).get(key) for key in kept)) for s in lab.servers}


def unknown_key(folder: Folder) -> None:
    root = folder.root()
    root["clusters"]["shop"]["failover"] = {"cooldwn": "1h"}
    folder.write(root)


def wrong_type(folder: Folder) -> None:
    root = folder.root()
    root["clusters"]["shop"]["servers"][0]["port"] = "many"
    folder.write(root)


def no_configuration(folder: Folder) -> None:
    folder.config.unlink()


def no_secret(folder: Folder) -> None:
    folder.secret.unlink()


def readable_secret(folder: Folder) -> None:
    folder.secret.chmod(0o644)


CONFIGURATIONS: tuple[tuple[Change, str, str], ...] = (
    (unknown_key, "clusters.shop.failover.cooldwn", "cooldown"),
    (wrong_type, "clusters.shop.servers[0].port", "whole number"),
    (no_configuration, "failoverd.yml", "-c"),
    (no_secret, "mysql.secret", "create it"),
    (readable_secret, "mysql.secret", "chmod 0600"),
)
COMMANDS = (("status",), ("failover", "shop", "--yes"))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize(("spoil", "where", "hint"), CONFIGURATIONS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_bad_configuration(folder: Folder, spoil: Change, where: str, hint: str, command: tuple[str, ...]) -> None:
    spoil(folder)
    code, document, said = folder.run(*command)
    assert code == 2
    assert where in said
    assert hint in said
    assert said.count("failoverd: ") == 1
    (complaint,) = document["errors"]
    assert where in f"{complaint['file']} {complaint['path']} {complaint['sentence']}"
    assert complaint["sentence"]
    assert complaint["hint"]


def test_a_secret_that_we_cannot_read(folder: Folder) -> None:
    """Root reads everything: another account runs the command, which owns the configuration but not the secret."""
    nobody = 65534
    for place in (folder.path, *folder.path.parents):
        if place.stat().st_uid == 0 and place != Path("/") and not place.stat().st_mode & 0o001:
            place.chmod(place.stat().st_mode | 0o011)
    for place in (folder.config, folder.path / "keys", folder.path / "keys/repl.secret"):
        os.chown(place, nobody, nobody)
    code, document, said = folder.run("status", user=nobody)
    assert code == 2
    (complaint,) = (c for c in document["errors"] if "mysql.secret" in c["sentence"])
    assert complaint["sentence"] in said
    assert "owner" in complaint["hint"]


@pytest.mark.parametrize(
    ("words", "named", "hint"),
    [
        (("status", "shoe"), "shoe", "shop"),
        (("plan", "shoe"), "shoe", "shop"),
        (("failover", "shoe", "--yes"), "shoe", "shop"),
        (("plan", "shop", "--kill", "db9"), "db9", "db1"),
        (("failover", "shop", "--to", "db9", "--yes"), "db9", "db1"),
    ],
    ids=lambda one: "-".join(one) if isinstance(one, tuple) else "",
)
def test_an_unknown_name(folder: Folder, words: tuple[str, ...], named: str, hint: str) -> None:
    code, document, said = folder.run(*words)
    assert code == 2
    assert named in document["error"]["what"]
    assert hint in said
    assert "hint: " in said


def found(document: dict[str, Any], server: str) -> dict[str, tuple[str, str, str]]:
    """The findings about one server: severity, sentence and hint by id."""
    mine = [f for f in document["findings"] if f["server"] == server]
    return {f["id"]: (f["severity"], f["sentence"], f["hint"]) for f in mine}


def test_a_host_key_that_does_not_match(folder: Folder) -> None:
    lines = folder.known_hosts.read_text(encoding="utf-8").splitlines()
    addresses = [line.split()[0] for line in lines]
    keys = [line.split(None, 1)[1] for line in lines]
    swapped = [f"{address} {key}" for address, key in zip(addresses, [keys[1], keys[1], keys[2]], strict=True)]
    folder.known_hosts.write_text("\n".join(swapped) + "\n", encoding="utf-8")
    code, document, _ = folder.run("check", "shop")
    assert code == 1
    _, sentence, hint = found(document, "db1")["agent-unreachable"]
    assert "host key" in sentence
    assert folder.lab.hosts["db1"].address in sentence
    assert "known_hosts" in hint
    assert "agent-unreachable" not in found(document, "db2")


def test_a_wrong_password(folder: Folder) -> None:
    folder.secret.write_text("not the password\n", encoding="utf-8")
    code, document, _ = folder.run("status", "shop")
    (cluster,) = document["clusters"]
    assert (code, cluster["verdict"]) == (1, "blind")
    assert "access denied" in cluster["sentence"]
    code, document, _ = folder.run("check", "shop")
    assert code == 1
    for server in folder.lab.servers:
        severity, sentence, hint = found(document, server)["access-denied"]
        assert (severity, server in sentence, "account" in hint) == ("error", True, True)
    code, _, said = folder.run("failover", "shop", "--yes")
    assert code == 1
    assert "hint: " in said


def test_servers_that_follow_one_which_is_not_listed(folder: Folder) -> None:
    root = folder.root()
    stranger = root["clusters"]["shop"]["servers"].pop(0)
    folder.write(root)
    code, document, _ = folder.run("check", "shop")
    assert code == 1
    for server in ("db2", "db3"):
        severity, sentence, hint = found(document, server)["wrong-source"]
        assert (severity, "not listed" in sentence, "listed server" in hint) == ("error", True, True)
        assert stranger["host"] in sentence
    code, document, _ = folder.run("status", "shop")
    (cluster,) = document["clusters"]
    assert (code, cluster["verdict"], cluster["primary"]) == (1, "inconsistent", None)
    code, document, said = folder.run("failover", "shop", "--yes")
    assert code == 1
    assert document["error"]["what"]
    assert "hint: " in said


def test_a_server_without_gtid_mode(folder: Folder) -> None:
    lab = folder.lab
    source = "CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION = {} FOR CHANNEL ''; "
    begun = "START REPLICA FOR CHANNEL ''; "
    lab.sql(
        "db3",
        "STOP REPLICA FOR CHANNEL ''; "
        + source.format(0)
        + "; ".join(f"SET GLOBAL gtid_mode = {mode}" for mode in ("ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF")),
    )
    try:
        before = state(lab)
        code, document, _ = folder.run("check", "shop")
        assert code == 1
        severity, sentence, hint = found(document, "db3")["gtid-mode-off"]
        assert (severity, "db3" in sentence, bool(hint)) == ("error", True, True)
        assert "gtid-mode-off" not in found(document, "db2")
        assert state(lab) == before
    finally:
        modes = "; ".join(f"SET GLOBAL gtid_mode = {mode}" for mode in ("OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"))
        lab.sql("db3", modes + "; " + source.format(1) + begun)
        eventually(lambda: replication(lab, "db3")["Replica_IO_Running"], lambda word: word == "Yes", "db3 as it was")


def test_a_replica_that_is_not_listed(folder: Folder) -> None:
    root = folder.root()
    del root["clusters"]["shop"]["servers"][2]
    folder.write(root)
    code, document, _ = folder.run("check", "shop")
    assert code == 1
    stranger = folder.lab.hosts["db3"].address
    said = [f for f in document["findings"] if f["severity"] != "ok" and stranger in f["sentence"]]
    assert said, [f["sentence"] for f in document["findings"]]
    assert all(f["hint"] for f in said)
