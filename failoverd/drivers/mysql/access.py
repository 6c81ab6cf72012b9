"""How servers are reached and how replicas log in to their sources: plain values out of the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from failoverd.model.sight import Endpoint

Tls = Literal["off", "preferred", "required", "verify", "verify-identity"]


def insists(tls: Tls) -> bool:
    """Whether nothing may be said without encryption."""
    return tls not in {"off", "preferred"}


@dataclass(frozen=True, slots=True)
class ServerAccess:
    """One member of a cluster and the manager's account there.

    `tls` verify: the chain must lead to `ca_file`, names are not compared (MySQL's own certificates name no host).
    verify-identity: the certificate must also name the host as it is listed; without a `ca_file` the system's
    authorities are asked. `admin_port` is tried when the ordinary port is out of connections. Semi-sync is read where
    the cluster is `lossless`. The password is never shown.
    """

    cluster: str
    name: str
    endpoint: Endpoint
    user: str
    password: str = field(repr=False)
    tls: Tls = "preferred"
    ca_file: str = ""
    admin_port: int | None = None
    lossless: bool = False

    @property
    def where(self) -> str:
        """The server as messages name it."""
        return f"{self.name} ({self.endpoint})"


@dataclass(frozen=True, slots=True)
class ReplicationAccess:
    """How the replicas of one cluster log in, and their timing; seconds. Timing is set only when `tune`."""

    user: str
    password: str = field(repr=False)
    tls: Tls = "preferred"
    ca_file: str = ""
    connect_retry: float = 1.0
    retry_count: int = 100000
    heartbeat: float = 0.5
    net_timeout: float = 10.0
    tune: bool = True
