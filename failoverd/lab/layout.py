"""The plan of a lab: which hosts, with which names, addresses, users and folders; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from types import MappingProxyType

from failoverd.model.errors import ConfigError

STATE_PARENT = PurePosixPath("/dev/shm")  # noqa: S108 - memory, so that a lab costs no disk and dies with the machine
STATE_PREFIX = "failoverd-lab-"
RUNNING_NAMESPACES = PurePosixPath("/run/netns")
NETNS_FILES = PurePosixPath("/etc/netns")
SUBNETS = 250  # the labs that fit side by side: 198.18.0.0/24 and up, a range kept for tests that no network uses

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,19}")
_FIRST_USER = 30000
_USERS_PER_LAB = 110


class Kind(StrEnum):
    """What a host is for."""

    MANAGER = "mgr"
    ZOOKEEPER = "zk"
    SERVER = "db"
    CLIENT = "app"


# The last number of the first host's address, by kind.
_FIRST_ADDRESS = {Kind.MANAGER: 11, Kind.ZOOKEEPER: 21, Kind.SERVER: 31, Kind.CLIENT: 61}


def _no_settings() -> Mapping[str, object]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Options:
    """What a lab is made of; `settings` is laid over the written configuration, section by section."""

    name: str = "lab"
    replicas: int = 2
    zookeepers: int = 1
    managers: int = 2
    lossless: bool = False
    supervised: bool = False
    switch: bool = False
    durable: bool = True
    performance_schema: bool = False
    disk_mb: int = 1024
    cluster: str = "shop"
    settings: Mapping[str, object] = field(default_factory=_no_settings)

    def __post_init__(self) -> None:
        """Refuse what cannot be built, with what, where and hint (ConfigError)."""
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                "the lab's name is not usable", repr(self.name), "a-z, 0-9 and '-', at most 20, first no '-'"
            )
        limits = (
            ("replicas", self.replicas, range(21)),
            ("zookeepers", self.zookeepers, (0, 1, 3, 5)),
            ("managers", self.managers, range(6)),
            ("disk_mb", self.disk_mb, range(256, 65537)),
        )
        for what, value, allowed in limits:
            if value not in allowed:
                span = f"{allowed[0]} to {allowed[-1]}" if isinstance(allowed, range) else str(allowed)
                raise ConfigError(f"a lab cannot have {what} = {value}", f"lab {self.name}", f"allowed: {span}")


@dataclass(frozen=True, slots=True)
class Host:
    """One host of a lab: a network namespace with an address, and a folder of its own.

    `user` runs its service (mysqld or ZooKeeper), `agent_user` the agent; no account of the machine has these numbers.
    """

    name: str
    kind: Kind
    number: int
    address: str
    namespace: str
    link: str
    folder: PurePosixPath
    user: int
    agent_user: int

    @property
    def disk(self) -> PurePosixPath:
        """The mount point of the host's own disk of limited size."""
        return self.folder / "disk"

    @property
    def datadir(self) -> PurePosixPath:
        """The data directory of the host's mysqld."""
        return self.disk / "data"

    @property
    def socket(self) -> PurePosixPath:
        """The mysqld's unix socket: it answers whatever the network does."""
        return self.folder / "run" / "mysqld.sock"

    @property
    def log(self) -> PurePosixPath:
        """The folder of the logs of the host's processes."""
        return self.folder / "log"

    @property
    def agent_dir(self) -> PurePosixPath:
        """The folder of the agent: the zipapp, and its state."""
        return self.folder / "agent"

    @property
    def keeper_socket(self) -> PurePosixPath:
        """Where the host's first process takes requests."""
        return self.folder / "keeper.sock"


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything that follows from the options and the lab's number on this machine."""

    options: Options
    index: int
    hosts: tuple[Host, ...]

    @property
    def folder(self) -> PurePosixPath:
        """The lab's folder: all its files are in it, but for the hosts' private /etc files."""
        return state_folder(self.options.name)

    @property
    def bridge(self) -> str:
        """The interface that joins the hosts, in the machine's own namespace."""
        return f"fo{self.index}"

    @property
    def gateway(self) -> str:
        """The machine's own address in the lab's network."""
        return f"198.18.{self.index}.1"

    def host(self, name: str) -> Host:
        """The host of that name; ConfigError names the ones there are."""
        for host in self.hosts:
            if host.name == name:
                return host
        known = ", ".join(host.name for host in self.hosts)
        raise ConfigError("unknown host", f"{name!r} in lab {self.options.name}", f"its hosts are {known}")

    def of_kind(self, kind: Kind) -> tuple[Host, ...]:
        """All hosts of one kind, in the order of their numbers."""
        return tuple(host for host in self.hosts if host.kind is kind)

    @property
    def servers(self) -> tuple[Host, ...]:
        """The database hosts; the first one begins as the primary."""
        return self.of_kind(Kind.SERVER)


def state_folder(name: str) -> PurePosixPath:
    """The folder of the lab of that name."""
    return STATE_PARENT / f"{STATE_PREFIX}{name}"


def namespace_prefix(name: str) -> str:
    """What the names of a lab's namespaces begin with; a lab's name holds no dot, so no other lab's begin so."""
    return f"fo.{name}."


def lab_of_namespace(namespace: str) -> str:
    """The name of the lab that a namespace of this name belongs to; empty when it is none of ours."""
    parts = namespace.split(".")
    return parts[1] if len(parts) == 3 and parts[0] == "fo" else ""


def plan(options: Options, index: int) -> Layout:
    """The layout of the lab that has the number `index` on this machine (0 <= index < SUBNETS)."""
    counts = {
        Kind.MANAGER: options.managers,
        Kind.ZOOKEEPER: options.zookeepers,
        Kind.SERVER: options.replicas + 1,
        Kind.CLIENT: 1,
    }
    hosts = tuple(
        _host(options.name, index, kind, number) for kind, count in counts.items() for number in range(1, count + 1)
    )
    return Layout(options, index, hosts)


def _host(lab: str, index: int, kind: Kind, number: int) -> Host:
    name = f"{kind}{number}"
    last = _FIRST_ADDRESS[kind] + number - 1
    user = _FIRST_USER + index * _USERS_PER_LAB + (last - 10) * 2
    return Host(
        name=name,
        kind=kind,
        number=number,
        address=f"198.18.{index}.{last}",
        namespace=namespace_prefix(lab) + name,
        link=f"fo{index}-{name}",
        folder=state_folder(lab) / "hosts" / name,
        user=user,
        agent_user=user + 1,
    )
