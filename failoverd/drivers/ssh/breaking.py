"""The faults of a drill over SSH: each is one question to one agent, on a connection of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failoverd.drivers.ssh.access import AgentAccess
from failoverd.drivers.ssh.agent_client import AgentChannel
from failoverd.drivers.ssh.asking import Ask
from failoverd.drivers.ssh.connection import connect

_TIME = 15.0


def break_server(access: AgentAccess, fault: str, server_uuid: str, seconds: float, epoch: int) -> None:
    """Let the agent do it; it ends by itself after that many seconds. Raises AgentError."""
    args: dict[str, Any] = {"server": access.server, "datadir": access.datadir, "server_uuid": server_uuid}
    args |= {"fault": fault, "port": access.endpoint.port, "seconds": max(1, round(seconds))}
    _asked(access, Ask("break", args, access.cluster, epoch))


def mend_server(access: AgentAccess) -> bool:
    """End a fault there now; whether there was one. Raises AgentError."""
    return bool(_asked(access, Ask("mend", {"server": access.server}, access.cluster))["ended"])


def _asked(access: AgentAccess, ask: Ask) -> Mapping[str, Any]:
    client = connect(access.ssh)
    channel = AgentChannel(client, access.ssh, access.command)
    try:
        return channel.call(ask, _TIME)
    finally:
        channel.close()
