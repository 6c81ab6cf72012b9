"""What an agent may do on its host: each right it was asked to prove, as a finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from failoverd.model.errors import AgentError, TimedOut
from failoverd.model.finding import Finding, Severity

DOOR = "give its account the sudo rule that `failoverd agent install` prints, and the group of mysqld"
SSHD = "look at sshd there and at the ssh section"
AGAIN = "its host may just be busy: try again; if it stays so, look at the load and at sudo there"
# How an agent begins the reason for which it could not prove a right that may be there: a deadline has passed.
UNKNOWN = "unknown: "

# What to do where a setting names what its host has not.
SETTINGS: Mapping[str, str] = {
    "mysqld.service": "name the unit that runs this mysqld, or leave it out: the agent's guard holds it then",
    "replication.ca_file": "put it there, readable for mysqld: without it a replica there connects to no source",
}


def rights_findings(cluster: str, server: str, answer: Mapping[str, Any] | Exception) -> Iterator[Finding]:
    """One finding for each right and each setting of its host, or one for an agent that could not be asked."""
    if isinstance(answer, Exception):
        yield _unasked(cluster, server, answer)
        return
    for setting in answer.get("settings", ()):
        yield _setting(cluster, server, str(setting["key"]), str(setting["why"]))
    for right in answer["rights"]:
        name, why = str(right["right"]), str(right["why"] or "")
        if why.startswith(UNKNOWN):
            yield not_known(cluster, server, f"has the right {name}", why)
        elif why:
            yield Finding("agent-right", cluster, server, f"the agent of {server} lacks the right {name}: {why}", DOOR)
        else:
            yield Finding("agent-right", cluster, server, f"{name}: proven", severity=Severity.OK)


def _setting(cluster: str, server: str, key: str, why: str) -> Finding:
    if not why:
        return Finding("host-setting", cluster, server, f"{key}: found", severity=Severity.OK)
    if why.startswith(UNKNOWN):
        return not_known(cluster, server, f"has what {key} names on its host", why, SETTINGS.get(key, ""))
    return Finding(
        "host-setting", cluster, server, f"{key} is not so on the host of {server}: {why}", SETTINGS.get(key, "")
    )


def door_finding(cluster: str, server: str, door: str) -> Finding:
    """What an agent says of its door that is not open: closed for want of a right, or not open in time."""
    if door.startswith(UNKNOWN):
        return not_known(cluster, server, "may fence and splice", door)
    sentence = f"the agent of {server} may read but not fence or splice: {door}"
    return Finding("agent-door", cluster, server, sentence, "the sudoers line that failoverd agent install prints")


def not_known(cluster: str, server: str, what: str, why: str, hint: str = AGAIN) -> Finding:
    """Nobody could see it, mostly because a deadline has passed: that says nothing about anybody's rights."""
    sentence = f"whether the agent of {server} {what} is not known: {why.removeprefix(UNKNOWN)}"
    return Finding("agent-unproven", cluster, server, sentence, hint, Severity.WARNING)


def _unasked(cluster: str, server: str, error: Exception) -> Finding:
    late = isinstance(error, TimedOut) or (isinstance(error, AgentError) and error.code == "TIMEOUT")
    return Finding("agent-unreachable", cluster, server, str(error), AGAIN if late else SSHD)
