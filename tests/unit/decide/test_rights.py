"""What agents say of their rights, as findings: proven, missing, or not known because a deadline has passed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from failoverd.decide.rights import AGAIN, DOOR, SETTINGS, SSHD, door_finding, rights_findings
from failoverd.model.errors import AgentError, TimedOut
from failoverd.model.finding import Finding, Severity


def only(answer: Mapping[str, Any] | Exception) -> Finding:
    (found,) = rights_findings("shop", "db1", answer)
    return found


@pytest.mark.parametrize(
    ("why", "id_", "severity", "sentence", "hint"),
    [
        ("", "agent-right", Severity.OK, "kill: proven", ""),
        ("denied", "agent-right", Severity.ERROR, "the agent of db1 lacks the right kill: denied", DOOR),
        (
            "unknown: not done within 5 s",
            "agent-unproven",
            Severity.WARNING,
            "whether the agent of db1 has the right kill is not known: not done within 5 s",
            AGAIN,
        ),
    ],
)
def test_a_right_is_there_or_missing_or_not_known(
    why: str, id_: str, severity: Severity, sentence: str, hint: str
) -> None:
    found = only({"rights": [{"right": "kill", "why": why}]})
    assert (found.id, found.severity, found.sentence, found.hint) == (id_, severity, sentence, hint)


@pytest.mark.parametrize(
    ("why", "id_", "severity", "sentence"),
    [
        ("", "host-setting", Severity.OK, "replication.ca_file: found"),
        ("gone", "host-setting", Severity.ERROR, "replication.ca_file is not so on the host of db1: gone"),
        (
            "unknown: denied",
            "agent-unproven",
            Severity.WARNING,
            "whether the agent of db1 has what replication.ca_file names on its host is not known: denied",
        ),
    ],
)
def test_a_setting_is_true_of_its_host_or_not_or_not_known(
    why: str, id_: str, severity: Severity, sentence: str
) -> None:
    found = only({"rights": [], "settings": [{"key": "replication.ca_file", "why": why}]})
    assert (found.id, found.severity, found.sentence) == (id_, severity, sentence)
    assert found.hint == (SETTINGS["replication.ca_file"] if why else "")


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (AgentError("no answer", code="TIMEOUT"), AGAIN),
        (TimedOut("no answer"), AGAIN),
        (AgentError("refused", code="UNREACHABLE"), SSHD),
    ],
)
def test_whoever_is_late_is_asked_again(error: Exception, hint: str) -> None:
    assert (only(error).id, only(error).hint) == ("agent-unreachable", hint)


def test_a_busy_host_is_no_finding_against_the_rights_of_its_agent() -> None:
    assert door_finding("shop", "db1", "missing: sudo: a password is required").id == "agent-door"
    late = door_finding("shop", "db1", "unknown: sudo has not answered within 1 s")
    assert (late.id, late.severity, late.hint) == ("agent-unproven", Severity.WARNING, AGAIN)
    assert late.sentence == (
        "whether the agent of db1 may fence and splice is not known: sudo has not answered within 1 s"
    )
