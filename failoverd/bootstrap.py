"""The composition root: configuration in, drivers built, service wired. Nothing else builds."""

from __future__ import annotations

import atexit
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from failoverd.config.install import Install
from failoverd.config.schema import Access, Config
from failoverd.decide.grants import held
from failoverd.decide.rights import rights_findings
from failoverd.drivers.clock import SystemClock
from failoverd.drivers.control import WAITING, SocketRooms, Visitor
from failoverd.drivers.failpoint import VARIABLE, failpoint
from failoverd.drivers.files import keeper_of
from failoverd.drivers.flight import FlightRecorder
from failoverd.drivers.haproxy import HaproxyBalancers
from failoverd.drivers.hooks import ProcessHooks
from failoverd.drivers.http import HttpServer
from failoverd.drivers.identity import Identity
from failoverd.drivers.journal_copies import JournalCopies, read_copies, read_copy
from failoverd.drivers.local.coordination import LocalCoordination
from failoverd.drivers.metrics import exposition
from failoverd.drivers.mysql.access import ReplicationAccess, ServerAccess
from failoverd.drivers.mysql.servers import Manager as MysqlManager
from failoverd.drivers.mysql.servers import MysqlServers
from failoverd.drivers.ssh.agents import Account, AgentAccess, SshAgents
from failoverd.drivers.ssh.connection import SshAccess
from failoverd.drivers.ssh.install import Order
from failoverd.drivers.ssh.install import install as put_agent
from failoverd.drivers.ssh.zipapp import shipped, shipped_sha256
from failoverd.drivers.tasks import ThreadTasks
from failoverd.drivers.wakeups import Bell
from failoverd.drivers.zookeeper.coordination import ZooKeeperCoordination
from failoverd.drivers.zookeeper.settings import Digest, Tls, ZooKeeperSettings
from failoverd.execute.hands import Outside
from failoverd.model.control import Controls, Standing, Wishes
from failoverd.model.errors import CoordinationError
from failoverd.model.finding import Finding
from failoverd.model.history import Pause
from failoverd.model.hooks import HookResult, Point
from failoverd.model.plans import Plan, Request
from failoverd.observe.eyes import Eyes
from failoverd.observe.fanout import ask_all
from failoverd.ports import Coordination
from failoverd.service import answers, desk, logs, pausing
from failoverd.service.bells import Bells
from failoverd.service.board import Board
from failoverd.service.manager import Manager
from failoverd.service.publish import Published
from failoverd.service.watch import Watch
from failoverd.service.world import World

Document = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Built:
    """Everything that was built for one process, and how to end it."""

    config: Config
    clock: SystemClock
    tasks: ThreadTasks
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
        """Let changed settings of the clusters count from the next look on; what needs a restart, in words."""
        accesses = [config.access(c, s.name) for c, found in config.clusters.items() for s in found.servers]
        self.servers.configure(
            tuple(server_access(access, config.policy(access.cluster).lossless) for access in accesses),
            {access.cluster: replication_access(access) for access in accesses},
        )
        self.agents.configure(tuple(agent_access(config, access) for access in accesses))
        kept = [watch for watch in watches if watch.world.cluster in config.clusters]
        for watch in kept:
            watch.adopt(config.policy(watch.world.cluster))
        if isinstance(self.coordination, ZooKeeperCoordination):
            self.coordination.tell_digests({name: config.policy(name).digest for name in config.clusters})
        wanted = {"clusters": set(config.clusters) ^ {watch.world.cluster for watch in watches}}
        changed = [name for name, found in wanted.items() if found]
        changed += [part for part in ("manager", "zookeeper") if getattr(config, part) != getattr(self.config, part)]
        return tuple(changed)

    def close(self) -> None:
        """Give every lock back and end every session."""
        self.coordination.close()
        self.servers.close()
        self.agents.close()


def build(config: Config) -> Built:
    """Build every driver from the configuration; raises ConfigError where the ensemble contradicts it."""
    clock, tasks = SystemClock(), ThreadTasks()
    bells = {name: Bell() for name in config.clusters}
    doorbell = Bells(bells)
    coordination = coordination_for(config, clock, tasks, doorbell)
    accesses = [config.access(c, s.name) for c, found in config.clusters.items() for s in found.servers]
    servers = MysqlServers(
        tuple(server_access(access, config.policy(access.cluster).lossless) for access in accesses),
        {access.cluster: replication_access(access) for access in accesses},
        MysqlManager(config.manager.name, may_evict=coordination.kind == "zookeeper"),
        clock,
        doorbell,
    )
    agents = SshAgents(
        tuple(agent_access(config, access) for access in accesses), shipped_sha256(), clock, tasks, coordination.lease
    )
    rooms = SocketRooms(config.manager.run_dir, clock, warn)
    outside = Outside(HaproxyBalancers(), ProcessHooks(hook_heard), rooms)
    return Built(config, clock, tasks, bells, coordination, servers, agents, outside, rooms)


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
    coordination = ZooKeeperCoordination(settings, identity, clock, tasks, bells)
    coordination.tell_digests({name: config.policy(name).digest for name in config.clusters})
    coordination.keep_copies(JournalCopies(copies_folder(config), tasks, clock, warn))
    return coordination


def copies_folder(config: Config) -> Path:
    """Where this host keeps copies of the journals in ZooKeeper."""
    return config.manager.state_dir / "copies"


def warn(what: str, why: str) -> None:
    """What a driver wants people to know, in the log."""
    logs.logger().warning(what, why=why)


def path(file: Path | None) -> str:
    """A file's name, empty where there is none."""
    return "" if file is None else str(file)


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
    )


def run_manager(config: Config, read_again: Callable[[], Config]) -> int:
    """Be the manager until SIGTERM or SIGINT; the exit code. SIGHUP applies the configuration as it stands then."""
    logs.configure(config.manager.log_level)
    log = logs.logger(manager=config.manager.name)
    built = build(config)
    if built.coordination.kind == "local":
        log.warning("no ZooKeeper is configured: this manager works alone, there is no standby")
    built.agents.keep_warm()
    board = Board(built.clock, tuple(config.clusters), keeper_of(config.manager.run_dir))
    flight = FlightRecorder(config.manager.state_dir / "flight")
    built.tasks.start("flight recorder", flight.run)

    def watch(name: str, bell: Bell) -> Watch:
        return Watch(replace(built.world(name), flight=flight), bell, Published(board.keep))

    watches = [watch(name, bell) for name, bell in built.bells.items()]
    http = HttpServer(config.manager.listen, answers.responder(board, exposition), lambda why: no_http(log, why))
    http.start()
    bell = Bell()
    manager = Manager(watches, built.tasks, built.clock, bell, log)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: manager.stop())
    signal.signal(signal.SIGHUP, lambda *_: manager.reload(lambda: built.apply(read_again(), watches)))
    try:
        return manager.run()
    finally:
        http.close()
        built.close()


def no_http(log: logs.Log, why: str) -> None:
    """The manager goes on: nobody's database waits for a port."""
    log.warning("no HTTP", why=why, hint="another program has it: change manager.listen, or set it to null")


class Application:
    """What the commands ask for; drivers are built when the first method needs them, and ended with the process."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._drivers: Built | None = None
        logs.configure("warning")

    def run(self, read_again: Callable[[], Config]) -> int:
        """Be the manager until a signal ends it; the exit code."""
        return run_manager(self._config, read_again)

    def status(self, cluster: str | None) -> Document:
        """The published status of one or all clusters, or our own look where nobody publishes."""
        built = self._built()
        clusters = {name: desk.status(built.world(name)) for name in self._names(cluster)}
        return {"clusters": list(clusters.values())}

    def check(self, cluster: str | None) -> tuple[Finding, ...]:
        """Everything a failover will need, tried, read-only."""
        found: list[Finding] = []
        built = self._built()
        for name in self._names(cluster):
            found += desk.check(built.world(name), self._answers(built, name))
        return tuple(found)

    def plan(self, cluster: str, kill: tuple[str, ...], to: str) -> Plan:
        """What would happen if the named servers were dead."""
        return desk.plan(self._built().world(cluster), kill, to)

    def foresee(self, request: Request) -> Plan:
        """What this request would lead to in the world as it is."""
        return desk.foresee_request(self._built().world(request.cluster), request)

    def failover(
        self, request: Request, on_progress: Callable[[str], None], gives_up: Callable[[], bool] | None = None
    ) -> Document:
        """Run the operation, or hand it to the active manager and follow it."""
        built = self._built()
        with built.rooms.interruptible(on_progress):
            return desk.failover(built.world(request.cluster), request, on_progress, gives_up or desk.never)

    def rejoin_plan(self, request: Request) -> Plan:
        """What attaching a server would do."""
        return desk.rejoin_plan(self._built().world(request.cluster), request)

    def repair_plan(self, cluster: str, server: str) -> Plan:
        """What a repair would do."""
        return desk.repair_plan(self._built().world(cluster), server)

    def repair(self, request: Request, on_progress: Callable[[str], None]) -> Document:
        """Mend a replica's relay log, or hand that to the active manager and follow it."""
        return self.failover(request, on_progress)

    def pause(self, cluster: str, pause: Pause, dry_run: bool) -> Document:
        """Record a pause."""
        return pausing.pause(self._built().world(cluster), pause, dry_run)

    def unpause(self, cluster: str, server: str, dry_run: bool) -> Document:
        """End a pause."""
        return pausing.unpause(self._built().world(cluster), server, dry_run)

    def initialise(self, cluster: str, adopt: bool) -> Document:
        """Write the first epoch, or one above all that agents remember."""
        return desk.initialise(self._built().world(cluster), adopt)

    def operations(self, cluster: str | None) -> tuple[Document, ...]:
        """All operations of one or all clusters, newest first."""
        built, names = self._built(), self._names(cluster)
        try:
            found = [o for name in names for o in built.coordination.operations(name)]
        except CoordinationError as away:
            if built.coordination.state() != "lost":
                raise
            found = list(read_copies(copies_folder(self._config), built.clock, names, away))
        return tuple(sorted(found, key=lambda operation: str(operation["started"]), reverse=True))

    def operation(self, operation: str) -> Document | None:
        """One operation with its steps and journal."""
        built = self._built()
        try:
            return built.coordination.operation(operation)
        except CoordinationError as away:
            if built.coordination.state() != "lost":
                raise
            return read_copy(copies_folder(self._config), built.clock, operation, away)

    def say(self, cluster: str, line: str) -> Document:
        """Say a line to the operation that runs on this host."""
        return Visitor(self._config.manager.run_dir).say(cluster, line)

    def controls(self, standing: Standing) -> Controls:
        """Let people of this host talk to a command that waits."""
        return self._built().rooms.open(f"{WAITING}{os.getpid()}", standing, Wishes())

    def agents_install(self, install: Install, on_progress: Callable[[str], None]) -> tuple[Document, ...]:
        """Put the agent on the hosts, one after the other."""
        zipapp, sha256 = shipped()
        names = install.servers or tuple(server.name for server in self._config.cluster(install.cluster).servers)
        told = []
        for name in names:
            on_progress(f"{name}: installing")
            told.append(put_agent(order_for(self._config, install, name), zipapp, sha256))
        return tuple(told)

    def agents_check(self, cluster: str) -> tuple[Finding, ...]:
        """Ask each agent to prove every right it needs."""
        built = self._built()
        names = [server.name for server in self._config.cluster(cluster).servers]
        desk.own_look(desk.patient(built.world(cluster)))  # tells the agents where their servers are
        answers = ask_all(built.tasks, names, lambda name: built.agents.check(cluster, name, 5.0), 5.0)
        return tuple(finding for name in names for finding in rights_findings(cluster, name, answers[name]))

    def _built(self) -> Built:
        if self._drivers is None:
            self._drivers = build(self._config)
            atexit.register(self._drivers.close)
        return self._drivers

    def _names(self, cluster: str | None) -> tuple[str, ...]:
        return (cluster,) if cluster else tuple(self._config.clusters)

    def _answers(self, built: Built, cluster: str) -> desk.Answers:
        """What every server that answers says of our rights and of its replicas."""
        names = [server.name for server in self._config.cluster(cluster).servers]
        grants = ask_all(built.tasks, names, lambda name: built.servers.grants(cluster, name, 2.0), 2.0)
        followers = ask_all(built.tasks, names, lambda name: built.servers.followers(cluster, name, 2.0), 2.0)
        return desk.Answers(
            {name: held(rows) for name, rows in grants.items() if not isinstance(rows, Exception)},
            {name: found for name, found in followers.items() if not isinstance(found, Exception)},
        )


def order_for(config: Config, install: Install, server: str) -> Order:
    """Where the agent of one server is put, and by which login."""
    access = config.access(install.cluster, server)
    agent = agent_access(config, access)
    section, key = access.agent, install.key or access.agent.install_key_file or access.ssh.key_file
    login = replace(agent.ssh, user=install.user or section.install_user, key_file=key)
    return Order(agent, login, install.write_key, install.upgrade)


def open_app(config: Config) -> Application:
    """The application on this configuration."""
    return Application(config)
