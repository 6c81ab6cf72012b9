"""What an agent says about its host, and what probes from elsewhere say about a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from failoverd.gtid import GtidSet


@dataclass(frozen=True, slots=True)
class HostFacts:
    """One look by the agent: is there a mysqld on this data directory, and what marks does the host carry.

    `orderly` is True when the last binary log was closed by a shutdown, False when it is still marked in use, None when
    unknown.
    `starts_closed` tells whether mysqld would refuse writes if it were started again, None when unknown.
    `door` is `ok`, `missing: why` where the agent may change nothing, or `unknown: why` where a deadline has passed.
    `fenced_epoch` is the epoch of a durable fence mark, None without one. `addresses` are the host's IPv4 addresses.
    `release` tells how the agent differs from the one that this manager came with, empty where it is that one.
    """

    server: str
    alive: bool
    pids: tuple[int, ...]
    process_state: str
    server_uuid: str
    read_at: float
    orderly: bool | None = None
    fenced_epoch: int | None = None
    disk_free: int | None = None
    disk_read_only: bool = False
    highest_epoch: int = 0
    version: str = ""
    release: str = ""
    door: str = "ok"
    addresses: frozenset[str] = frozenset()
    starts_closed: bool | None = None


@dataclass(frozen=True, slots=True)
class AgentSilent:
    """No word from the agent of this host; `state` is `missing`, `old` or `unreachable` as in the published JSON."""

    server: str
    state: str
    text: str
    read_at: float


HostSight = HostFacts | AgentSilent


class ProbeOutcome(StrEnum):
    """What a complete login from elsewhere found."""

    OK = "ok"
    ALIVE = "alive"  # the server spoke the protocol and refused us
    REFUSED = "refused"
    RESET = "reset"
    TIMED_OUT = "timeout"
    UNREACHABLE = "unreachable"
    HUNG = "hung"


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """A probe of `target` made from the host of `origin`; `seconds` is how long it took."""

    origin: str
    target: str
    outcome: ProbeOutcome
    seconds: float
    read_at: float
    code: int = 0


@dataclass(frozen=True, slots=True)
class StandbyWord:
    """What a standby manager's own look found of `target` after it was asked `question`.

    `others` counts the other servers that it reached in the same look, `server_uuid` is whom it found there, empty for
    nobody. `asked_at` is when the asker asked, by the asker's clock: no look that answers is older than that.
    """

    manager: str
    question: str
    target: str
    outcome: ProbeOutcome
    server_uuid: str = ""
    others: int = 0
    code: int = 0
    asked_at: float = 0.0


class LogKind(StrEnum):
    """Which log files of a host are meant."""

    BINARY = "binary"
    RELAY = "relay"


@dataclass(frozen=True, slots=True)
class Holding:
    """What the log files of one host hold beyond a given set: `missing` of `size` bytes is what can be brought over.

    With `kept`, the names under which files were linked, it is what those links hold and no file does any more.
    """

    server: str
    kind: LogKind
    missing: GtidSet = field(default_factory=GtidSet)
    size: int = 0
    files: int = 0
    complete: bool = True
    problem: str = ""
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Links:
    """Hard links of log files on one host under one name: how many files, and the bytes that they hold."""

    server: str
    name: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Verified:
    """What a server's applier will be able to execute, every checksum of its relay logs computed from its place on.

    `sound` stands before the first damage, `behind` is whole behind it: the applier does not get there, but it can be
    copied out. `damage` names the first place, empty where there is none; `problem` says why nobody could look.
    """

    server: str
    sound: GtidSet = field(default_factory=GtidSet)
    behind: GtidSet = field(default_factory=GtidSet)
    damage: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FenceProof:
    """How the old primary was shut out; `how` is UNFENCED where it could not be proven."""

    server: str
    how: str
    proven: bool
    killed: tuple[int, ...] = ()
    hold: str = ""


@dataclass(frozen=True, slots=True)
class Lot:
    """How much of a copy travels at once: about `most` bytes, 0 for all of it. What is laid `aside` has names of its
    own, so that it can come while the server still reads what came before it.
    """

    most: int = 0
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Spliced:
    """Log files laid beside a server's relay logs, ready to be adopted as a channel; `problem` tells why some of the
    wanted transactions are not in them.
    """

    relay_log_file: str
    gtids: GtidSet
    size: int
    files: int
    problem: str = ""
