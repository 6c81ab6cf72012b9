"""What an agent may do on its host: each right it was asked to prove, as a finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from failoverd.model.finding import Finding, Severity

DOOR = "give its account the sudo rule that `failoverd agent install` prints, and the group of mysqld"


def rights_findings(cluster: str, server: str, answer: Mapping[str, Any] | Exception) -> Iterator[Finding]:
    """One finding for each right, or one for an agent that could not be asked."""
    if isinstance(answer, Exception):
        yield Finding("agent-unreachable", cluster, server, str(answer), "look at sshd there and at the ssh section")
        return
    for right in answer["rights"]:
        name, why = str(right["right"]), str(right["why"] or "")
        if why:
            yield Finding("agent-right", cluster, server, f"the agent of {server} lacks the right {name}: {why}", DOOR)
        else:
            yield Finding("agent-right", cluster, server, f"{name}: proven", severity=Severity.OK)
