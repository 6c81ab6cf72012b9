"""Every key of the configuration: its kind, its limits, its default and its sentence. The loader, `config explain` and
the reference are all made from this page.

The sections `mysql`, `replication`, `ssh` and `agent` may stand at the top, under a cluster and under a server. What a
cluster or a server holds here is already the effective section: the server's keys over the cluster's over the top's.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

from failoverd.config.detection import DetectionConfig
from failoverd.config.digest import plain_settings, settings_digest
from failoverd.config.drills import DrillsConfig
from failoverd.config.hooks import HookFolder, hook_policy
from failoverd.config.kinds import Choice, Duration, Folder, LocalFile, SecretAt, Switch, Text, Whole, words_of
from failoverd.config.secret import Secret
from failoverd.config.semisync import SemiSyncConfig
from failoverd.config.switchover import SwitchoverConfig
from failoverd.config.traffic import TrafficConfig
from failoverd.config.web import WebConfig
from failoverd.model.errors import ConfigError
from failoverd.model.policy import (
    ClusterPolicy,
    FailoverPolicy,
    Promote,
    Reaction,
    Reactions,
    ReplicationPolicy,
    SemiSyncPolicy,
    ServerSpec,
    SiteGuard,
)
from failoverd.model.settings import Settings
from failoverd.model.sight import Endpoint

INHERITED: Final = frozenset({"mysql", "replication", "ssh", "agent"})

_NAME_FORM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
NAME: Final = Text(_NAME_FORM, "a name: letters, digits, and . _ - after the first", most=64)
CLUSTER_NAME: Final = Text(_NAME_FORM, "a name: letters, digits, and . _ - after the first", most=32)
_SITE: Final = Text(re.compile(r"[A-Za-z0-9._-]*"), "a site's name: letters, digits, . _ -", most=64)
_HOST: Final = Text(re.compile(r"[A-Za-z0-9:][A-Za-z0-9.:-]*"), "a host name or an address")
_MEMBER: Final = Text(re.compile(r"[A-Za-z0-9\[:][A-Za-z0-9.:\]-]*:\d{1,5}"), "HOST:PORT")
_LISTEN: Final = Text(_MEMBER.form, _MEMBER.says, null=True)
_ZNODE: Final = Text(re.compile(r"(/[A-Za-z0-9._-]+)+"), "a path like /failoverd")
_ACCOUNT: Final = Text(re.compile(r"[^\s'\"`\\]+"), "an account's name", most=32)
_LOGIN: Final = Text(re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*"), "a login name", most=32)
_ABSOLUTE: Final = Text(re.compile(r"/[A-Za-z0-9._/+-]*"), "an absolute path of letters, digits and . _ + - /")
_NO_COMMAND: Final = Text(
    re.compile(r"(?!)"), "null: name its unit in mysqld.service, or put a program into hooks_dir, at fence", null=True
)
_ABSOLUTE_OR_NULL: Final = Text(_ABSOLUTE.form, _ABSOLUTE.says, null=True)
_UNIT: Final = Text(re.compile(r"[A-Za-z0-9@:._-]+"), "the name of a systemd unit", null=True)
_PORT: Final = Whole(1, 65535)
_PORT_OR_NULL: Final = Whole(1, 65535, null=True)
_TLS: Final = Choice(("off", "preferred", "required", "verify", "verify-identity"))
_FENCING: Final = Choice(("required", "best-effort"))
_LEVEL: Final = Choice(("debug", "info", "warning", "error"))

TlsMode = Literal["off", "preferred", "required", "verify", "verify-identity"]


@dataclass(frozen=True, slots=True)
class SiteGuardConfig:
    """Where more clusters than this fail at once, nobody fails over by itself."""

    clusters: Annotated[int, Whole(1, 100000), "Clusters that may fail at once."] = 3
    within: Annotated[float, Duration(1, 86400), "How far apart at once may be."] = 60.0


@dataclass(frozen=True, slots=True)
class ManagerConfig:
    """The manager itself: who it is and where it keeps its own things."""

    name: Annotated[str, NAME, "Name of this manager; must be unique among the managers."] = field(
        default_factory=socket.gethostname
    )
    state_dir: Annotated[Path, Folder(), "Local copies of journals and reports."] = Path("/var/lib/failoverd")
    run_dir: Annotated[Path, Folder(), "What lives as long as the process."] = Path("/run/failoverd")
    listen: Annotated[
        str | None, _LISTEN, "Where health, metrics and the primary can be asked for over HTTP; null for nowhere."
    ] = "127.0.0.1:8008"
    log_level: Annotated[str, _LEVEL, "How much is logged to standard error."] = "info"
    site_guard: SiteGuardConfig = SiteGuardConfig()


@dataclass(frozen=True, slots=True)
class ZookeeperAuth:
    """How the manager proves itself to ZooKeeper."""

    username: Annotated[str, _ACCOUNT, "Account that owns the entries below the root."]
    password_file: Annotated[Secret, SecretAt(), "Where the account's password is read."]
    scheme: Annotated[str, Choice(("digest",)), "ZooKeeper's way of proving it."] = "digest"


@dataclass(frozen=True, slots=True)
class ZookeeperTls:
    """Certificates for connections to ZooKeeper; the members' host names are always verified."""

    ca_file: Annotated[Path, LocalFile(), "Who must have signed the members' certificates."]
    cert_file: Annotated[Path | None, LocalFile(null=True), "Our certificate, where members ask for one."] = None
    key_file: Annotated[Path | None, LocalFile(private=True, null=True), "The key of our certificate."] = None


@dataclass(frozen=True, slots=True)
class ZookeeperConfig:
    """The ensemble that holds lock, epoch and journal; without this section one manager works alone."""

    hosts: Annotated[tuple[str, ...], _MEMBER, "The ensemble's members."]
    root: Annotated[str, _ZNODE, "Where everything of failoverd stands in ZooKeeper."] = "/failoverd"
    session_timeout: Annotated[float, Duration(0.4, 300), "Silence after which a standby takes over."] = 6.0
    auth: ZookeeperAuth | None = None
    tls: ZookeeperTls | None = None


@dataclass(frozen=True, slots=True)
class MysqlConfig:
    """The manager's account on the servers."""

    password_file: Annotated[Secret, SecretAt("/etc/failoverd/mysql.secret"), "Where its password is read."]
    user: Annotated[str, _ACCOUNT, "The account's name."] = "failoverd"
    port: Annotated[int, _PORT, "Port of every server that names none of its own."] = 3306
    admin_port: Annotated[int | None, _PORT_OR_NULL, "MySQL's administrative port, used when others are full."] = None
    tls: Annotated[TlsMode, _TLS, "Whether sessions are encrypted, and whether certificates and names are checked."] = (
        "preferred"
    )
    ca_file: Annotated[Path | None, LocalFile(null=True), "Who must have signed the servers' certificates."] = None


@dataclass(frozen=True, slots=True)
class ReplicationConfig:
    """How replicas log in to their source, and how soon they notice that it is gone."""

    password_file: Annotated[Secret, SecretAt("/etc/failoverd/repl.secret"), "Where the account's password is read."]
    user: Annotated[str, _ACCOUNT, "The account that replicas log in with."] = "repl"
    tls: Annotated[
        TlsMode, _TLS, "Whether replication is encrypted and verifies the source, where failoverd sets it up."
    ] = "preferred"
    ca_file: Annotated[
        str | None, _ABSOLUTE_OR_NULL, "Who must have signed the source's certificate: a file on every database host."
    ] = None
    connect_retry: Annotated[float, Duration(1, 3600, whole=True), "Pause between two attempts to connect."] = 1.0
    retry_count: Annotated[int, Whole(1, 4294967295), "Attempts before a receiver gives up."] = 100000
    heartbeat: Annotated[float, Duration(0.1, 3600), "How often an idle source gives a sign of life."] = 0.5
    net_timeout: Annotated[float, Duration(1, 3600, whole=True), "Silence after which a receiver connects anew."] = 10.0
    tune: Annotated[bool, Switch(), "Whether failoverd sets these times on replicas."] = True


@dataclass(frozen=True, slots=True)
class SshConfig:
    """How the manager reaches the agents; host keys are always verified."""

    key_file: Annotated[Path, LocalFile(private=True, default="/etc/failoverd/id_ed25519"), "Our private key."]
    known_hosts: Annotated[Path, LocalFile(default="/etc/failoverd/known_hosts"), "The hosts' public keys."]
    user: Annotated[str, _LOGIN, "The login on the database hosts."] = "failoverd-agent"
    port: Annotated[int, _PORT, "Port of their sshd."] = 22


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """The agent on the database hosts."""

    dir: Annotated[str, _ABSOLUTE, "Folder on each host for the agent and its state."] = "/var/lib/failoverd-agent"
    install_user: Annotated[str, _LOGIN, "Login that `agent install` uses: root, or one that may use sudo."] = "root"
    install_key_file: Annotated[
        Path | None, LocalFile(private=True, null=True), "Private key of that login; without one, ssh's key is tried."
    ] = None


@dataclass(frozen=True, slots=True)
class MysqldConfig:
    """Where mysqld lives on its host, for the agent."""

    datadir: Annotated[str | None, _ABSOLUTE_OR_NULL, "Its data directory; without it, what the server says."] = None
    service: Annotated[str | None, _UNIT, "Its systemd unit, held while fenced; else the agent stands guard."] = None
    stop_command: Annotated[str | None, _NO_COMMAND, "Always null: agents run no command of anybody's."] = None


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """One member of a cluster."""

    name: Annotated[str, NAME, "Name of the server in commands and reports; unique in its cluster."]
    host: Annotated[str, _HOST, "Address that the manager and the other servers reach it by."]
    mysql: MysqlConfig
    replication: ReplicationConfig
    ssh: SshConfig
    agent: AgentConfig = AgentConfig()
    port: Annotated[int | None, _PORT_OR_NULL, "Port of mysqld; without one, mysql.port."] = None
    promote: Annotated[Promote, words_of(Promote), "How much it is wanted as primary."] = Promote.NORMAL
    site: Annotated[str, _SITE, "Where it stands; among equals the old primary's site wins."] = ""
    maintenance: Annotated[bool, Switch(), "Whether somebody works on it: never promoted meanwhile."] = False
    mysqld: MysqldConfig = MysqldConfig()

    @property
    def endpoint(self) -> Endpoint:
        """Where its mysqld listens."""
        return Endpoint(self.host, self.port or self.mysql.port)

    @property
    def hold(self) -> str:
        """How a fence keeps it from restarting: `guard`, or `systemd:UNIT`."""
        return f"systemd:{self.mysqld.service}" if self.mysqld.service else "guard"


_PROGRESS: Final = Duration(1, 86400)
_MAX_LOSS: Final = Whole(0, 10**12, word="any")
_MIN_CLAIMED: Final = Whole(1, 1000, word="majority")


@dataclass(frozen=True, slots=True)
class OnConfig:
    """What each verdict about the primary leads to."""

    dead: Annotated[Reaction, words_of(Reaction), "What a dead primary leads to."] = Reaction.FAILOVER
    frozen: Annotated[Reaction, words_of(Reaction), "What a frozen primary leads to."] = Reaction.FAILOVER
    hung: Annotated[Reaction, words_of(Reaction), "What a primary whose writes hang leads to."] = Reaction.ALERT
    unfit: Annotated[Reaction, words_of(Reaction), "What a primary without a usable disk leads to."] = Reaction.ALERT


@dataclass(frozen=True, slots=True)
class FailoverConfig:
    """Limits of a failover."""

    automatic: Annotated[bool, Switch(), "Whether the manager fails over by itself."] = True
    on: OnConfig = OnConfig()
    cooldown: Annotated[float, Duration(0, 31536000), "Time after a failover without another one by itself."] = 3600.0
    fencing: Annotated[Literal["required", "best-effort"], _FENCING, "Whether a fence must be proven."] = "best-effort"
    max_loss: Annotated[
        int | Literal["any"], _MAX_LOSS, "Known transactions that may be given up; any for no limit."
    ] = 0
    salvage_timeout: Annotated[float, _PROGRESS, "Time without progress after which salvage gives up."] = 30.0
    drain_timeout: Annotated[float, _PROGRESS, "Time without progress after which catching up gives up."] = 60.0
    min_claimed: Annotated[
        Literal["majority"] | int, _MIN_CLAIMED, "Servers besides the dead one that must be claimed first."
    ] = "majority"
    fencing_timeout: Annotated[float, Duration(0.1, 300), "How long fencing the old primary may take."] = 3.0
    kill_blockers: Annotated[bool, Switch(), "Whether sessions that hold up the candidate's applier are ended."] = True
    relax_durability: Annotated[
        bool, Switch(), "Whether the candidate may catch up without forcing each commit to its disk."
    ] = False
    allow_site_change: Annotated[
        bool, Switch(), "Whether a server on another site than the primary's may be chosen unnamed."
    ] = True


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """One primary and its replicas; members come from here only."""

    mysql: MysqlConfig
    replication: ReplicationConfig
    ssh: SshConfig
    servers: tuple[ServerConfig, ...]
    agent: AgentConfig = AgentConfig()
    detection: DetectionConfig = field(default_factory=DetectionConfig)
    failover: FailoverConfig = FailoverConfig()
    durability: Annotated[
        Literal["async", "lossless"], Choice(("async", "lossless")), "Whether a commit waits until a replica has it."
    ] = "async"
    semi_sync: SemiSyncConfig = field(default_factory=SemiSyncConfig)
    traffic: TrafficConfig = field(default_factory=TrafficConfig)
    hooks_dir: Annotated[Path | None, HookFolder(), "Your own programs, in a folder for each turning point."] = None
    hooks_timeout: Annotated[float, Duration(0.1, 600), "How long each of them may run."] = 10.0
    rebuild_timeout: Annotated[
        float, Duration(1, 7 * 86400), "How long each program may run that rebuilds a server, at rebuild."
    ] = 6 * 3600.0
    rejoin: Annotated[
        Literal["off", "clean-only", "clone"],
        Choice(("off", "clean-only", "clone")),
        "What happens to a server that comes back: nothing, attached if clean, or also cloned if not.",
    ] = "clean-only"
    switchover: SwitchoverConfig = field(default_factory=SwitchoverConfig)
    drills: DrillsConfig = field(default_factory=DrillsConfig)


@dataclass(frozen=True, slots=True)
class Access:
    """How one server and its agent are reached: the effective sections."""

    cluster: str
    server: str
    endpoint: Endpoint
    hold: str
    mysql: MysqlConfig
    replication: ReplicationConfig
    ssh: SshConfig
    agent: AgentConfig
    mysqld: MysqldConfig


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration, checked and with every default filled in."""

    mysql: MysqlConfig
    replication: ReplicationConfig
    ssh: SshConfig
    clusters: Annotated[Mapping[str, ClusterConfig], CLUSTER_NAME, "The clusters by name."]
    agent: AgentConfig = AgentConfig()
    manager: ManagerConfig = field(default_factory=ManagerConfig)
    zookeeper: ZookeeperConfig | None = None
    web: WebConfig = field(default_factory=WebConfig)

    def cluster(self, name: str) -> ClusterConfig:
        """The cluster of that name; ConfigError where there is none."""
        if name not in self.clusters:
            raise ConfigError(f"there is no cluster '{name}'", hint=f"configured are {', '.join(self.clusters)}")
        return self.clusters[name]

    def server(self, cluster: str, name: str) -> ServerConfig:
        """The server of that name; ConfigError where there is none in that cluster."""
        servers = {server.name: server for server in self.cluster(cluster).servers}
        if name not in servers:
            raise ConfigError(f"cluster '{cluster}' has no server '{name}'", hint=f"it has {', '.join(servers)}")
        return servers[name]

    def access(self, cluster: str, server: str) -> Access:
        """How that server and its agent are reached; ConfigError where there is none."""
        found = self.server(cluster, server)
        return Access(
            cluster=cluster,
            server=server,
            endpoint=found.endpoint,
            hold=found.hold,
            mysql=found.mysql,
            replication=found.replication,
            ssh=found.ssh,
            agent=found.agent,
            mysqld=found.mysqld,
        )

    def settings(self, cluster: str) -> Settings:
        """What managers tell each other of the cluster's settings; ConfigError where there is none."""
        found = self.cluster(cluster)
        told = {**plain_settings(found), "zookeeper": plain_settings(self.zookeeper)}
        return Settings(settings_digest(found), told)

    def policy(self, cluster: str) -> ClusterPolicy:
        """The cluster's settings as deciding and planning need them; ConfigError where there is none."""
        found = self.cluster(cluster)
        return ClusterPolicy(
            name=cluster,
            servers=tuple(
                ServerSpec(s.name, s.endpoint, s.promote, s.site, s.maintenance, s.hold) for s in found.servers
            ),
            detection=found.detection.policy,
            failover=failover_policy(found.failover),
            replication=replication_policy(found.replication),
            digest=settings_digest(found),
            durability=found.durability,
            semi_sync=SemiSyncPolicy(found.semi_sync.wait_count, found.semi_sync.on_no_ackers),
            traffic=found.traffic.policy,
            site_guard=SiteGuard(self.manager.site_guard.clusters, self.manager.site_guard.within),
            hooks=hook_policy(found.hooks_dir, found.hooks_timeout, found.rebuild_timeout),
            switchover=found.switchover.policy,
            rejoin=found.rejoin,
        )


def failover_policy(section: FailoverConfig) -> FailoverPolicy:
    """The section as deciding and planning need it."""
    return FailoverPolicy(
        automatic=section.automatic,
        on=Reactions(section.on.dead, section.on.frozen, section.on.hung, section.on.unfit),
        cooldown=section.cooldown,
        fencing=section.fencing,
        max_loss=None if section.max_loss == "any" else section.max_loss,
        salvage_timeout=section.salvage_timeout,
        drain_timeout=section.drain_timeout,
        min_claimed=section.min_claimed,
        fencing_timeout=section.fencing_timeout,
        kill_blockers=section.kill_blockers,
        relax_durability=section.relax_durability,
        allow_site_change=section.allow_site_change,
    )


def replication_policy(section: ReplicationConfig) -> ReplicationPolicy:
    """The section as planning needs it, without the password."""
    return ReplicationPolicy(
        user=section.user,
        tls=section.tls,
        connect_retry=section.connect_retry,
        retry_count=section.retry_count,
        heartbeat=section.heartbeat,
        net_timeout=section.net_timeout,
        tune=section.tune,
    )
