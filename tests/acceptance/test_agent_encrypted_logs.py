"""Logs that a real server encrypts with a key of its own: recognised, named, and never taken for empty ones."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from failoverd.agent.build import build
from tests.acceptance.agent_process import AgentProcess
from tests.acceptance.real_mysqld import RealMysqld, mysqld_command

KEYRING = "component_keyring_file"


class Encrypting(RealMysqld):
    """A mysqld beside whose program a manifest asks for the keyring component; so it is a program of its own."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, 1, extra=("--binlog-encryption=ON",))
        command = mysqld_command()
        (self._program,) = (word for word in command if word.endswith("/mysqld"))
        self._own = home.with_name("program") / "mysqld"
        self._own.parent.mkdir()
        shutil.copy(self._program, self._own)
        (self._own.parent / "mysqld.my").write_text(f'{{"components": "file://{KEYRING}"}}')
        # where no plug-in directory is named, it is the one beside the program
        named = [word.partition("=")[2] for word in command if word.startswith("--plugin-dir=")]
        plugins = Path(named[0]) if named else Path(self._program).parents[1] / "lib/plugin"
        self._plugins = home.with_name("plugins")
        self._plugins.mkdir()
        (self._plugins / f"{KEYRING}.so").symlink_to(plugins / f"{KEYRING}.so")
        keys = f'{{"path": "{home.with_name("keys")}", "read_only": false}}'
        (self._plugins / f"{KEYRING}.cnf").write_text(keys)

    def command(self) -> list[str]:
        words = [str(self._own) if word == self._program else word for word in super().command()]
        return [*words, f"--plugin-dir={self._plugins}"]


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="failoverd-encrypted-", dir="/dev/shm"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def test_encrypted_binary_logs_are_recognised_and_nothing_of_them_is_promised(home: Path) -> None:
    server = Encrypting(home / "server")
    RealMysqld(home / "template", 9).initialise()
    server.initialise(home / "template/data")
    server.start()
    try:
        server.rows("SET GLOBAL binlog_encryption = OFF", "CREATE DATABASE t")
        plain = server.executed()
        server.rows("SET GLOBAL binlog_encryption = ON", "CREATE TABLE t.a (id INT PRIMARY KEY)")
        everything = server.executed()
        build(home / "agent.pyz")
        agent = AgentProcess(home / "agent.pyz", home / "agent")
        agent.call("remember", server.facts("db1"))
        server.kill()
        found = agent.call("scan", {"server": "db1", "kind": "binary", "lacking": ""})
        assert {fault["code"] for fault in found["faults"]} == {"ENCRYPTED"}
        assert all(fault["what"].endswith("is encrypted") for fault in found["faults"])
        assert all("keyring" in fault["detail"] for fault in found["faults"])
        assert plain != everything
        assert found["missing"] == plain, "what was written in the clear is found, and nothing more is promised"
        answer = agent.call("extract", {"server": "db1", "kind": "binary", "wanted": everything})
        assert (answer["gtids"], answer["transactions"]) == (plain, 1)
        agent.close()
    finally:
        server.kill()
