"""What earlier looks and the journal told: the memory that a single snapshot cannot have. Times are our clock's
seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from failoverd.gtid import GtidSet
from failoverd.model.sight import Unreachable, Why
from failoverd.model.snapshot import TopologySnapshot

# A failed look that proves a living server ends a row of misses; one that failed on our own side changes nothing.
SAYS_ALIVE = frozenset({Why.ALIVE, Why.ACCESS_DENIED})
SAYS_NOTHING = frozenset({Why.OWN_SIDE, Why.NOT_ASKED})


@dataclass(frozen=True, slots=True)
class Recorded:
    """The primary as coordination records it: name, server_uuid and the epoch that made it so.

    In lossless mode `ackers` is everybody who was seen acknowledging to it, listed ones by name, others by server_uuid;
    `degraded` tells that it may commit without acknowledgements. It is recorded before that begins, and after it ends.
    """

    name: str
    server_uuid: str
    epoch: int
    ackers: tuple[str, ...] = ()
    degraded: bool = False


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


@dataclass(frozen=True, slots=True)
class History:
    """What is remembered of one cluster between looks.

    `misses` counts looks in a row in which the primary did not answer; `down_since`, `refused_since` and
    `leaving_since` are the first such look. `last_writable_at` is our last look at the primary accepting writes;
    `last_executed` its set then.
    `last_started_at` is when that server had been started then: a server found with a later start has been restarted.
    `about` is the server_uuid that misses and last looks are about: they start anew when another primary is recorded.
    `last_failover_at` is wall-clock seconds, because it outlives the process; `last_attempt_at` is the end of the last
    operation of our own that came to nothing, on the same clock. `settings_of` names the manager that was active before
    us with other settings, `settings_since` is when we followed it. `epoch` is ours while we are active, else 0;
    `agents_epoch` the highest that any agent has acted under.
    """

    recorded: Recorded | None = None
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
    paused: Pause | None = None
    paused_servers: tuple[Pause, ...] = ()
    open_operation: str = ""
    about: str = ""
    settings_of: str = ""
    settings_since: float | None = None
    epoch: int = 0
    agents_epoch: int = 0

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
        sight = snapshot.sights.get(self.recorded.name)
        if sight is None:
            return remembered
        if isinstance(sight, Unreachable) and sight.why in SAYS_NOTHING:
            return remembered
        if isinstance(sight, Unreachable) and sight.why not in SAYS_ALIVE:
            return after_miss(remembered, sight)
        awake = replace(remembered, misses=0, down_since=None, refused_since=None, leaving_since=None)
        if isinstance(sight, Unreachable) or not sight.writable:
            return awake
        return replace(
            awake,
            last_writable_at=sight.read_at,
            last_started_at=sight.started_at,
            last_executed=sight.executed,
        )

    def concerning(self, server_uuid: str) -> History:
        """The memory as far as it is about this primary; what was remembered about another one says nothing here."""
        if self.about in {"", server_uuid}:
            return replace(self, about=server_uuid)
        return History(
            self.recorded,
            last_holdings=self.last_holdings,
            last_failover_at=self.last_failover_at,
            last_attempt_at=self.last_attempt_at,
            paused=self.paused,
            paused_servers=self.paused_servers,
            open_operation=self.open_operation,
            about=server_uuid,
            settings_of=self.settings_of,
            settings_since=self.settings_since,
            epoch=self.epoch,
            agents_epoch=self.agents_epoch,
        )


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
    )
