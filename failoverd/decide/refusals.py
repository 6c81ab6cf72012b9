"""The refusal table: why an operation must not go on, what was measured against which limit, who may override.

docs/verdicts.md is made from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from failoverd.decide import cloning, rejoining
from failoverd.decide import measures as m
from failoverd.decide.measures import Case, Measured
from failoverd.model.plans import Kind
from failoverd.model.verdict import Refusal

Measure = Callable[[Case], Measured | None]


@dataclass(frozen=True, slots=True)
class Row:
    """One refusal: its sentence may name {primary} and the measure's {detail}; `kinds` are the operations it is for,
    `hint` is what a person does about it.

    `late` rows are asked again on fixed positions, between recovery and the point of no return; the others are about
    the time before anything is changed, and what we have changed ourselves would answer them wrongly.
    """

    id: str
    sentence: str
    kinds: frozenset[Kind]
    measure: Measure
    hint: str
    overridable: bool = True
    late: bool = False


_FAILOVER = frozenset({Kind.FAILOVER})
_REOPEN = frozenset({Kind.REOPEN})
_BOTH = frozenset({Kind.FAILOVER, Kind.REOPEN})
_REJOIN = frozenset({Kind.REJOIN})
_OWN = _BOTH | _REJOIN
_ALL = frozenset(Kind)
REFUSALS: tuple[Row, ...] = (
    Row(
        "site-guard",
        "too many clusters fail at once: {detail}",
        _FAILOVER,
        m.site_guard,
        "look at the site and its network; failoverd failover --override site-guard, cluster by cluster",
    ),
    Row(
        "primary-alive",
        "{primary} lives, {detail}: use switchover",
        _FAILOVER,
        m.primary_alive,
        "failoverd switchover moves a living primary and loses nothing",
        overridable=False,
    ),
    Row(
        "primary-open",
        "{primary} takes writes already",
        _REOPEN,
        m.open_already,
        "nothing needs to be done",
        overridable=False,
    ),
    Row(
        "reopen-unsafe",
        "{primary} must not be opened: {detail}",
        _REOPEN,
        m.reopen_unsafe,
        "bring the server that holds more up: what it has decides who may be opened",
        overridable=False,
    ),
    Row(
        "reopen-unknown",
        "{primary} may lack something: {detail}",
        _REOPEN,
        m.reopen_unknown,
        "bring every server up, or --override reopen-unknown",
    ),
    Row(
        "rejoin-impossible",
        "{detail}",
        _REJOIN,
        m.said(rejoining.impossible),
        "bring it up, or look at the primary; a server that is not listed cannot be attached",
        overridable=False,
    ),
    Row(
        "start-open",
        "{detail}",
        _REJOIN,
        m.said(rejoining.may_start_open),
        "set super_read_only = ON in its configuration on its host; it is let go then",
        overridable=False,
    ),
    Row(
        "not-errant",
        "{detail}",
        _REJOIN,
        m.said(rejoining.strange),
        "failoverd errant CLUSTER SERVER lists what only it has",
        overridable=False,
    ),
    Row(
        "rejoin-needless",
        "{detail}",
        _REJOIN,
        m.said(rejoining.needless),
        "nothing needs to be done",
        overridable=False,
    ),
    Row(
        "rejoin-off",
        "servers that come back are attached by people only",
        _REJOIN,
        m.rejoin_off,
        "failoverd rejoin CLUSTER SERVER, or rejoin: clean-only in the configuration",
        late=True,
    ),
    Row(
        "diverged",
        "{detail}",
        _REJOIN,
        m.said(rejoining.diverged),
        "failoverd errant CLUSTER SERVER shows it; rejoin --replay, --inject-empty or --clone --discard-errant",
        overridable=False,
        late=True,
    ),
    Row(
        "logs-gone",
        "{detail}",
        _REJOIN,
        m.said(rejoining.logs_gone),
        "failoverd rejoin CLUSTER SERVER --clone overwrites it with the data of another server",
        overridable=False,
        late=True,
    ),
    Row(
        "relay-unapplied",
        "a change of source would throw away received transactions: {detail}",
        _REJOIN,
        m.said(rejoining.unapplied),
        "failoverd repair CLUSTER SERVER, which keeps the relay logs",
        overridable=False,
        late=True,
    ),
    Row(
        "durability-unproven",
        "a crash of its host may have taken data that its set still counts: {detail}",
        _REJOIN,
        m.said(rejoining.unproven),
        "where only the process died: --override durability-unproven; else failoverd rejoin CLUSTER SERVER --clone",
        late=True,
    ),
    Row(
        "half-cloned",
        "{detail}",
        _REJOIN,
        m.said(cloning.half),
        "failoverd rejoin CLUSTER SERVER --clone or --rebuild begins it anew",
        overridable=False,
        late=True,
    ),
    Row(
        "clone-impossible",
        "no server can be cloned: {detail}",
        _REJOIN,
        m.said(cloning.impossible),
        "mend what it names: failoverd check --grants prints the rights that a clone needs",
        overridable=False,
    ),
    Row(
        "rebuild-impossible",
        "no server can be rebuilt: {detail}",
        _REJOIN,
        m.said(cloning.nobody_rebuilds),
        "put a program there and reload the managers; docs/hooks.md says what it has to do",
        overridable=False,
    ),
    Row(
        "paused", "acts by ourselves are paused by {detail}", _OWN, m.paused, "failoverd resume, when the work is done"
    ),
    Row(
        "maintenance",
        "{primary} is in maintenance",
        _BOTH,
        m.maintenance,
        "take maintenance: true out of the configuration when the work is done",
    ),
    Row(
        "operation-open",
        "operation {detail} has not ended",
        _ALL,
        m.operation_open,
        "failoverd ops show tells how far it came; failoverd ops resume, undo or abort ends it",
    ),
    Row(
        "config-differs",
        "settings differ between managers: {detail}",
        _OWN,
        m.config_differs,
        "failoverd config check --against-active on the other manager; after a minute the settings in force are these",
    ),
    Row(
        "journal-unwritable",
        "the records of coordination cannot be used: {detail}",
        _ALL,
        m.journal_unwritable,
        "look at ZooKeeper: whether it answers, room on its disk, quota, ACL; it is tried again every second",
        overridable=False,
    ),
    Row(
        "epoch-behind",
        "agents remember epoch {detail}: failoverd init --adopt",
        _OWN,
        m.epoch_behind,
        "look why the records are older than the agents, then failoverd init CLUSTER --adopt",
        overridable=False,
    ),
    Row(
        "cooldown",
        "the last failover was {detail}",
        _FAILOVER,
        m.cooldown,
        "find out why the last one was needed; then failoverd failover --override cooldown",
    ),
    Row(
        "tried-lately",
        "an attempt came to nothing {detail}",
        _BOTH,
        m.tried_lately,
        "read its report; the next attempt comes by itself",
    ),
    Row(
        "blind",
        "nobody but us says that {primary} is gone",
        _FAILOVER,
        m.blind,
        "look from another host; --override blind is a person's word that the primary is gone",
    ),
    Row(
        "not-claimed",
        "too few servers can be claimed: {detail}",
        _FAILOVER,
        m.not_claimed,
        "bring more servers up; failover.min_claimed says how many are needed",
        late=True,
    ),
    Row(
        "fencing-impossible",
        "{primary} cannot be fenced: {detail}",
        _FAILOVER,
        m.fencing_impossible,
        "switch the old primary off for certain, then --override fencing-impossible",
    ),
    Row(
        "errant-candidate",
        "only servers with errant transactions are left: {detail}",
        _FAILOVER,
        m.errant_candidate,
        "judge these transactions; --override errant-candidate makes them everybody's",
        late=True,
    ),
    Row(
        "other-channels",
        "only servers with channels of their own are left: {detail}",
        _FAILOVER,
        m.other_channels,
        "remove the channels, or --override other-channels and stop them after the promotion",
        late=True,
    ),
    Row(
        "no-candidate",
        "no server can be promoted: {detail}",
        _FAILOVER,
        m.no_candidate,
        "mend one of them: the sentence says what is wrong with each",
        overridable=False,
        late=True,
    ),
    Row(
        "recovery-incomplete",
        "a surviving log could not be read: {detail}",
        _FAILOVER,
        m.recovery_incomplete,
        "bring that host up, or accept the loss with --accept-loss N",
        late=True,
    ),
    Row(
        "missing-transactions",
        "nobody can give back {detail}",
        _FAILOVER,
        m.missing_transactions,
        "bring the host that has them up, or accept the loss with --accept-loss N",
        late=True,
    ),
    Row(
        "acks-unaccounted",
        "too few of those that may have acknowledged commits are here: {detail}",
        _FAILOVER,
        m.acks_unaccounted,
        "bring one of the absent servers up, or --override acks-unaccounted and lose what only it has",
        late=True,
    ),
    Row(
        "no-ackers",
        "too few servers are left that can acknowledge: {detail}",
        _BOTH,
        m.no_ackers,
        "bring a replica up, or semi_sync.on_no_ackers: degrade",
        late=True,
    ),
)


# What is asked again when positions can no longer move.
LATE = frozenset(row.id for row in REFUSALS if row.late)
_ROWS = {row.id: row for row in REFUSALS}


def refusals(c: Case, kind: Kind, rows: tuple[Row, ...] = REFUSALS) -> tuple[Refusal, ...]:
    """Every row that stands against an operation of this kind, whether somebody overrides it or not."""
    found, c = [], replace(c, kind=kind)
    for row in rows:
        measured = row.measure(c) if kind in row.kinds else None
        if measured is not None:
            sentence = row.sentence.format(primary=c.s.recorded.name or "the primary", detail=measured.detail)
            found.append(Refusal(row.id, sentence, measured.value, measured.limit))
    return tuple(found)


def standing(found: tuple[Refusal, ...], overrides: frozenset[str]) -> tuple[Refusal, ...]:
    """What is left after a person's overrides by name; some rows cannot be overridden by anybody."""
    firm = {row.id for row in REFUSALS if not row.overridable}
    return tuple(r for r in found if r.id in firm or r.id not in overrides)


def remedy(refusal: str) -> str:
    """What a person does about a refusal, and by which word it is overridden where that can be; empty for others."""
    row = _ROWS.get(refusal)
    if row is None:
        return ""
    override = f"--override {row.id}"
    told = not row.overridable or override in row.hint
    return row.hint if told else f"{row.hint}; or {override}"


def remedies(found: tuple[Refusal, ...]) -> str:
    """The same for several, each under its name."""
    told = [(refusal.id, remedy(refusal.id)) for refusal in found]
    if len(told) == 1:
        return told[0][1]
    return "; ".join(f"{name}: {text}" for name, text in told if text)
