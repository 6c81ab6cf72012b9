"""What is wrong with single servers, as a table: shown with every verdict, whatever it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from failoverd.decide.candidate import OWN_CHANNELS
from failoverd.decide.errant import errant
from failoverd.decide.situation import Situation
from failoverd.model.ackers import strangers
from failoverd.model.counted import counted
from failoverd.model.history import disk_trouble
from failoverd.model.host import AgentSilent
from failoverd.model.sight import Channel, ServerState, Thread, Why
from failoverd.model.verdict import Problem

# Errors of an applier that cannot read its relay log or find its place in it, in the numbers of both generations. The
# same numbers come of a transient fault or a missing key: reading the files tells, and a repair tries a start first.
UNREADABLE = frozenset({1594, 13121, 1593, 13117, 1872, 13123, 13124})


@dataclass(frozen=True, slots=True)
class Row:
    """One problem of one server; `found` answers with a detail for the sentence, or None."""

    id: str
    sentence: str
    hint: str
    found: Callable[[Situation, str], str | None]


def _channel(s: Situation, name: str) -> Channel | None:
    """By which it follows; what is left of one on the primary has a row of its own."""
    state = s.snapshot.state(name)
    return state.main if state is not None and _left(s, name) is None else None


def _state(s: Situation, name: str) -> ServerState | None:
    return s.snapshot.state(name)


def _left(s: Situation, name: str) -> Channel | None:
    """The default channel of the recorded primary, while nothing comes in by it."""
    main = s.primary.main if s.primary is not None and name == s.recorded.name else None
    return main if main is not None and main.receiver is not Thread.YES else None


def access_denied(s: Situation, name: str) -> str | None:
    """It lives, and our password is wrong there."""
    missed = s.snapshot.missed(name)
    return missed.text if missed.why is Why.ACCESS_DENIED else None


def unreachable(s: Situation, name: str) -> str | None:
    """It could not be read, for any other reason."""
    missed = s.snapshot.missed(name)
    return None if s.snapshot.state(name) or missed.why is Why.ACCESS_DENIED else missed.text or str(missed.why)


def receiver_error(s: Situation, name: str) -> str | None:
    """The receiver does not run, and says why."""
    channel = _channel(s, name)
    if channel is None or channel.receiver is Thread.YES or not channel.receiver_trouble:
        return None
    return f"{channel.receiver_trouble.code} {channel.receiver_trouble.text}"


def receiver_stopped(s: Situation, name: str) -> str | None:
    """The receiver was stopped by somebody."""
    channel = _channel(s, name)
    stopped = channel is not None and channel.receiver is Thread.NO and not channel.receiver_trouble
    return "" if stopped else None


def old_source_left(s: Situation, name: str) -> str | None:
    """The primary has a source, by which it once followed: a START REPLICA there would take in another history."""
    channel, state = _left(s, name), _state(s, name)
    if channel is None or state is None:
        return None
    rest = f"; received and not executed: {len(state.unapplied)}" if state.unapplied else ""
    return f"{channel.source}{rest}"


def applier_error(s: Situation, name: str) -> str | None:
    """The applier stopped with an error."""
    channel = _channel(s, name)
    if channel is None or channel.applier is Thread.YES or not channel.applier_trouble:
        return None
    if channel.applier_trouble.code in UNREADABLE:
        return None  # has a row of its own
    return f"{channel.applier_trouble.code} {channel.applier_trouble.text}"


def relay_damaged(s: Situation, name: str) -> str | None:
    """The applier cannot read its relay log, or an agent found it damaged before the applier got there."""
    channel = _channel(s, name)
    if channel is None:
        return None
    stopped = channel.applier is not Thread.YES and channel.applier_trouble.code in UNREADABLE
    trouble = f"error {channel.applier_trouble.code}: {channel.applier_trouble.text}" if stopped else ""
    return "; ".join(filter(None, (channel.damage, trouble))) or None


def applier_stopped(s: Situation, name: str) -> str | None:
    """The applier was stopped by somebody."""
    channel = _channel(s, name)
    return "" if channel is not None and channel.applier is not Thread.YES and not channel.applier_trouble else None


def errant_transactions(s: Situation, name: str) -> str | None:
    """It has transactions that the primary never had."""
    state = _state(s, name)
    if state is None or name == s.recorded.name or s.history.recorded is None:
        return None
    found = errant(state, s.snapshot, s.history)
    return f"{len(found)}: {found.shorten()}" if found else None


def follows_stranger(s: Situation, name: str) -> str | None:
    """It follows a server that is not listed."""
    state = _state(s, name)
    source = s.source_of(state) if state is not None and _left(s, name) is None else ""
    return source if source and source not in {spec.name for spec in s.policy.servers} else None


def follows_nobody(s: Situation, name: str) -> str | None:
    """It is not the primary and follows nobody."""
    state = _state(s, name)
    if state is None or name == s.recorded.name or s.history.recorded is None:
        return None
    return "" if not s.source_of(state) else None


def own_channels(s: Situation, name: str) -> str | None:
    """It replicates from elsewhere too."""
    state = _state(s, name)
    names = sorted(c.name for c in state.channels if c.name not in OWN_CHANNELS) if state is not None else []
    return ", ".join(names) or None


def agent_silent(s: Situation, name: str) -> str | None:
    """Its agent was asked and did not answer."""
    sight = s.snapshot.hosts.get(name)
    return f"{sight.state}, {sight.text}" if isinstance(sight, AgentSilent) else None


def semi_sync_missing(s: Situation, name: str) -> str | None:
    """Lossless is wanted, and a plugin for it is not loaded."""
    state = _state(s, name)
    if state is None or not s.policy.lossless:
        return None
    semi = state.semi_sync
    loaded = {"rpl_semi_sync_source": semi.source_plugin, "rpl_semi_sync_replica": semi.replica_plugin}
    return " and ".join(plugin for plugin, there in loaded.items() if not there) or None


def not_waiting(s: Situation, name: str) -> str | None:
    """The primary acknowledges commits that may be nowhere else."""
    state = _state(s, name)
    if state is None or not s.policy.lossless or name != s.recorded.name or not state.semi_sync.source_plugin:
        return None
    return state.semi_sync.lacks(s.policy.semi_sync.wait_count) or None


def acks_too_few(s: Situation, name: str) -> str | None:
    """The primary waits for more replicas than acknowledge to it: its commits hang."""
    state, wanted = _state(s, name), s.policy.semi_sync.wait_count
    if state is None or name != s.recorded.name or not state.semi_sync.source_on or state.semi_sync.clients >= wanted:
        return None
    return (
        f"{state.semi_sync.clients} of {wanted}, {counted(state.semi_sync.waiting, 'session waits', 'sessions wait')}"
    )


def not_acknowledging(s: Situation, name: str) -> str | None:
    """A replica of a lossless cluster that acknowledges nothing, or waits for others itself."""
    state = _state(s, name)
    if state is None or not s.policy.lossless or name == s.recorded.name or not state.semi_sync.replica_plugin:
        return None
    if state.acknowledging:
        return None
    return "it waits for acknowledgements itself" if state.semi_sync.source_on else "it gives no acknowledgements"


def unlisted_acker(s: Situation, name: str) -> str | None:
    """A server that is not listed acknowledges commits: nobody counts it when the primary is gone."""
    if name != s.recorded.name or not s.policy.lossless or s.primary is None:
        return None
    return ", ".join(strangers(s.snapshot, s.policy, s.primary)) or None


def sessions_wait(s: Situation, name: str) -> str | None:
    """Writes have begun to wait; what becomes of it is the rules' matter."""
    state = _state(s, name)
    waits = state.waits if state is not None and name == s.recorded.name else None
    return str(waits) if waits is not None and waits.stuck else None


def disk_takes_nothing(s: Situation, name: str) -> str | None:
    """Its agent finds no room, or a file system that is read-only."""
    facts = s.snapshot.facts(name)
    return disk_trouble(facts) or None if facts is not None else None


def source_down(s: Situation, name: str) -> str | None:
    """A chained replica whose own source is away gets nothing, although the primary lives."""
    state = _state(s, name)
    source = s.source_of(state) if state is not None and _left(s, name) is None else ""
    away = source in s.snapshot.sights and s.snapshot.state(source) is None
    return source if away and source != s.recorded.name else None


def nobody_follows(s: Situation, name: str) -> str | None:
    """The primary serves its clients, and no replica gets what they write."""
    replicas = [spec.name for spec in s.policy.servers if spec.name != name and not spec.maintenance]
    if name != s.recorded.name or s.primary is None or not replicas:
        return None
    fed = [r for r in s.others() if s.follows(r, s.primary) and r.main and r.main.receiver is Thread.YES]
    return None if fed else ", ".join(replicas)


PROBLEMS: tuple[Row, ...] = (
    Row("access-denied", "{name} refuses our login: {detail}", "check the manager's account there", access_denied),
    Row("unreachable", "{name} could not be read: {detail}", "look at the server and at the way to it", unreachable),
    Row("receiver-error", "the receiver of {name} fails: {detail}", "mend what the error names", receiver_error),
    Row("receiver-stopped", "the receiver of {name} is stopped", "START REPLICA IO_THREAD", receiver_stopped),
    Row(
        "old-source-left",
        "{name} is the primary and has a source left: {detail}",
        "RESET REPLICA ALL FOR CHANNEL '' there; never START REPLICA, which would take in another server's history; "
        "keep its relay logs first where something is not executed",
        old_source_left,
    ),
    Row("applier-error", "the applier of {name} fails: {detail}", "mend what the error names", applier_error),
    Row(
        "relay-log-damaged",
        "{name} cannot read its relay log: {detail}",
        "failoverd repair CLUSTER SERVER; never skip a transaction, never delete a file",
        relay_damaged,
    ),
    Row("applier-stopped", "the applier of {name} is stopped", "START REPLICA SQL_THREAD", applier_stopped),
    Row(
        "errant",
        "{name} has errant transactions, {detail}",
        "never promote it before they are judged",
        errant_transactions,
    ),
    Row(
        "wrong-source",
        "{name} follows {detail}, which is not listed",
        "point it at a listed server, or list that server by the name that replicas use",
        follows_stranger,
    ),
    Row("no-source", "{name} follows nobody", "attach it, or take it out of the configuration", follows_nobody),
    Row(
        "other-channels", "{name} has channels of its own: {detail}", "it will not be promoted by itself", own_channels
    ),
    Row(
        "source-down",
        "{name} follows {detail}, which is away",
        "bring that one back, or let it follow the primary",
        source_down,
    ),
    Row(
        "nobody-follows",
        "nobody gets what {name} commits: {detail}",
        "mend the replicas: if it dies now, what its own host cannot give back is lost",
        nobody_follows,
    ),
    Row(
        "sessions-wait",
        "writes to {name} wait: {detail}",
        "find who holds the lock: performance_schema.metadata_locks; a backup gives it back by itself",
        sessions_wait,
    ),
    Row(
        "disk",
        "the file system below the data of {name} is {detail}",
        "make room, or mend the disk and start the server again",
        disk_takes_nothing,
    ),
    Row("agent", "the agent of {name} does not answer: {detail}", "failoverd agent check", agent_silent),
    Row(
        "semi-sync-missing",
        "{name} cannot take part in lossless replication, not loaded: {detail}",
        "plugin-load-add = semisync_source.so;semisync_replica.so in its configuration, and a restart",
        semi_sync_missing,
    ),
    Row(
        "not-waiting",
        "{name} may lose what it acknowledges: {detail}",
        "the active manager sets this; is there one, and can enough replicas acknowledge?",
        not_waiting,
    ),
    Row(
        "acks-too-few",
        "too few replicas acknowledge to {name}: {detail}",
        "mend the replicas; until then its commits wait",
        acks_too_few,
    ),
    Row(
        "not-acknowledging",
        "{name} does not take part in lossless replication: {detail}",
        "the active manager sets this; is there one?",
        not_acknowledging,
    ),
    Row(
        "unlisted-acker",
        "{name} gets acknowledgements from servers that are not listed: {detail}",
        "list them, or switch rpl_semi_sync_replica_enabled off there: a failover cannot count them",
        unlisted_acker,
    ),
)


def problems(s: Situation, rows: tuple[Row, ...] = PROBLEMS) -> tuple[Problem, ...]:
    """Every problem of every listed server, in the configuration's order."""
    found = []
    for spec in s.policy.servers:
        for row in rows:
            detail = row.found(s, spec.name)
            if detail is not None:
                found.append(Problem(row.id, spec.name, row.sentence.format(name=spec.name, detail=detail), row.hint))
    return tuple(found)
