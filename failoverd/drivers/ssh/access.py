"""How one agent is reached, and what it is told of its server."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from failoverd.drivers.ssh.connection import SshAccess
from failoverd.model.sight import Endpoint
from failoverd.model.traffic import Vip

ZIPAPP = "failoverd-agent.pyz"


@dataclass(frozen=True, slots=True)
class Account:
    """How a probe logs into a server; the password lives in memory only."""

    user: str
    password: str = field(repr=False)
    tls: str = "preferred"


@dataclass(frozen=True, slots=True)
class AgentAccess:
    """One server and the agent on its host. `hold` is how a fence keeps mysqld from coming back; times are seconds."""

    cluster: str
    server: str
    ssh: SshAccess
    endpoint: Endpoint
    account: Account
    dir: str = "/var/lib/failoverd-agent"
    datadir: str | None = None
    hold: str = "guard"
    salvage_timeout: float = 30.0
    fencing_timeout: float = 3.0
    vip: Vip | None = None
    ca_file: str | None = None

    @property
    def settings(self) -> dict[str, str]:
        """What the configuration says of files and units of this host; nothing of what it does not name."""
        _, _, unit = self.hold.partition("systemd:")
        named = {"unit": unit, "ca_file": self.ca_file or ""}
        return {key: value for key, value in named.items() if value}

    @property
    def command(self) -> str:
        """What starts the agent; a forced command does so whatever is asked for."""
        return serve_command(self.dir)


def serve_command(folder: str) -> str:
    """The command that an SSH key is bound to."""
    quoted = shlex.quote(folder)
    return f"/usr/bin/python3 -I -S {quoted}/{ZIPAPP} serve --dir {quoted}"
