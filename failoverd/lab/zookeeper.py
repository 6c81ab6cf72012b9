"""A ZooKeeper member: its configuration and its trimmed Java process."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Sequence

from failoverd.lab import keeping
from failoverd.lab.keeping import Service
from failoverd.lab.layout import Host
from failoverd.lab.software import ZOOKEEPER_JARS

TICK_MS = 200
# A small heap, one compiler and one collector: a member needs 60 MB and starts in about a second.
_TRIM = (
    "-Xmx48m",
    "-Xms16m",
    "-Xss256k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:ReservedCodeCacheSize=16m",
)


def configuration_text(host: Host, members: Sequence[Host]) -> str:
    """The member's zoo.cfg; one member alone runs standalone."""
    lines = [
        f"tickTime={TICK_MS}",
        f"dataDir={host.disk / 'zookeeper'}",
        "clientPort=2181",
        "maxClientCnxns=0",
        "maxSessionTimeout=60000",
        "initLimit=50",
        "syncLimit=25",
        "admin.enableServer=false",
        "4lw.commands.whitelist=ruok,srvr,mntr",
    ]
    if len(members) > 1:
        lines += [f"server.{member.number}={member.address}:2888:3888" for member in members]
    return "\n".join(lines) + "\n"


def service(host: Host) -> Service:
    """The member as a service of its host."""
    return Service(
        name="zookeeper",
        argv=(
            shutil.which("java") or "/usr/bin/java",
            *_TRIM,
            "-Xshare:auto",
            "-Dzookeeper.preAllocSize=1024",
            "-cp",
            ":".join(ZOOKEEPER_JARS),
            "org.apache.zookeeper.server.quorum.QuorumPeerMain",
            str(host.folder / "zoo.cfg"),
        ),
        user=host.user,
        cwd=str(host.folder / "disk"),
        log=str(host.log / "zookeeper.log"),
    )


def serves(host: Host) -> bool:
    """Whether the member answers requests, which it does only in a quorum."""
    try:
        with socket.create_connection((host.address, 2181), timeout=1.0) as connection:
            connection.settimeout(1.0)
            connection.sendall(b"srvr")
            said = connection.recv(4096)
    except OSError:
        return False
    return said.startswith(b"Zookeeper version")


def wait_for_start(host: Host) -> None:
    """Wait until the member serves; FailoverdError with the end of its log."""
    keeping.wait_for_service(host, "zookeeper", lambda: serves(host), log=host.log / "zookeeper.log", deadline=60.0)
