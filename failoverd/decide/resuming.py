"""What to do about an operation that has no end, as a table: the first row whose condition holds is the way.

Before the promote-intent it is planned anew on fresh sets, or taken back. After it there is only forward with the same
elect, unless that one is proven closed: by its own answer on our claim, or by a fence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from failoverd.decide.measures import Case, blind, primary_alive
from failoverd.decide.reopening import obstacle
from failoverd.decide.rules import RULES
from failoverd.decide.situation import Situation
from failoverd.model.cloning import CloneData
from failoverd.model.history import started_anew
from failoverd.model.journal import Intent, Unfinished
from failoverd.model.plans import Kind, Verb
from failoverd.model.ranking import Ranking
from failoverd.model.sight import ServerState
from failoverd.model.verdict import Advice

# An elect that does not answer may be restarting; a fence of it, or a person, comes after this (seconds).
ELECT_PATIENCE = 10.0
# One whose process is gone is started again by its supervisor before this, or not soon.
RESTART_PATIENCE = 3.0
# Evidence may still be coming in; with the receivers stopped some of it never does, so then they are started again.
EVIDENCE_PATIENCE = 10.0

_ADVICE = {rule.id: rule.advice for rule in RULES}


class Way(StrEnum):
    """How an unfinished operation goes on."""

    ON = "on"  # plan anew on fresh sets and run that
    FINISH = "finish"  # the elect is open: publish it, bring the others to it
    BACK = "back"  # take back what was changed
    WAIT = "wait"  # look again
    REPLACE = "replace"  # fence the elect, record it as the primary that died: its replacement is a failover of its own
    PERSON = "person"  # nothing safe is left to be done by itself
    LEAVE = "leave"  # end it: what has happened meanwhile is for another operation to deal with
    ABORT = "abort"  # end it as it stands


@dataclass(frozen=True, slots=True)
class Open:
    """What is known about an operation without an end.

    `situation` is about its old primary, `rule` the verdict's row on it. `elect` is the server of a promote-intent that
    stands, None before it; `state` its server as read on our own claim, None where it could not be claimed; `published`
    whether it is on record as the primary already. `waited` seconds have passed since this was first looked at, the
    operation began at `started` (wall seconds).
    """

    situation: Situation
    rule: str
    kind: Kind
    intent: Intent | None = None
    state: ServerState | None = None
    published: bool = False
    waited: float = 0.0
    started: float = 0.0
    wish: Verb = Verb.RESUME

    @property
    def elect(self) -> str:
        """The elect's name, empty where no intent stands."""
        return self.intent.elect if self.intent is not None else ""

    @property
    def closed(self) -> bool:
        """Whether no client can write anywhere by this operation: there is no elect, or it is closed by its own word
        and has not taken a single write.
        """
        if self.intent is None:
            return True
        if self.state is None or self.state.writable or self.published:
            return False
        return self.state.executed.of_uuid(self.intent.server_uuid) <= self.intent.own

    @property
    def automatic(self) -> bool:
        """Whether a failover follows by itself where the old primary died."""
        return self.situation.policy.failover.automatic

    @property
    def restarted(self) -> bool:
        """Whether the old primary answers and was started after the operation had begun."""
        s = self.situation
        if s.primary is None:
            return False
        started = s.primary.started_at
        return started_anew(s.history.last_started_at, started, s.wall - (s.now - started), self.started)

    @property
    def harmless(self) -> bool:
        """Whether the old primary may be opened again even if it was started anew, which only times of day say here: it
        holds all that anybody has.
        """
        s = self.situation
        return s.primary is not None and s.history.last_started_at is None and not obstacle(s)

    @property
    def other(self) -> bool:
        """Whether another server answers where the elect should be."""
        found = self.state is not None and self.intent is not None
        return found and self.state.server_uuid != self.intent.server_uuid  # type: ignore[union-attr]

    @property
    def silent(self) -> bool:
        """Whether there is an elect, and it cannot be claimed."""
        return bool(self.elect) and self.state is None

    @property
    def replaceable(self) -> bool:
        """Whether the elect's own agent answers, so that it can be fenced, and another server could take its place."""
        apart = {self.elect, self.situation.recorded.name}
        others = [s for s in self.situation.snapshot.reached() if s.name not in apart]
        return bool(others) and self.situation.snapshot.facts(self.elect) is not None

    @property
    def dead(self) -> bool:
        """Whether the elect's own agent finds no process of it."""
        facts = self.situation.snapshot.facts(self.elect)
        return facts is not None and not facts.alive


@dataclass(frozen=True, slots=True)
class Row:
    """One way; its sentence may name {old} and {elect}."""

    id: str
    way: Way
    sentence: str
    when: Callable[[Open], bool]


def evident(o: Open) -> bool:
    """Whether the old primary is as dead as a failover demands, by the manager's own rules or a person's word.

    Who asked for a switchover has said nothing of the kind.
    """
    if _ADVICE[o.rule] is Advice.FAIL_OVER or o.rule == "restarted-behind":
        return True
    s = o.situation
    if s.request is None or o.kind is not Kind.FAILOVER or s.primary is not None:
        return False
    case = Case(s, Ranking(""))
    return not primary_alive(case) and ("blind" in s.request.overrides or not blind(case))


def unlisted(o: Open) -> bool:
    """Whether a server that matters is not in the configuration any more."""
    return bool({o.elect, o.situation.recorded.name} - {""} - {spec.name for spec in o.situation.policy.servers})


def always(o: Open) -> bool:
    """The last row."""
    del o
    return True


def reopening(o: Open) -> bool:
    """Whether a reopening can still be finished: its server is open already, or may be opened."""
    primary = o.situation.primary
    return primary is not None and (primary.writable or _ADVICE[o.rule] is Advice.REOPEN)


def chosen(o: Open) -> bool:
    """Whether a switchover has made up its mind, and its elect answers; a closed one may still be taken back by a
    person.
    """
    if o.kind is not Kind.SWITCHOVER or o.state is None:
        return False
    return bool(o.elect) and not (o.wish is Verb.UNDO and o.closed)


WAYS: tuple[Row, ...] = (
    Row("aborted", Way.ABORT, "a person ends it as it stands", lambda o: o.wish is Verb.ABORT),
    Row("unlisted", Way.PERSON, "{old} or {elect} is not in the configuration any more", unlisted),
    Row("repair", Way.BACK, "a repair is begun anew by whoever asks for it", lambda o: o.kind is Kind.REPAIR),
    Row("rejoin", Way.BACK, "a server that came back is judged anew", lambda o: o.kind is Kind.REJOIN),
    Row("elect-other", Way.PERSON, "another server answers where {elect} should be", lambda o: o.other),
    Row("reopening", Way.ON, "{old} is open or may be opened", lambda o: o.kind is Kind.REOPEN and reopening(o)),
    Row("nothing-opened", Way.BACK, "{old} may not be opened now", lambda o: o.kind is Kind.REOPEN),
    Row("switch-on", Way.FINISH, "{elect} was chosen for good: only forward", chosen),
    Row(
        "elect-open",
        Way.FINISH,
        "{elect} is the new primary: only forward",
        lambda o: bool(o.elect) and o.state is not None and not o.closed,
    ),
    Row(
        "elect-dead",
        Way.REPLACE,
        "{elect} has died since it was chosen",
        lambda o: o.silent and o.dead and o.replaceable and o.waited >= RESTART_PATIENCE,
    ),
    Row(
        "elect-silent",
        Way.WAIT,
        "{elect} may be open and does not answer",
        lambda o: o.silent and o.waited < ELECT_PATIENCE,
    ),
    Row("elect-hung", Way.REPLACE, "{elect} does not answer, its agent does", lambda o: o.silent and o.replaceable),
    Row(
        "elect-lost",
        Way.PERSON,
        "{elect} may be open and cannot be reached: nobody else may be opened before it is proven shut",
        lambda o: o.silent,
    ),
    Row("taken-back", Way.BACK, "a person wants it taken back", lambda o: o.wish is Verb.UNDO),
    Row(
        "switch-restarted",
        Way.LEAVE,
        "{old} was started anew meanwhile: whether it may be opened is judged anew",
        lambda o: o.kind is Kind.SWITCHOVER and o.restarted and not o.harmless,
    ),
    Row(
        "switch-back",
        Way.BACK,
        "{old} answers, and nobody else was chosen yet",
        lambda o: o.kind is Kind.SWITCHOVER and o.situation.primary is not None,
    ),
    Row(
        "switch-overtaken",
        Way.LEAVE,
        "{old} died before anybody else was chosen: a failover follows",
        lambda o: o.kind is Kind.SWITCHOVER and _ADVICE[o.rule] is Advice.FAIL_OVER and o.automatic,
    ),
    Row("evidence-stands", Way.ON, "{old} is still not fit to be the primary", evident),
    Row("old-is-back", Way.BACK, "{old} answers", lambda o: o.situation.primary is not None),
    Row("evidence-due", Way.WAIT, "too little is known about {old}", lambda o: o.waited < EVIDENCE_PATIENCE),
    Row("no-evidence", Way.BACK, "nobody can tell what has become of {old}", always),
)


def way_of(o: Open, rows: tuple[Row, ...] = WAYS) -> Row:
    """The first row that holds; the last one always does."""
    return next(row for row in rows if row.when(o))


def sentence_of(row: Row, o: Open) -> str:
    """The row's sentence about this operation."""
    return row.sentence.format(old=o.situation.recorded.name or "the old primary", elect=o.elect or "the elect")


def cut_off(found: Unfinished) -> tuple[str, ...]:
    """What a person has to know of an overwriting whose manager has died beside it; nothing for any other operation."""
    manager, server = found.operation.manager, found.operation.to
    ended = {step for step, _ in found.acted()}
    said = [
        f"the clone of {server} was cut off with {manager}: unless the copy was whole, it begins anew, by --clone"
        for step in found.begun()
        if isinstance(step, CloneData) and step not in ended
    ]
    for name, over in found.rebuilds().items():
        if over:
            said.append(f"{name} has run to its end: {server} is judged by what it holds when it is up")
        else:
            said.append(
                f"{name} was begun by {manager}, which has not seen its end: it may still be at work on {server};"
                " end it, or wait for its end, before --rebuild or --clone"
            )
    return tuple(said)
