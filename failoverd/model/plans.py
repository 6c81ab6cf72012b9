"""A plan and what became of it: groups of steps that run side by side, the operation that carries them, their
outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from failoverd.gtid import GtidSet
from failoverd.model.cloning import Overwrite
from failoverd.model.divergence import Resolution
from failoverd.model.history import Recorded
from failoverd.model.steps import Stage, Task
from failoverd.model.verdict import Refusal


class Kind(StrEnum):
    """What an operation is for."""

    FAILOVER = "failover"
    SWITCHOVER = "switchover"
    REOPEN = "reopen"
    REPAIR = "repair"
    REJOIN = "rejoin"

    @property
    def moves(self) -> bool:
        """Whether another server becomes the primary by it."""
        return self in {Kind.FAILOVER, Kind.SWITCHOVER}


@dataclass(frozen=True, slots=True)
class Group:
    """Steps that do not depend on each other and run side by side; the next group starts when all have ended."""

    stage: Stage
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, in order, and why: data that is shown, journalled and executed.

    `elect` is the server to be opened, empty while positions can still move. `why_not` says for every other server why
    it lost. `missing` are legitimate transactions that nobody reachable can give back. `left_alone` are servers that
    stay as they are, with the reason. For people: `eta` is a guess in seconds, `apply_rate` how many transactions a
    second the elect was seen to apply, `missing_bytes` about how much is missing; None where nobody knows.
    """

    cluster: str
    kind: Kind
    old_primary: str
    elect: str
    groups: tuple[Group, ...]
    why_not: tuple[tuple[str, str], ...] = ()
    refusals: tuple[Refusal, ...] = ()
    target: GtidSet = field(default_factory=GtidSet)
    missing: GtidSet = field(default_factory=GtidSet)
    errant: tuple[tuple[str, GtidSet], ...] = ()
    left_alone: tuple[tuple[str, str], ...] = ()
    eta: float | None = None
    apply_rate: float | None = None
    missing_bytes: int | None = None

    def titles(self) -> tuple[str, ...]:
        """The steps in words, one line each."""
        return tuple(f"{g.stage}: {t.step.title()}" for g in self.groups for t in g.tasks)


class StepResult(StrEnum):
    """How a step ended."""

    DONE = "done"
    ALREADY = "already"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What became of one step; `started` is wall-clock seconds, `detail` a sentence with what was measured."""

    stage: Stage
    title: str
    server: str
    result: StepResult
    started: float
    seconds: float
    detail: str = ""


class Result(StrEnum):
    """How an operation ended, in the words of the published JSON."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    UNDONE = "undone"
    NEEDS_PERSON = "needs-person"


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asked for an operation: the manager by itself, or a person with a reason."""

    kind: str = "automatic"
    user: str = ""
    host: str = ""
    reason: str = ""


class Verb(StrEnum):
    """What a person wants done about an operation."""

    BEGIN = "begin"
    RESUME = "resume"  # go on with the open one now
    UNDO = "undo"  # take back what the open one has changed, before its point of no return
    ABORT = "abort"  # end the open one as it stands, no server touched


@dataclass(frozen=True, slots=True)
class Request:
    """A person's wish: which server should win, which loss is accepted, which refusals are overridden.

    A verb other than `begin` is about the open `operation`. `asked_at` is wall-clock seconds: a request that was not
    served in its time is not served later. `settings` are words for its controls, as they are said at them;
    `resolution` is what is to be done about a diverged tail, `clone` and `rebuild` that the server's data is to be
    overwritten, by CLONE or by people's own programs, `checksums` the tables that are compared at the end.
    """

    cluster: str
    kind: Kind
    by: Requester
    to: str = ""
    accept_loss: int | None = None
    overrides: frozenset[str] = frozenset()
    asked_at: float = 0.0
    verb: Verb = Verb.BEGIN
    operation: str = ""
    settings: tuple[str, ...] = ()
    resolution: Resolution | None = None
    clone: Overwrite | None = None
    checksums: tuple[str, ...] = ()
    rebuild: Overwrite | None = None

    @property
    def overwrites(self) -> Overwrite | None:
        """The wish to have the server's data overwritten, whichever way; None where it is not."""
        return self.clone or self.rebuild

    def discarding_nothing(self) -> Request:
        """The same, where nothing of the server's own may go."""
        kept = {name: Overwrite() for name in ("clone", "rebuild") if getattr(self, name) is not None}
        return replace(self, **kept)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Saved:
    """Transactions that were brought to the elect from elsewhere."""

    gtids: GtidSet
    origin: str
    how: str


@dataclass(frozen=True, slots=True)
class ReplicaResult:
    """Whether a replica follows the new primary at the end, and what is wrong if it does not."""

    name: str
    attached: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Stamps:
    """Wall-clock seconds of the turning points of an operation; None where it was not reached."""

    started: float
    detected: float | None = None
    decided: float | None = None
    writable: float | None = None
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Fenced:
    """How the old primary was kept from taking writes; how is UNFENCED where that could not be proven."""

    server: str
    how: str


@dataclass(frozen=True, slots=True)
class Report:
    """The account of one operation, made from step outcomes and a last look, never from logs."""

    operation: str
    kind: Kind
    cluster: str
    result: Result
    old_primary: str
    new_primary: str
    cause: str
    requested_by: Requester
    epoch: int
    stamps: Stamps
    lost: GtidSet = field(default_factory=GtidSet)
    saved: tuple[Saved, ...] = ()
    fenced: Fenced | None = None
    steps: tuple[StepOutcome, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    replicas: tuple[ReplicaResult, ...] = ()
    findings: tuple[str, ...] = ()
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation as the journal opens it: identity, request, cause and the first plan, before anything is changed.

    Everything that another manager needs to go on with it is in here: whom people wanted and what they accepted, the
    primary as it was recorded, `seen` its executed set when it was last seen writable, and when it was first missed.
    `asked_at` tells which request it serves.
    """

    id: str
    cluster: str
    kind: Kind
    epoch: int
    manager: str
    by: Requester
    cause: str
    plan: Plan
    started: float
    overrides: frozenset[str] = frozenset()
    accept_loss: int | None = None
    to: str = ""
    old: Recorded | None = None
    seen: GtidSet = field(default_factory=GtidSet)
    detected: float | None = None
    decided: float | None = None
    asked_at: float = 0.0


class EntryKind(StrEnum):
    """The records of a journal."""

    PLAN = "plan"  # a plan made on fresh sets replaces the one before
    INTENT = "intent"  # a step is about to run
    OUTCOME = "outcome"  # a step has ended
    FREEZE = "freeze"  # what each server held when positions could no longer move
    ACKNOWLEDGERS = "acknowledgers"  # who may have acknowledged commits, when positions could no longer move
    GIVEN_UP = "given-up"  # transactions that could not be brought, under an accepted number
    RELAXED = "relaxed"  # what a server forced to its disk, before it is let off for a catch-up
    DEGRADED = "degraded"  # a server is about to commit without acknowledgements
    PROMOTE_INTENT = "promote-intent"  # the elect is durable: from here only forward
    WITHDRAWN = "withdrawn"  # the elect was proven closed under a later epoch: its intent is void
    RESUMED = "resumed"  # another manager, or the same one after an error, goes on with the operation
    NEEDS_PERSON = "needs-person"  # why it stays open until somebody has looked
    PROGRESS = "progress"  # how far a step is that takes long
    HOOK = "hook"  # a hook is about to run
    HOOK_ENDED = "hook-ended"  # how it ended, and the beginning of what it said
    END = "end"  # the report


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of an operation's journal; `body` is plain JSON data, `at` wall-clock seconds."""

    kind: EntryKind
    at: float
    body: Mapping[str, object] = field(default_factory=dict)
