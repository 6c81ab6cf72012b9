"""What earlier looks and the journal told: the memory that a single snapshot cannot have. Times are our clock's
seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from failoverd.gtid import GtidSet
from failoverd.model.host import HostFacts
from failoverd.model.sight import ServerState, Unreachable, Why
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.writing import Unwritten

# A failed look that proves a living server ends a row of misses; one that failed on our own side changes nothing.
SAYS_ALIVE = frozenset({Why.ALIVE, Why.CLONING, Why.ACCESS_DENIED})
SAYS_NOTHING = frozenset({Why.OWN_SIDE, Why.NOT_ASKED})
# A server reports how long it has been up in whole seconds: two readings of one start differ by less than this.
START_JITTER = 1.5
# What times of day are off by at least, told by one that reports whole seconds.
START_SLACK = 1.0
# A data directory with less room than this cannot take what a server writes in one go (bytes).
NO_ROOM = 4 * 1024 * 1024
_CRASHES_KEPT = 1000
# How the names of links begin that were made when a primary was in trouble, and of those that outlived their cause
# because they hold what the primary lacks. All others are named after their operation.
TROUBLE = "trouble-"
LEFT = "left-"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The primary as coordination records it: name, server_uuid and the epoch that made it so.

    In lossless mode `ackers` is everybody who was seen acknowledging to it, listed ones by name, others by server_uuid;
    `degraded` tells that it may commit without acknowledgements. It is recorded before that begins, and after it ends.
    `inherited` is what it has executed without having made it: the history before it, common to the cluster. None where
    nobody has written that down.
    """

    name: str
    server_uuid: str
    epoch: int
    ackers: tuple[str, ...] = ()
    degraded: bool = False
    inherited: GtidSet | None = None

    @property
    def trouble(self) -> str:
        """The name under which log files are linked when this primary is in trouble: never again after it."""
        return f"{TROUBLE}{self.epoch}-{self.server_uuid[:8]}"


@dataclass(frozen=True, slots=True)
class Pause:
    """Somebody asked for no acts until `until` (wall seconds, None without an end); empty `server`: on the whole
    cluster.
    """

    by: str
    reason: str
    until: float | None = None
    server: str = ""

    def over(self, wall: float) -> bool:
        """Whether its end has passed."""
        return self.until is not None and self.until <= wall


# A lock may have been taken this often since the last act that an agent saw. Fewer than the epochs that a claim asks a
# server for, so that a manager of the time before still sees that it is over.
EPOCHS_UNSEEN = 16


@dataclass(frozen=True, slots=True)
class DiskTrouble:
    """A file system that takes no writes, as an agent found it: `full` or `read-only`, first and last seen so."""

    what: str
    since: float
    seen_at: float

    @property
    def confirmed(self) -> bool:
        """Whether a later look by the agent found the same: a file that filled the disk may be gone again."""
        return self.seen_at > self.since


@dataclass(frozen=True, slots=True)
class History:
    """What is remembered of one cluster between looks.

    `misses` counts looks in a row in which the primary did not answer; `down_since`, `refused_since` and
    `leaving_since` are the first such look. `last_writable_at` is our last look at the primary accepting writes;
    `last_executed` its set then.
    `last_started_at` is when that server had been started then: a server found with a later start has been restarted.
    `about` is the server_uuid that misses and last looks are about: they start anew when another primary is recorded.
    `last_failover_at` is wall-clock seconds, because it outlives the process; `last_attempt_at` is the end of the last
    operation of our own that came to nothing, on the same clock, `last_reopening_at` that of the last reopening among
    them. `settings_of` names the manager that was active before
    us with other settings, `settings_since` is when we followed it. `epoch` is ours while we are active, else 0;
    `agents_epoch` the highest that any agent has acted under.
    `stuck_since` is the first of the looks in a row in which sessions waited and nothing was committed, `still_since`
    of those in which nothing was committed. `unwritten` is what the write probe tells. `crashes` are
    the looks that found the primary started anew without having been stopped by order. `disk` is what its agent says of
    the file system below its data. `failing_since` is when this cluster's primary failed and `others_failing` when
    those of other clusters did, in wall-clock seconds and as all managers know it. `unwritable` is why we could not
    read or write the records when we were about to act, though we had the lock, at `unwritable_at`; `unread` why a
    command could not read them, and so knows of no recorded primary.
    """

    recorded: Recorded | None = None
    unread: str = ""
    misses: int = 0
    down_since: float | None = None
    refused_since: float | None = None
    leaving_since: float | None = None
    last_writable_at: float | None = None
    last_started_at: float | None = None
    last_executed: GtidSet = field(default_factory=GtidSet)
    last_holdings: tuple[tuple[str, GtidSet], ...] = ()
    last_failover_at: float | None = None
    last_attempt_at: float | None = None
    last_reopening_at: float | None = None
    paused: Pause | None = None
    paused_servers: tuple[Pause, ...] = ()
    open_operation: str = ""
    about: str = ""
    settings_of: str = ""
    settings_since: float | None = None
    epoch: int = 0
    agents_epoch: int = 0
    stuck_since: float | None = None
    crashes: tuple[float, ...] = ()
    disk: DiskTrouble | None = None
    start_seen: float | None = None
    left_in_order: bool = False
    still_since: float | None = None
    unwritten: Unwritten | None = None
    failing_since: float | None = None
    others_failing: tuple[tuple[str, float], ...] = ()
    unwritable: str = ""
    unwritable_at: float | None = None

    @property
    def behind(self) -> bool:
        """Whether the records of coordination were lost: agents have acted under a later epoch than ours, or, where
        no primary is on record, under one that ours is not safely above.
        """
        if not self.epoch or not self.agents_epoch:
            return False
        unseen = 0 if self.recorded else EPOCHS_UNSEEN + 1
        return self.epoch < self.agents_epoch + unseen

    def holdings(self) -> dict[str, GtidSet]:
        """For each server the executed and received set of the last look that reached it."""
        return dict(self.last_holdings)

    def after(self, snapshot: TopologySnapshot) -> History:
        """The memory after one more look."""
        kept = self.holdings() | {s.name: s.holds for s in snapshot.reached()}
        remembered = replace(self, last_holdings=tuple(sorted(kept.items())))
        if self.recorded is None:
            return remembered
        remembered = remembered.concerning(self.recorded.server_uuid)
        remembered = after_word(remembered, snapshot.facts(self.recorded.name))
        sight = snapshot.sights.get(self.recorded.name)
        if sight is None:
            return remembered
        if isinstance(sight, Unreachable) and sight.why in SAYS_NOTHING:
            return remembered
        if isinstance(sight, Unreachable) and sight.why not in SAYS_ALIVE:
            return after_miss(remembered, sight)
        awake = replace(remembered, misses=0, down_since=None, refused_since=None, leaving_since=None)
        return awake if isinstance(sight, Unreachable) else after_answer(awake, sight)

    def concerning(self, server_uuid: str) -> History:
        """The memory as far as it is about this primary; what was remembered about another one says nothing here."""
        if self.about in {"", server_uuid}:
            return replace(self, about=server_uuid)
        return History(
            self.recorded,
            last_holdings=self.last_holdings,
            last_failover_at=self.last_failover_at,
            last_attempt_at=self.last_attempt_at,
            last_reopening_at=self.last_reopening_at,
            paused=self.paused,
            paused_servers=self.paused_servers,
            open_operation=self.open_operation,
            about=server_uuid,
            settings_of=self.settings_of,
            settings_since=self.settings_since,
            epoch=self.epoch,
            agents_epoch=self.agents_epoch,
        )


def started_anew(known: float | None, started: float, told: float, begun: float) -> bool:
    """Whether a server was started after an operation began.

    `known` is its start when we last saw it take writes and `started` its start now, by our clock: that decides. Only
    where we never saw it do times of day: `told` is its start and `begun` the operation's begin, maybe by another
    manager's clock, and those may differ by hours.
    """
    return started - known > START_JITTER if known is not None else told > begun + START_SLACK


def after_answer(history: History, sight: ServerState) -> History:
    """The memory after a look in which the recorded primary answered; of another server there nothing is learnt."""
    if history.about != sight.server_uuid:
        return history
    restarted = history.start_seen is not None and sight.started_at - history.start_seen > START_JITTER
    crashed = restarted and not history.left_in_order
    stuck = sight.waits is not None and bool(sight.waits.stuck or sight.waits.acknowledgement)
    since = history.stuck_since if history.stuck_since is not None else sight.read_at
    known = replace(
        history,
        start_seen=sight.started_at,
        crashes=(*history.crashes, sight.read_at)[-_CRASHES_KEPT:] if crashed else history.crashes,
        left_in_order=False,
        stuck_since=since if stuck else None,
        still_since=(history.still_since or sight.read_at) if sight.waits is not None else None,
    )
    if not sight.writable:
        return known
    went_back = not history.last_executed <= sight.executed
    return replace(
        known,
        last_writable_at=sight.read_at,
        last_started_at=sight.started_at,
        last_executed=history.last_executed if went_back else sight.executed,
    )


def after_word(history: History, facts: HostFacts | None) -> History:
    """The memory after what the agent on the primary's host said: of its disk, and of how it ended."""
    if facts is None or (history.disk is not None and facts.read_at <= history.disk.seen_at):
        return history
    what = disk_trouble(facts)
    same = history.disk is not None and history.disk.what == what
    since = history.disk.since if history.disk is not None and same else facts.read_at
    in_order = history.left_in_order or (not facts.alive and facts.orderly is True)
    return replace(history, disk=DiskTrouble(what, since, facts.read_at) if what else None, left_in_order=in_order)


def disk_trouble(facts: HostFacts) -> str:
    """What keeps a file system from taking writes: `read-only`, `full`, or nothing."""
    if facts.disk_read_only:
        return "read-only"
    return "full" if facts.disk_free is not None and facts.disk_free < NO_ROOM else ""


def after_miss(history: History, sight: Unreachable) -> History:
    """The memory after a look in which the recorded primary did not answer."""
    first = sight.read_at
    refused = history.refused_since if history.refused_since is not None else first
    leaving = history.leaving_since if history.leaving_since is not None else first
    return replace(
        history,
        misses=history.misses + 1,
        down_since=history.down_since if history.down_since is not None else first,
        refused_since=refused if sight.why in {Why.REFUSED, Why.RESET} else history.refused_since,
        leaving_since=leaving if sight.why is Why.LEAVING else history.leaving_since,
        left_in_order=history.left_in_order or sight.why is Why.LEAVING,
    )
