"""The drivers of a configuration, built once and changed by a reload."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from failoverd.bootstrap.access import agent_accesses, mysql_accesses, path
from failoverd.config.difference import until_restart
from failoverd.config.schema import Config
from failoverd.drivers.clock import SystemClock
from failoverd.drivers.control import SocketRooms
from failoverd.drivers.divergence import DivergenceFiles
from failoverd.drivers.failpoint import VARIABLE, failpoint
from failoverd.drivers.haproxy import HaproxyBalancers
from failoverd.drivers.hooks import ProcessHooks
from failoverd.drivers.identity import Identity
from failoverd.drivers.journal_copies import JournalCopies
from failoverd.drivers.local.coordination import LocalCoordination
from failoverd.drivers.mysql.servers import Manager as MysqlManager
from failoverd.drivers.mysql.servers import MysqlServers
from failoverd.drivers.rota import Rota
from failoverd.drivers.ssh.agents import SshAgents
from failoverd.drivers.ssh.zipapp import shipped_sha256
from failoverd.drivers.tasks import ThreadTasks
from failoverd.drivers.wakeups import Bell
from failoverd.drivers.zookeeper.coordination import ZooKeeperCoordination
from failoverd.drivers.zookeeper.settings import Digest, Tls, ZooKeeperSettings
from failoverd.execute.hands import Outside
from failoverd.model.hooks import HookResult, Point
from failoverd.observe.eyes import Eyes
from failoverd.ports import Coordination
from failoverd.service import logs
from failoverd.service.bells import Bells
from failoverd.service.watch import Watch
from failoverd.service.world import World


@dataclass(frozen=True, slots=True)
class Built:
    """Everything that was built for one process, and how to end it."""

    config: Config
    clock: SystemClock
    tasks: ThreadTasks
    rota: Rota
    bells: Mapping[str, Bell]
    coordination: Coordination
    servers: MysqlServers
    agents: SshAgents
    outside: Outside
    rooms: SocketRooms

    def world(self, cluster: str) -> World:
        """One cluster as this process serves it."""
        eyes = Eyes(self.servers, self.agents, self.tasks, self.clock)
        name = self.config.manager.name
        moment = failpoint(os.environ.get(VARIABLE, ""))
        log = logs.logger(cluster=cluster)
        return World(name, self.config.policy(cluster), eyes, self.coordination, log, moment, self.outside)

    def apply(self, config: Config, watches: Sequence[Watch]) -> tuple[str, ...]:
        """Let changed settings of the clusters count from the next look on; the keys that need a restart.

        Raises CoordinationError where they cannot be told to others: then nothing has changed.
        """
        servers, replication = mysql_accesses(config)
        agents = agent_accesses(config)
        self.coordination.tell_settings({name: config.settings(name) for name in config.clusters})
        self.servers.configure(servers, replication)
        self.agents.configure(agents)
        for watch in watches:
            if watch.world.cluster in config.clusters:
                watch.adopt(config.policy(watch.world.cluster))
        return until_restart(self.config, config)

    def close(self) -> None:
        """Give every lock back and end every session."""
        self.coordination.close()
        self.servers.close()
        self.agents.close()


def build(config: Config) -> Built:
    """Build every driver from the configuration; raises ConfigError where the ensemble contradicts it."""
    clock, tasks, rota = SystemClock(), ThreadTasks(), Rota()
    bells = {name: rota.bell(name) for name in config.clusters}
    doorbell = Bells(bells)
    coordination = coordination_for(config, clock, tasks, doorbell)
    coordination.tell_settings({name: config.settings(name) for name in config.clusters})
    if isinstance(coordination, ZooKeeperCoordination):
        coordination.keep_copies(JournalCopies(copies_folder(config), tasks, clock, warn))
    servers = MysqlServers(*mysql_accesses(config), mysql_manager(config, coordination), clock, doorbell)
    agents = SshAgents(agent_accesses(config), shipped_sha256(), clock, tasks, coordination.lease)
    archive = DivergenceFiles(config.manager.state_dir / "divergence", agents, servers.tables, clock)
    rooms = SocketRooms(config.manager.run_dir, clock, warn)
    outside = Outside(HaproxyBalancers(), ProcessHooks(hook_heard), rooms, archive)
    return Built(config, clock, tasks, rota, bells, coordination, servers, agents, outside, rooms)


def mysql_manager(config: Config, coordination: Coordination) -> MysqlManager:
    """Who we are at servers. Only ZooKeeper proves that another manager was replaced."""
    if coordination.kind == "zookeeper":
        return MysqlManager(config.manager.name, may_evict=True)
    identity = Identity.mine(config.manager.name)
    return MysqlManager(identity.on_all_hosts(config.manager.state_dir), may_evict=False)


def hook_heard(point: Point, result: HookResult) -> None:
    """How a hook ended that nobody waited for."""
    log = logs.logger(hook=f"{point}/{result.name}")
    (log.debug if result.ok else log.warning)("hook ended", how=result.how, output=result.output)


def coordination_for(config: Config, clock: SystemClock, tasks: ThreadTasks, bells: Bells) -> Coordination:
    """ZooKeeper where it is configured, else the local file lock: one manager, no standby."""
    identity = Identity.mine(config.manager.name)
    zookeeper = config.zookeeper
    if zookeeper is None:
        return LocalCoordination(config.manager.state_dir, identity, clock, bells)
    settings = ZooKeeperSettings(
        hosts=zookeeper.hosts,
        root=zookeeper.root,
        session_timeout=zookeeper.session_timeout,
        auth=Digest(zookeeper.auth.username, zookeeper.auth.password_file.reveal()) if zookeeper.auth else None,
        tls=Tls(path(zookeeper.tls.ca_file), path(zookeeper.tls.cert_file), path(zookeeper.tls.key_file))
        if zookeeper.tls
        else None,
    )
    return ZooKeeperCoordination(settings, identity, clock, tasks, bells)


def copies_folder(config: Config) -> Path:
    """Where this host keeps copies of the journals in ZooKeeper."""
    return config.manager.state_dir / "copies"


def warn(what: str, why: str) -> None:
    """What a driver wants people to know, in the log."""
    logs.logger().warning(what, why=why)
