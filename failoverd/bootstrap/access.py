"""How each server, agent and replication account is reached, from the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from failoverd.config.install import Install
from failoverd.config.schema import Access, Config
from failoverd.drivers.mysql.access import ReplicationAccess, ServerAccess
from failoverd.drivers.ssh.access import Account, AgentAccess
from failoverd.drivers.ssh.connection import SshAccess
from failoverd.drivers.ssh.install import Order


def mysql_accesses(config: Config) -> tuple[tuple[ServerAccess, ...], dict[str, ReplicationAccess]]:
    """How the manager logs in to every server, and how the replicas of each cluster do."""
    accesses = tuple(_accesses(config))
    servers = tuple(server_access(access, config.policy(access.cluster).lossless) for access in accesses)
    return servers, {access.cluster: replication_access(access) for access in accesses}


def agent_accesses(config: Config) -> tuple[AgentAccess, ...]:
    """How the agent of every server is reached."""
    return tuple(agent_access(config, access) for access in _accesses(config))


def _accesses(config: Config) -> Iterator[Access]:
    return (config.access(name, server.name) for name, found in config.clusters.items() for server in found.servers)


def server_access(access: Access, lossless: bool) -> ServerAccess:
    """How the manager logs in to one server."""
    mysql = access.mysql
    return ServerAccess(
        cluster=access.cluster,
        name=access.server,
        endpoint=access.endpoint,
        user=mysql.user,
        password=mysql.password_file.reveal(),
        tls=mysql.tls,
        ca_file=path(mysql.ca_file),
        admin_port=mysql.admin_port,
        lossless=lossless,
    )


def replication_access(access: Access) -> ReplicationAccess:
    """How the replicas of a cluster log in to their source."""
    section = access.replication
    return ReplicationAccess(
        user=section.user,
        password=section.password_file.reveal(),
        tls=section.tls,
        ca_file=section.ca_file or "",
        connect_retry=section.connect_retry,
        retry_count=section.retry_count,
        heartbeat=section.heartbeat,
        net_timeout=section.net_timeout,
        tune=section.tune,
    )


def agent_access(config: Config, access: Access) -> AgentAccess:
    """How the agent on one server's host is reached."""
    ssh, failover = access.ssh, config.cluster(access.cluster).failover
    return AgentAccess(
        cluster=access.cluster,
        server=access.server,
        ssh=SshAccess(access.endpoint.host, ssh.user, ssh.key_file, ssh.known_hosts, ssh.port),
        endpoint=access.endpoint,
        account=Account(access.mysql.user, access.mysql.password_file.reveal(), access.mysql.tls),
        dir=access.agent.dir,
        datadir=access.mysqld.datadir,
        hold=access.hold,
        salvage_timeout=failover.salvage_timeout,
        fencing_timeout=failover.fencing_timeout,
        vip=config.cluster(access.cluster).traffic.policy.vip,
        ca_file=access.replication.ca_file,
    )


def order_for(config: Config, install: Install, server: str) -> Order:
    """Where the agent of one server is put, and by which login."""
    access = config.access(install.cluster, server)
    agent = agent_access(config, access)
    section, key = access.agent, install.key or access.agent.install_key_file or access.ssh.key_file
    login = replace(agent.ssh, user=install.user or section.install_user, key_file=key)
    return Order(agent, login, install.write_key, install.upgrade)


def path(file: Path | None) -> str:
    """A file's name, empty where there is none."""
    return "" if file is None else str(file)
