"""Agents of other releases: whom a manager works with, and what it says of those that are not the one it came with.

A fleet is upgraded one host after another, so neighbours understand each other: a release serves all that the one
before could ask, and does without what the one before cannot answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failoverd import __version__
from failoverd.model.errors import AgentError

PROTOCOL = 1
OLD = "OLD"  # the code of an agent whose release is not ours, and with which this cannot be done
_WRONG_REQUEST = "BAD_REQUEST"  # the agent's own code
_UPGRADE = "failoverd agent install --upgrade, not during an operation"


def refused(hello: Mapping[str, Any], where: str) -> AgentError | None:
    """Why nothing is asked of an agent that greets so: its protocol is not ours nor a neighbour of it."""
    theirs = _protocol(hello)
    if theirs is not None and abs(theirs - PROTOCOL) <= 1:
        return None
    newer = theirs is not None and theirs > PROTOCOL
    age, hint = ("new", "upgrade this manager") if newer else ("old", _UPGRADE)
    return AgentError(f"the agent on {where} is too {age} for this manager", _both(hello), hint, code=OLD)


def difference(hello: Mapping[str, Any], sha256: str) -> str:
    """How an agent that is worked with differs from the one that this manager came with; empty where it is that one."""
    return "" if hello.get("sha256") == sha256 else _both(hello)


def too_old(hello: Mapping[str, Any], where: str, code: str, what: str) -> AgentError | None:
    """What it means that an agent of an earlier protocol finds a request wrong: it does not know it; None otherwise."""
    theirs = _protocol(hello)
    if code != _WRONG_REQUEST or theirs is None or theirs >= PROTOCOL:
        return None
    return AgentError(f"the agent on {where} is too old for this", what, _UPGRADE, code=OLD)


def _protocol(hello: Mapping[str, Any]) -> int | None:
    told = hello.get("protocol")
    return told if isinstance(told, int) and not isinstance(told, bool) else None


def _both(hello: Mapping[str, Any]) -> str:
    theirs = f"version {hello.get('version', '?')}, protocol {hello.get('protocol', '?')}"
    return f"{theirs}; ours is version {__version__}, protocol {PROTOCOL}"
