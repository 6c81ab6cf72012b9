"""What agents and SSH say, in our nouns and words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import paramiko
import pytest

from failoverd.drivers.ssh.access import Account, AgentAccess, serve_command
from failoverd.drivers.ssh.answers import fence_proof, host_facts, silence
from failoverd.drivers.ssh.connection import SshAccess, translated
from failoverd.drivers.ssh.install import sudoers_line
from failoverd.model.errors import AgentError
from failoverd.model.sight import Endpoint

ACCESS = SshAccess("db1.example", "failoverd-agent", Path("/k"), Path("/known"), 2222)


def told(alive: bool, *, orderly: bool = False, error_log: str = "") -> dict[str, Any]:
    return {
        "mysqld": {"alive": alive, "pids": [7] if alive else [], "state": "S" if alive else "", "how": "lock"},
        "server_uuid": "u",
        "disk": {"free": 5, "total": 9, "read_only": True},
        "remembered": {"log_error": error_log},
        "fenced": {"epoch": 4},
        "orderly": orderly,
    }


@pytest.mark.parametrize(
    ("alive", "orderly", "error_log", "known"),
    [
        (True, False, "/log", None),
        (False, True, "/log", True),
        (False, False, "/log", False),
        (False, False, "", None),
    ],
    ids=["a living one has not ended", "ended in order", "ended otherwise", "nobody knows where its log is"],
)
def test_how_it_ended_is_known_only_from_a_log(alive: bool, orderly: bool, error_log: str, known: bool | None) -> None:
    hello = {"door": "ok", "version": "1", "protocol": 7, "sha256": "theirs"}
    facts = host_facts("db1", told(alive, orderly=orderly, error_log=error_log), 9, 1.0, hello, "ours")
    assert facts.release.startswith("version 1, protocol 7; ours is version ")
    assert facts.orderly is known
    assert (facts.fenced_epoch, facts.highest_epoch, facts.disk_free, facts.disk_read_only) == (4, 9, 5, True)


def test_a_fence_without_proof_says_unfenced_and_why() -> None:
    left = fence_proof("db1", {"proven": False, "killed": [1], "left": [2], "hold": {"how": "guard", "problem": ""}})
    assert (left.how, left.proven) == ("UNFENCED", False)
    assert "[2]" in left.hold
    shut = fence_proof("db1", {"proven": False, "killed": [], "hold": {"how": "guard", "problem": "no sudo"}})
    assert shut.hold == "no sudo"
    good = fence_proof("db1", {"proven": True, "killed": [1], "hold": {"how": "guard"}})
    assert good.proven
    assert "killed" in good.how
    assert not fence_proof("db1", {}).proven


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TimeoutError("timed out"), "TIMEOUT"),
        (paramiko.SSHException("Error reading SSH protocol banner"), "TIMEOUT"),
        (paramiko.SSHException("Timeout opening channel."), "TIMEOUT"),
        (paramiko.AuthenticationException("Authentication failed."), "AUTH"),
        (ConnectionRefusedError(111, "Connection refused"), "UNREACHABLE"),
        (EOFError(), "UNREACHABLE"),
    ],
)
def test_errors_of_ssh_have_a_code_a_host_and_a_hint(error: Exception, code: str) -> None:
    found = translated(error, ACCESS)
    assert found.code == code
    assert "db1.example:2222" in found.what
    assert found.hint


def test_silence_has_the_published_words() -> None:
    words = {code: silence(AgentError("x", code=code)) for code in ("MISSING", "OLD", "TIMEOUT", "HOST_KEY")}
    assert words == {"MISSING": "missing", "OLD": "old", "TIMEOUT": "unreachable", "HOST_KEY": "unreachable"}


def test_commands_and_rules_name_the_folder_safely() -> None:
    assert serve_command("/opt/a b") == "/usr/bin/python3 -I -S '/opt/a b'/failoverd-agent.pyz serve --dir '/opt/a b'"
    agent = AgentAccess("shop", "db1", ACCESS, Endpoint("db1", 3306), Account("u", "canary"), "/opt/agent")
    assert sudoers_line(agent).startswith("failoverd-agent ALL=(root) NOPASSWD: /usr/bin/python3 -I -S /opt/agent/")
    assert "canary" not in repr(agent)
