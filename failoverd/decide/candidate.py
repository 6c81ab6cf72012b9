"""Choosing a candidate: a table of obstacles, then the most advanced by what it can execute, then preference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from failoverd.decide.errant import errant, legitimate
from failoverd.gtid import GtidSet
from failoverd.model.counted import counted
from failoverd.model.errors import FailoverdError
from failoverd.model.history import History
from failoverd.model.policy import ClusterPolicy, Promote, ServerSpec
from failoverd.model.ranking import Ranking
from failoverd.model.sight import ServerState, Thread
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.sources import can_execute, sources_for
from failoverd.model.stall import PASSING
from failoverd.model.steps import SPLICE_CHANNEL

OWN_CHANNELS = frozenset({"", SPLICE_CHANNEL})


@dataclass(frozen=True, slots=True)
class Contender:
    """One listed server in the election; `state` is None where it did not answer.

    `away_from` is the old primary's site where the policy keeps the primary there and this server stands elsewhere.
    """

    spec: ServerSpec
    state: ServerState | None
    why_silent: str = ""
    errant: GtidSet = field(default_factory=GtidSet)
    holes: GtidSet = field(default_factory=GtidSet)
    away_from: str = ""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One row: why a server cannot be promoted; `found` answers with the sentence's end, or None.

    `hint` is what a person does about it.
    """

    id: str
    sentence: str
    found: Callable[[Contender], str | None]
    hint: str


def _when(holds: bool, detail: str = "") -> str | None:
    return detail if holds else None


def _foreign_channels(c: Contender) -> str | None:
    names = sorted(ch.name for ch in c.state.channels if ch.name not in OWN_CHANNELS) if c.state else []
    return ", ".join(names) or None


def _broken_applier(c: Contender) -> str | None:
    channel = c.state.main if c.state else None
    if channel is None or channel.applier is Thread.YES or not channel.applier_trouble:
        return None
    if channel.applier_trouble.code in PASSING:
        return None  # it is started again once what held it up is out of the way
    return f"error {channel.applier_trouble.code}: {channel.applier_trouble.text}"


def _delay(c: Contender) -> str | None:
    delay = c.state.main.delay if c.state and c.state.main else 0
    return f"{delay} s" if delay else None


def _filters(c: Contender) -> str | None:
    return ", ".join(c.state.main.filters) or None if c.state and c.state.main else None


def _setting(name: str) -> Callable[[Contender], str | None]:
    return lambda c: _when(c.state is not None and not getattr(c.state.settings, name))


OBSTACLES: tuple[Obstacle, ...] = (
    Obstacle(
        "maintenance",
        "it is in maintenance",
        lambda c: _when(c.spec.maintenance),
        "take maintenance: true out of the configuration when the work is done",
    ),
    Obstacle(
        "unreachable",
        "it could not be read: {detail}",
        lambda c: _when(c.state is None, c.why_silent),
        "look at the server and at the way to it",
    ),
    Obstacle(
        "never",
        "it must never be promoted by configuration",
        lambda c: _when(c.spec.promote is Promote.NEVER),
        "another value of promote, if it may",
    ),
    Obstacle(
        "other-site",
        "it is not on site {detail}, which the primary must not leave",
        lambda c: c.away_from or None,
        "name it with --to, or say failover.allow_site_change: true",
    ),
    Obstacle(
        "gtid-off",
        "its GTID mode is off",
        _setting("gtid_mode"),
        "set gtid_mode=ON and enforce_gtid_consistency=ON there",
    ),
    Obstacle("no-binary-log", "it writes no binary log", _setting("log_bin"), "start it with log_bin"),
    Obstacle(
        "no-replica-updates",
        "it does not log what it replicates",
        _setting("log_replica_updates"),
        "start it with log_replica_updates=ON",
    ),
    Obstacle(
        "other-channels",
        "it has channels of its own: {detail}",
        _foreign_channels,
        "remove the channels, or --override other-channels",
    ),
    Obstacle(
        "filtered",
        "filters keep something out of it: {detail}",
        _filters,
        "remove the filters and rebuild it, or say promote: never",
    ),
    Obstacle(
        "errant",
        "it has transactions nobody else knows: {detail}",
        lambda c: c.errant.shorten() or None,
        "judge these transactions; --override errant-candidate makes them everybody's",
    ),
    Obstacle("delayed", "it applies with a delay of {detail}", _delay, "SOURCE_DELAY=0, or say promote: never"),
    Obstacle(
        "offline",
        "it is in offline mode",
        lambda c: _when(c.state is not None and c.state.offline_mode),
        "SET GLOBAL offline_mode=OFF",
    ),
    Obstacle(
        "broken-applier",
        "its applier stopped with {detail}",
        _broken_applier,
        "mend what the error names; failoverd repair mends a relay log that cannot be read",
    ),
    Obstacle(
        "gap",
        "it lacks transactions below its latest: {detail}",
        lambda c: c.holes.shorten() or None,
        "bring up the server that has them, or --override missing-transactions",
    ),
)

# Which obstacle a person may override, and the refusal's name for it.
OVERRIDES: Mapping[str, str] = {
    "errant": "errant-candidate",
    "other-channels": "other-channels",
    "gap": "missing-transactions",
}


@dataclass(frozen=True, slots=True)
class Field:
    """What all contenders are measured against."""

    snapshot: TopologySnapshot
    history: History
    policy: ClusterPolicy
    old: str
    errant: Mapping[str, GtidSet]
    target: GtidSet
    known: GtidSet

    @property
    def site(self) -> str:
        """Where the old primary stands; empty where that is not said."""
        return next((spec.site for spec in self.policy.servers if spec.name == self.old), "")

    def reach(self, state: ServerState) -> GtidSet:
        """What this server can have executed in the end: its own part and all that can be brought to it."""
        whole = can_execute(state)
        for source in sources_for(self.snapshot, state.name, self.old, self.errant):
            whole |= source.gtids
        return whole


def rank(
    snapshot: TopologySnapshot,
    history: History,
    policy: ClusterPolicy,
    wanted: str = "",
    overrides: frozenset[str] = frozenset(),
    obstacles: tuple[Obstacle, ...] = OBSTACLES,
) -> Ranking:
    """Choose who should win. FailoverdError when `wanted` is no member.

    Most advanced first, by what it can execute without anybody's help; equals by preference, then the old primary's
    site, then the configuration's order. A server that people would rather avoid wins only where nobody else can.
    """
    if wanted and wanted not in {s.name for s in policy.servers}:
        names = ", ".join(s.name for s in policy.servers)
        raise FailoverdError(f"cluster {policy.name} has no server {wanted}", "", f"its servers are {names}")
    ground = survey(snapshot, history, policy)
    stopped: dict[str, tuple[tuple[str, str], ...]] = {}
    eligible: list[ServerState] = []
    for spec in policy.servers:
        if spec.name == ground.old:
            continue
        contender = enter(ground, spec, named=spec.name == wanted)
        found = hindrances(contender, obstacles, overrides)
        if found:
            stopped[spec.name] = found
        elif contender.state is not None:
            eligible.append(contender.state)
    eligible.sort(key=lambda state: precedence(ground, state))
    return result(ground, eligible, stopped, wanted)


def survey(snapshot: TopologySnapshot, history: History, policy: ClusterPolicy) -> Field:
    """The legitimate union of everything that reached servers and surviving logs hold, and who has errant parts."""
    whole = GtidSet()
    for state in snapshot.reached():
        whole |= state.holds
    for holding in snapshot.holdings:
        whole |= holding.missing
    known = history.last_executed
    for _, held in history.last_holdings:
        known |= held
    own = {s.name: errant(s, snapshot, history) for s in snapshot.reached()}
    return Field(
        snapshot=snapshot,
        history=history,
        policy=policy,
        old=history.recorded.name if history.recorded else "",
        errant={name: found for name, found in own.items() if found},
        target=legitimate(whole, snapshot, history),
        known=legitimate(known, snapshot, history),
    )


def enter(ground: Field, spec: ServerSpec, *, named: bool) -> Contender:
    """One server as the obstacles see it; one that is named may stand on any site."""
    state = ground.snapshot.state(spec.name)
    missed = ground.snapshot.missed(spec.name)
    if state is None:
        return Contender(spec, None, missed.text or str(missed.why))
    bound = not (named or ground.policy.failover.allow_site_change or spec.site == ground.site)
    away_from = ground.site if bound else ""
    return Contender(spec, state, "", ground.errant.get(spec.name, GtidSet()), holes(ground, state), away_from)


def holes(ground: Field, state: ServerState) -> GtidSet:
    """What a server lacks below its latest transaction of the old primary, where nobody can give it back.

    Numbers that the primary itself never had when it was last seen are no holes.
    """
    uuid = ground.history.recorded.server_uuid if ground.history.recorded else ""
    end = ground.reach(state)
    gaps: dict[tuple[str, str], tuple[tuple[int, int], ...]] = {}
    for part, tag, intervals in end.of_uuid(uuid).parts() if uuid else ():
        inner = tuple((a[1] + 1, b[0] - 1) for a, b in pairwise(intervals))
        gaps[part, tag] = inner
    seen = ground.history.last_executed
    return GtidSet.of(gaps) & seen if seen else GtidSet.of(gaps)


def hindrances(
    contender: Contender, obstacles: tuple[Obstacle, ...], overrides: frozenset[str]
) -> tuple[tuple[str, str], ...]:
    """Rows that stand against a server, as id and sentence; an unreachable one is asked nothing further."""
    found = []
    for row in obstacles:
        detail = row.found(contender)
        if detail is not None and OVERRIDES.get(row.id, "") not in overrides:
            found.append((row.id, row.sentence.format(detail=detail)))
    return tuple(found)


def precedence(ground: Field, state: ServerState) -> tuple[bool, bool, int, bool, bool, int]:
    """The order of eligible servers; counting respects inclusion, since all are measured against one target.

    What a damaged relay log still holds can be copied to a sound server; the damaged one's own applier stops at it.
    """
    specs = ground.policy.servers
    spec = ground.policy.server(state.name)
    has = len(can_execute(state) & ground.target)
    last = spec.promote is Promote.AVOID, state.main is not None and bool(state.main.damage)
    return *last, -has, spec.promote is not Promote.PREFER, spec.site != ground.site, specs.index(spec)


def result(
    ground: Field,
    eligible: list[ServerState],
    stopped: Mapping[str, tuple[tuple[str, str], ...]],
    wanted: str,
) -> Ranking:
    """The ranking: the elect, what it can reach, and for everybody else why not."""
    able = [s for s in eligible if not wanted or s.name == wanted]
    elect = able[0] if able else None
    why_not = [(name, "; ".join(sentence for _, sentence in rows)) for name, rows in stopped.items()]
    why_not += [(s.name, lost_to(ground, s, elect, wanted)) for s in eligible if s is not elect]
    order = [spec.name for spec in ground.policy.servers]
    target, missing = ground.target, ground.known - ground.target
    if elect is not None:
        target = ground.target & ground.reach(elect)
        missing = (ground.known | ground.target) - target
    return Ranking(
        elect=elect.name if elect else "",
        target=target,
        missing=missing,
        why_not=tuple(sorted(why_not, key=lambda pair: order.index(pair[0]))),
        obstacles=tuple((name, tuple(row for row, _ in rows)) for name, rows in stopped.items()),
        errant=tuple(sorted(ground.errant.items())),
    )


def lost_to(ground: Field, state: ServerState, elect: ServerState | None, wanted: str) -> str:
    """Why an eligible server does not win."""
    if elect is None or elect.name == wanted:
        return f"{wanted} was asked for"
    mine, best = precedence(ground, state), precedence(ground, elect)
    if mine[0] != best[0]:
        return "it is to be avoided"
    if mine[1] != best[1]:
        return f"its relay log is damaged: {state.main.damage if state.main else ''}"
    if mine[2] != best[2]:
        return f"{elect.name} is ahead of it by {counted(mine[2] - best[2], 'transaction')}"
    if mine[3] != best[3]:
        return f"equal to {elect.name}, which is preferred"
    return f"equal to {elect.name}, which {'is on the old site' if mine[4] != best[4] else 'comes first'}"
