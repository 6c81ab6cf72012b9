"""Transactions out of a host's logs, as pieces of whole log files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from failoverd.agent.binlog.delta import DeltaReader
from failoverd.agent.faults import Fault
from failoverd.drivers.ssh.agent_client import AgentChannel
from failoverd.drivers.ssh.answers import fault_words
from failoverd.drivers.ssh.asking import Ask
from failoverd.model.errors import AgentError

Take = Callable[[bool, bytes], None]  # whether a new file begins, and bytes of it


def unheard(done: int, total: int) -> None:
    """Nobody wants to hear how far a copy has come."""


def copied_out(
    channel: AgentChannel, args: Mapping[str, Any], cluster: str, idle: float, take: Take
) -> tuple[str, ...]:
    """Hand over what the agent sends for `args`; what it could not read, in words. `idle` bounds the seconds without
    any bytes. Raises AgentError.
    """
    pieces, reader = channel.download(Ask("extract", {**args, "kind": "both"}, cluster), idle, unheard), DeltaReader()
    try:
        for data in pieces:
            for begins, piece in reader.feed(data):
                take(begins, piece)
        reader.finish()
    except Fault as fault:
        raise AgentError(f"the agent on {channel.access} speaks nonsense", str(fault), code="PROTOCOL") from fault
    return fault_words(pieces.result)
