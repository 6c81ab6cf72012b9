"""Named mistakes, made in memory: the simulation must find each of them. Every row says what is done wrong.

`seed` is a life that showed it once; should it not do so any more, others are searched.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from failoverd.decide import candidate, errant, judge, rules
from failoverd.decide.resuming import Open
from failoverd.drivers.mysql import claim_session, claims
from failoverd.drivers.zookeeper import election, journal, lease, settings, writes
from failoverd.execute import drain, promote, run, semisync
from failoverd.gtid import GtidSet
from failoverd.model.journal import Unfinished
from failoverd.model.plans import EntryKind
from failoverd.model.steps import GiveUpAcks, OpenWrites
from failoverd.observe import logs
from failoverd.plan import failover
from failoverd.service import act
from tests.simulation.agents import Host
from tests.simulation.life import live
from tests.simulation.script import Blow, Ill, Script, script_of

Put = Callable[[object, str, object], None]
SEEDS = 5000


def anywhere(_: Script) -> bool:
    """Any life may show it."""
    return True


def with_ill(*ills: Ill, least: float = 0.0, most: float = 99.0, session: float = 9.0) -> Callable[[Script], bool]:
    """Lives with such a fault, aimed at a change; others cannot show it, or hardly ever."""

    def has(script: Script) -> bool:
        aimed = any(f.ill in ills and f.aimed and least <= f.seconds <= most for f in script.faults)
        return aimed and script.session <= session

    return has


def returns_meanwhile(script: Script) -> bool:
    """Lives in which an unfenced primary comes back about when a failover is under way."""
    return script.blow is Blow.GONE and script.fencing == "best-effort" and script.thaws_after < 2.0


@dataclass(frozen=True, slots=True)
class Mutation:
    """One mistake; `make` puts it in place, `where` tells which lives are worth the time of looking for it."""

    name: str
    wrong: str
    make: Callable[[Put], None]
    seed: int
    where: Callable[[Script], bool] = anywhere


def nothing(*_: object, **__: object) -> Any:
    """Nothing at all."""


def empty(*_: object, **__: object) -> Any:
    """No entries."""
    return ()


def no_epoch_check_by_agents(put: Put) -> None:
    put(Host, "accept", lambda host, epoch: setattr(host, "epoch", max(host.epoch, epoch)))


def claims_that_evict_nobody(put: Put) -> None:
    put(claims._Taking, "_evict", nothing)


def claims_without_a_lock(put: Put) -> None:
    put(claims._Taking, "take", nothing)


def no_lease_check_before_a_change(put: Put) -> None:
    def change(self: Any, statement: Any, *values: object, limit: float = claim_session.LIMIT) -> None:
        self._session.rows(statement, *values, limit=limit)

    put(claim_session.ClaimSession, "change", change)


def lease_without_margin(put: Put) -> None:
    put(settings.ZooKeeperSettings, "lease", property(lambda s: s.session_timeout * 3))


def lease_that_never_ends(put: Put) -> None:
    put(lease.ZooKeeperLease, "_expire", nothing)


def writes_without_the_lock(put: Put) -> None:
    plain = writes._transaction
    put(writes, "_transaction", lambda client, _, parts: plain(client, "", parts))


def lock_by_everybody(put: Put) -> None:
    put(election.Election, "_advance", lambda self, _: self._take())


def promote_before_the_drain(put: Put) -> None:
    put(failover, "recovery_groups", empty)


def drain_that_does_not_wait(put: Put) -> None:
    put(drain.Drainage, "run", nothing)


def no_freeze(put: Put) -> None:
    put(failover, "freeze_tasks", empty)


def no_fence(put: Put) -> None:
    put(failover, "fence_tasks", empty)


def fence_told_too_early(put: Put) -> None:
    put(Unfinished, "beside", lambda _: False)


def dead_logs_unread(put: Put) -> None:
    plain = logs.questions
    known = GtidSet.parse(",".join(f"00000000-0000-0000-0000-{number:012d}:1-99999" for number in range(1, 9)))

    def others(snapshot: Any, old: str) -> Any:
        return tuple(replace(q, lacking=known) if q.server == old else q for q in plain(snapshot, old))

    put(logs, "questions", others)


def clients_not_kept(put: Put) -> None:
    put(act, "keep_traffic", lambda *_: None)


def intent_after_the_act(put: Put) -> None:
    def opened(step: OpenWrites, hands: Any) -> str:
        claim = hands.claimed(step.server)
        claim.open_writes()
        state = claim.read()
        body = {"elect": step.server, "server_uuid": state.server_uuid, "old_primary": hands.operation.plan.old_primary}
        hands.write(EntryKind.PROMOTE_INTENT, body, wait=True)
        hands.note_open(state)
        return "read back writable"

    put_handler(put, OpenWrites, opened)


def intent_not_awaited(put: Put) -> None:
    def opened(step: OpenWrites, hands: Any) -> str:
        write = hands.write
        hands.write = lambda kind, body, *, wait: write(kind, body, wait=wait and kind is not EntryKind.PROMOTE_INTENT)
        try:
            return promote.open_writes(step, hands)
        finally:
            hands.write = write

    put_handler(put, OpenWrites, opened)


def put_handler(put: Put, step: type, handler: Callable[..., str]) -> None:
    """Another handler for one kind of step."""
    put(run, "HANDLERS", {**run.HANDLERS, step: handler})


def alone_without_a_record(put: Put) -> None:
    def give_up(step: GiveUpAcks, hands: Any) -> str:
        hands.claimed(step.server).give_up_acks()
        return "commits wait for nobody"

    put(semisync, "give_up", give_up)
    put_handler(put, GiveUpAcks, give_up)


def intent_forgotten(put: Put) -> None:
    put(Unfinished, "intent", nothing)


def another_elect_after_the_intent(put: Put) -> None:
    put(Open, "closed", property(lambda _: True))


def lost_replies_ignored(put: Put) -> None:
    plain = journal.Journal._confirmed

    def confirmed(self: Any, held: Any, sent: Any, timeout: float) -> bool:
        plain(self, held, sent, timeout)
        return True

    put(journal.Journal, "_confirmed", confirmed)


def errant_transactions_spread(put: Put) -> None:
    put(candidate, "legitimate", lambda gtids, *_: gtids)
    put(candidate, "errant", lambda *_: GtidSet())
    put(errant, "legitimate", lambda gtids, *_: gtids)


def open_operation_forgotten(put: Put) -> None:
    put(act, "resume", nothing)


def no_second_route(put: Put) -> None:
    changed = {"vetoed": nothing, "no-second-route": nothing, "silent": lambda _: "nobody was asked"}
    table = tuple(replace(row, when=changed.get(row.id, row.when)) for row in rules.RULES)
    firm = tuple(row for row in judge.TABLES.refusals if row.id != "blind")
    put(judge.judge, "__defaults__", (replace(judge.TABLES, rules=table, refusals=firm),))
    put(judge.prospect, "__defaults__", (replace(judge.TABLES, refusals=firm),))


FROZEN_LONG = with_ill(Ill.FREEZE_BEFORE, Ill.FREEZE_AFTER, least=3.0, session=3.0)
FROZEN_FOR_A_WHILE = with_ill(Ill.FREEZE_BEFORE, Ill.FREEZE_AFTER, least=6.0, most=6.0, session=3.0)
DEPOSED = with_ill(Ill.KILL_BEFORE, Ill.KILL_AFTER, Ill.FREEZE_BEFORE, Ill.FREEZE_AFTER, least=3.0)
UNANSWERED = with_ill(Ill.LOST_ANSWER, Ill.LATE_EFFECT, Ill.LOST_WORD, Ill.CUT_HERE, Ill.CUT_THERE_HERE)

MUTATIONS: tuple[Mutation, ...] = (
    Mutation("no-epoch-check", "agents obey any epoch", no_epoch_check_by_agents, 986, FROZEN_LONG),
    Mutation("no-eviction", "a claim leaves an older holder alone", claims_that_evict_nobody, 51, FROZEN_LONG),
    Mutation("no-session-lock", "servers are changed without the session lock", claims_without_a_lock, 1),
    Mutation(
        "no-lease-check", "nobody asks the lease before a change", no_lease_check_before_a_change, 51, FROZEN_LONG
    ),
    Mutation("no-lease-margin", "a lease outlives its session", lease_without_margin, 201, FROZEN_FOR_A_WHILE),
    Mutation("endless-lease", "a lease does not end by time", lease_that_never_ends, 426, FROZEN_LONG),
    Mutation("plain-writes", "ZooKeeper is written without a check of the lock", writes_without_the_lock, 1),
    Mutation("shared-lock", "whoever stands in line takes the lock", lock_by_everybody, 4),
    Mutation("early-promotion", "promoted before anything is recovered", promote_before_the_drain, 2),
    Mutation("no-drain", "nobody waits until received transactions are executed", drain_that_does_not_wait, 38),
    Mutation("no-freeze", "receivers run on while positions are compared", no_freeze, 949, returns_meanwhile),
    Mutation("no-fence", "the old primary is not shut out", no_fence, 302, lambda script: script.blow is Blow.FROZEN),
    Mutation("late-fence", "a fence after the opening is told as one before it", fence_told_too_early, 491, DEPOSED),
    Mutation("no-salvage", "the dead primary's logs are not read", dead_logs_unread, 2),
    Mutation("late-intent", "the elect is written down after it was opened", intent_after_the_act, 1),
    Mutation("loose-intent", "the record of the elect is sent and not awaited", intent_not_awaited, 65, DEPOSED),
    Mutation("lost-intent", "a resuming manager forgets the elect of the journal", intent_forgotten, 206, DEPOSED),
    Mutation(
        "other-elect", "the elect is changed after the point of no return", another_elect_after_the_intent, 250, DEPOSED
    ),
    Mutation("lost-replies", "a record without an answer counts as durable", lost_replies_ignored, 106, UNANSWERED),
    Mutation(
        "errant-union",
        "errant transactions count as everybody's",
        errant_transactions_spread,
        31,
        lambda script: script.errant > 0,
    ),
    Mutation(
        "silent-degrade",
        "commits wait for nobody, and nobody wrote that down before",
        alone_without_a_record,
        2922,
        lambda script: script.lossless and script.degrades,
    ),
    Mutation("left-open", "nobody takes up an operation that was left open", open_operation_forgotten, 1, DEPOSED),
    Mutation("not-kept", "nobody mends the clients' ways", clients_not_kept, 13, lambda script: script.vip),
    Mutation(
        "one-witness",
        "a failover needs nobody's word but the manager's",
        no_second_route,
        13,
        lambda script: script.blow is Blow.UNSEEN,
    ),
)


@contextlib.contextmanager
def made(mutation: Mutation) -> Iterator[None]:
    """The mistake, as long as it is looked for."""
    before: list[tuple[object, str, object]] = []

    def put(where: object, name: str, value: object) -> None:
        before.append((where, name, vars(where).get(name, getattr(where, name))))
        setattr(where, name, value)

    mutation.make(put)
    try:
        yield
    finally:
        for where, name, value in reversed(before):
            setattr(where, name, value)


@dataclass(frozen=True, slots=True)
class Catch:
    """What found a mistake: a seed (0 for none) that is sound without it, the lives lived, the promise broken."""

    seed: int
    tried: int
    broken: str = ""


def caught(mutation: Mutation, seconds: float) -> Catch:
    """Look for a life that the mistake breaks and that is sound without it; the known one first."""
    end = time.monotonic() + seconds
    tried = 0
    for seed in (mutation.seed, *range(1, SEEDS)):
        script = script_of(seed)
        if seed != mutation.seed and not mutation.where(script):
            continue
        tried += 1
        with made(mutation):
            broken = live(script).broken
        if broken and not live(script).broken:
            return Catch(seed, tried, str(broken[0]))
        if time.monotonic() > end:
            break
    return Catch(0, tried)
