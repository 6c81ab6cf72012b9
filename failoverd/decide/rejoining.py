"""Which servers have come back or lost their way, whom each should follow, and what stands against attaching one.

A set that lies inside the primary's is all the evidence there is that nothing diverged, so everything here is judged on
what the servers say now, never on what they are supposed to hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from failoverd.decide.situation import Situation
from failoverd.gtid import GtidSet
from failoverd.model.comings import Comings
from failoverd.model.counted import counted
from failoverd.model.divergence import Cure
from failoverd.model.host import HostFacts
from failoverd.model.sight import ServerState, Thread, Why
from failoverd.model.stall import PASSING

# An intermediate source that restarts is back within this time, and its replicas with it (seconds).
ORPHAN_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Return:
    """A server that needs attaching: whom it should follow, and why in words."""

    server: str
    source: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Reason:
    """One row: why a server needs attaching; its sentence may name {server}, {source} and {primary}."""

    id: str
    sentence: str
    holds: Callable[[Situation, Comings, ServerState], bool]


def serving(s: Situation) -> ServerState | None:
    """The recorded primary, if it answers as itself and takes writes: only that one is worth following."""
    primary = s.primary
    if primary is None or not primary.writable or primary.server_uuid != s.recorded.server_uuid:
        return None
    return primary


def former(s: Situation, state: ServerState) -> bool:
    """Whether a server was the primary once and is not now: the primary has what it wrote, and it follows nobody."""
    primary = serving(s)
    if primary is None or state.name == primary.name or s.source_of(state):
        return False
    return bool(primary.executed.of_uuid(state.server_uuid))


def takes_writes(s: Situation, comings: Comings, state: ServerState) -> bool:
    """An old primary that came back open, or woke up."""
    del comings
    return state.writable and former(s, state)


def alone(s: Situation, comings: Comings, state: ServerState) -> bool:
    """It follows nobody, and not by a person's will: it was the primary, was restarted, or was disarmed by us."""
    if s.source_of(state) or state.writable:
        return False
    return former(s, state) or comings.of(state.name).returned or state.main is not None


def orphaned(s: Situation, comings: Comings, state: ServerState) -> bool:
    """Its source is a member that is gone for longer than a restart takes."""
    source = s.source_of(state)
    since = comings.of(source).missed_since
    if source in {"", s.recorded.name} or s.snapshot.state(source) is not None or since is None:
        return False
    return not connected(state) and s.since(since) >= ORPHAN_PATIENCE


def astray(s: Situation, comings: Comings, state: ServerState) -> bool:
    """Its source is a member that answers and does not lead to the primary."""
    del comings
    source, primary = s.snapshot.state(s.source_of(state)), serving(s)
    if source is None or primary is None:
        return False
    return source.name not in s.below(primary)


def stopped_by_restart(s: Situation, comings: Comings, state: ServerState) -> bool:
    """It was restarted without its threads; a receiver that a person has stopped had run since the start."""
    main = state.main
    if main is None or not s.source_of(state) or not comings.of(state.name).returned:
        return False
    return main.receiver is Thread.NO and not main.receiver_trouble


REASONS: tuple[Reason, ...] = (
    Reason("takes-writes", "{server} takes writes, and {primary} is the primary now", takes_writes),
    Reason("alone", "{server} is back and follows nobody", alone),
    Reason("orphaned", "{server} follows {source}, which is gone", orphaned),
    Reason("astray", "{server} follows {source}, which does not lead to {primary}", astray),
    Reason("stopped-by-restart", "{server} was restarted and does not replicate", stopped_by_restart),
)


def connected(state: ServerState) -> bool:
    """Whether its receiver has its source."""
    return state.main is not None and state.main.receiver is Thread.YES


def returning(s: Situation, comings: Comings, rows: tuple[Reason, ...] = REASONS) -> tuple[Return, ...]:
    """Every server that the manager should attach by itself, in the configuration's order; those in maintenance are
    left alone.
    """
    primary = serving(s)
    if primary is None:
        return ()
    found = []
    for spec in s.policy.servers:
        state = s.snapshot.state(spec.name)
        if spec.maintenance or spec.name == primary.name:
            continue
        if state is None:
            found += silent(s, spec.name, primary)
            continue
        row = next((row for row in rows if row.holds(s, comings, state)), None)
        if row is not None:
            words = row.sentence.format(server=spec.name, source=s.source_of(state), primary=primary.name)
            found.append(Return(spec.name, source_for(s, state), words))
    return tuple(found)


def silent(s: Situation, name: str, primary: ServerState) -> list[Return]:
    """One that does not answer as a member: half of a copy, or dead and still held by the fence that killed it."""
    missed, facts = s.snapshot.missed(name), held(s, name)
    if missed.why is Why.CLONING:
        return [Return(name, primary.name, missed.text)]
    if facts is None or facts.alive:  # what still runs, or dies in the kernel, is not let go by itself
        return []
    return [Return(name, primary.name, f"a fence holds {name}, and {primary.name} is the primary now")]


def source_for(s: Situation, state: ServerState) -> str:
    """Whom it should follow: its source where that answers and leads to the primary, else the primary itself."""
    primary, source = serving(s), s.source_of(state)
    return source if primary is not None and source in s.below(primary) else s.recorded.name


def returned_writable(s: Situation) -> str | None:
    """The primary serves, and whoever else takes writes is an old primary that came back."""
    others = [state for state in s.snapshot.writable() if state.name != s.recorded.name]
    if not others or not all(former(s, state) for state in others):
        return None
    return " and ".join(state.name for state in others)


def impossible(s: Situation) -> str:
    """Why the server of a request cannot be attached to anybody; empty where it can."""
    name = s.request.to if s.request is not None else ""
    if name == s.recorded.name:
        return f"{name} is the primary"
    missed = s.snapshot.missed(name)
    if s.snapshot.state(name) is None and held(s) is None and missed.why is not Why.CLONING:
        return f"{name} does not answer: {missed.text or missed.why}"
    return "" if serving(s) else f"{s.recorded.name or 'the primary'} does not take writes"


def held(s: Situation, name: str = "") -> HostFacts | None:
    """What the agent says of a server, by default that of the request, where a fence holds it and it does not answer.

    A supervisor may start mysqld again and again: the guard ends each, and one may be there when the agent looks.
    """
    name = name or (s.request.to if s.request is not None else "")
    facts = s.snapshot.facts(name)
    if facts is None or facts.fenced_epoch is None or s.snapshot.state(name) is not None:
        return None
    if s.snapshot.missed(name).why is Why.CLONING:  # it answers, only not as a member
        return None
    return facts


def may_start_open(s: Situation) -> str:
    """Why a server that is held must not be let go: it may come up writable; empty where it cannot."""
    facts = held(s)
    if facts is None or facts.starts_closed is True or s.request is None:
        return ""
    said = "would start writable" if facts.starts_closed is False else "does not show whether it would start closed"
    return f"{s.request.to} is held, and {said}"


def needless(s: Situation) -> str:
    """Whom the server of a request follows already, with both threads; empty where it does not."""
    state, primary = wanted(s), serving(s)
    if state is None or primary is None or state.name not in s.below(primary) or not connected(state):
        return ""
    if s.request is not None and (s.request.resolution is not None or s.request.overwrites is not None):
        return ""
    return f"{state.name} follows {s.source_of(state)} already" if state.applies else ""


def wanted(s: Situation) -> ServerState | None:
    """The server of the request, if it answers and is not the primary."""
    name = s.request.to if s.request is not None else ""
    return s.snapshot.state(name) if name != s.recorded.name else None


def diverged(s: Situation) -> str:
    """What the server has executed or received and the primary has not; empty for nothing."""
    more, name = tail(s) - named(s, Cure.INJECT), s.request.to if s.request is not None else ""
    wish = s.request.overwrites if s.request is not None else None
    if wish is not None and wish.discard:
        return ""
    return (
        f"{name} has {counted(len(more), 'transaction')} that {s.recorded.name} lacks: {more.shorten()}" if more else ""
    )


def named(s: Situation, *cures: Cure) -> GtidSet:
    """The transactions that a person has named for one of these cures."""
    wish = s.request.resolution if s.request is not None else None
    return wish.gtids if wish is not None and wish.cure in cures else GtidSet()


def strange(s: Situation) -> str:
    """Which named transactions are not that server's own; empty for none: nothing is made up."""
    primary = serving(s)
    done = primary.executed if primary is not None else GtidSet()
    more = named(s, *Cure) - tail(s) - done
    return f"{more.shorten()} is not what {s.request.to if s.request else ''} alone has" if more else ""


def tail(s: Situation) -> GtidSet:
    """The same as a set."""
    state, primary = wanted(s), serving(s)
    if state is None or primary is None:
        return GtidSet()
    more = state.holds - primary.executed
    # a replica that runs may have got what the primary made since it was looked at
    chosen = s.request is not None and (s.request.resolution is not None or s.request.overwrites is not None)
    fresh = chosen and connected(state)
    return more - more.of_uuid(primary.server_uuid) if fresh else more


def overwritten(s: Situation) -> bool:
    """Whether the server of the request gets other data: what its own is like does not matter then."""
    return s.request is not None and s.request.overwrites is not None


def logs_gone(s: Situation) -> str:
    """What the server lacks and the primary's binary logs do not hold any more; empty for nothing."""
    state, primary = wanted(s), serving(s)
    if state is None or primary is None or overwritten(s):
        return ""
    gone = primary.purged - state.holds
    return f"{primary.name} has purged {counted(len(gone), 'transaction')} that {state.name} lacks" if gone else ""


def unapplied(s: Situation) -> str:
    """Received transactions whose only copy a change of source would throw away, because the applier does not run."""
    state = wanted(s)
    if state is None or state.main is None or overwritten(s) or not state.unapplied or state.main.applier is Thread.YES:
        return ""
    trouble = state.main.applier_trouble
    if not trouble or trouble.code in PASSING:
        return ""  # it is started first
    return f"{state.name} has {len(state.unapplied)} of them, and its applier stopped with error {trouble.code}"


def unproven(s: Situation) -> str:
    """Settings under which a crash of the host may have taken data while the set still looks whole; empty for none."""
    state = wanted(s)
    if state is None or overwritten(s) or not former(s, state):
        return ""
    sync, flush = state.settings.sync_binlog, state.settings.flush_log
    safe = (sync, flush) == (1, 1)
    return "" if safe else f"{state.name} has sync_binlog={sync}, innodb_flush_log_at_trx_commit={flush}"
