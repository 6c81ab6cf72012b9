"""What the journal of an unfinished operation tells whoever goes on with it: pure reading, oldest record first.

An `intent` entry carries its steps under `acts`, an `outcome` entry its step under `act`; both as steps, not as titles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from failoverd.gtid import GtidSet
from failoverd.model.durability import Durability
from failoverd.model.hooks import Point
from failoverd.model.host import FenceProof
from failoverd.model.plans import Entry, EntryKind, Operation, Saved, StepOutcome, StepResult
from failoverd.model.steps import FenceHost, FenceSession, OpenWrites, ReleaseFence, Splice, Stage, Step

TOOK_EFFECT = frozenset({StepResult.DONE, StepResult.FAILED})


@dataclass(frozen=True, slots=True)
class Intent:
    """The server that an operation has made up its mind to open, durable before it was opened.

    `own` are the transactions that it had made by itself until then: more of them prove that it was open. `inherited`
    is the rest of what it had executed, None where the record does not tell.
    """

    elect: str
    server_uuid: str
    own: GtidSet = field(default_factory=GtidSet)
    inherited: GtidSet | None = None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An operation without an end: as it was begun, and every record since."""

    operation: Operation
    entries: tuple[Entry, ...] = ()

    def intent(self) -> Intent | None:
        """The elect that may be open already; None before the point of no return, or where it was withdrawn."""
        for entry in reversed(self.entries):
            if entry.kind is EntryKind.WITHDRAWN:
                return None
            if entry.kind is EntryKind.PROMOTE_INTENT:
                body = entry.body
                own, rest = GtidSet.parse(str(body.get("own", ""))), body.get("inherited")
                inherited = None if rest is None else GtidSet.parse(str(rest))
                return Intent(str(body["elect"]), str(body["server_uuid"]), own, inherited)
        return None

    def begun(self) -> tuple[Step, ...]:
        """Steps that took effect or may have, in the order they were begun: an intent without an outcome counts."""
        ended = Counter(step for step, _ in self.acted())
        effective = {step for step, outcome in self.acted() if outcome.result in TOOK_EFFECT}
        tried = list(self.intended())
        open_ended = {step for step, count in Counter(tried).items() if count > ended[step]}
        return tuple(step for step in dict.fromkeys(tried) if step in effective | open_ended)

    def intended(self) -> Iterator[Step]:
        """Every step of every intent."""
        for entry in self.entries:
            acts = entry.body.get("acts", ()) if entry.kind is EntryKind.INTENT else ()
            yield from acts if isinstance(acts, tuple) else ()

    def acted(self) -> Iterator[tuple[Step, StepOutcome]]:
        """Every step that has ended, with its outcome."""
        for entry in self.entries:
            if entry.kind is EntryKind.OUTCOME:
                step: Step = entry.body["act"]  # type: ignore[assignment]
                yield step, outcome_from(entry)

    def outcomes(self) -> tuple[StepOutcome, ...]:
        """All outcomes so far, in order."""
        return tuple(outcome for _, outcome in self.acted())

    def fence(self) -> FenceProof | None:
        """The last fence of the old primary that was proven and not taken back: its mark outlives the manager."""
        found = None
        for step, outcome in self.acted():
            if step.server != self.operation.plan.old_primary:
                continue
            if isinstance(step, FenceHost | FenceSession) and outcome.result is StepResult.DONE:
                found = FenceProof(step.server, outcome.detail, proven=True)
            elif isinstance(step, ReleaseFence | OpenWrites):
                found = None
        return found

    def beside(self) -> bool:
        """Whether the elect may have been open before the old primary was proven shut: no fence of it that was proven
        stands before the intent, which is written when every record before it is durable.
        """
        kinds = [entry.kind for entry in self.entries]
        if self.intent() is None:
            return False
        last = len(kinds) - 1 - kinds[::-1].index(EntryKind.PROMOTE_INTENT)
        return Unfinished(self.operation, self.entries[:last]).fence() is None

    def opened_at(self, elect: str) -> float | None:
        """When the elect was read back writable (wall seconds), where that is on record."""
        for step, outcome in self.acted():
            if step == OpenWrites(elect) and outcome.result is StepResult.DONE:
                return outcome.started + outcome.seconds
        return None

    def saved(self) -> tuple[Saved, ...]:
        """What was brought to an elect so far."""
        return tuple(
            Saved(step.gtids, step.origin, step.way)
            for step, outcome in self.acted()
            if isinstance(step, Splice) and outcome.result is StepResult.DONE
        )

    def hooked(self) -> frozenset[str]:
        """The keys of hooks that are not run again: begun ones that may not be repeated, and those that ended well."""
        begun = {str(e.body["key"]) for e in self.entries if e.kind is EntryKind.HOOK and not e.body.get("repeatable")}
        well = {str(e.body["key"]) for e in self.entries if e.kind is EntryKind.HOOK_ENDED and e.body.get("ok")}
        return frozenset(begun | well)

    def rebuilds(self) -> Mapping[str, bool]:
        """The programs that were begun to give a server other data and are not begun by another manager, each with
        whether its end is on record. Without one it may be at work still.
        """
        kept = self.hooked()
        ended = {str(e.body["key"]) for e in self.entries if e.kind is EntryKind.HOOK_ENDED}
        begun = (e.body for e in self.entries if e.kind is EntryKind.HOOK and e.body.get("point") == Point.REBUILD)
        return {str(body["hook"]): body["key"] in ended for body in begun if body["key"] in kept}

    def relaxed(self) -> dict[str, Durability]:
        """What servers forced to their disks before this operation let them off."""
        found: dict[str, Durability] = {}
        for entry in self.entries:
            if entry.kind is EntryKind.RELAXED:
                body = entry.body
                had = Durability(int(str(body["sync_binlog"])), int(str(body["flush_log"])))
                found.setdefault(str(body["server"]), had)
        return found

    def given_up(self) -> tuple[GtidSet, bool]:
        """What the last plan counted as missing with what was given up while it ran, and whether the old primary's logs
        could not be read to their end.
        """
        on_the_way = GtidSet()
        for entry in reversed(self.entries):
            if entry.kind is EntryKind.GIVEN_UP:
                on_the_way |= GtidSet.parse(str(entry.body["gtids"]))
            if entry.kind is EntryKind.PLAN:
                loss = entry.body.get("predicted_loss")
                text = str(loss["gtids"]) if isinstance(loss, dict) else ""
                return GtidSet.parse(text) | on_the_way, bool(entry.body.get("tail_unread"))
        return on_the_way, False


def outcome_from(entry: Entry) -> StepOutcome:
    """One outcome as it was published."""
    body = entry.body
    return StepOutcome(
        Stage(str(body["stage"])),
        str(body["title"]),
        str(body["server"]),
        StepResult(str(body["outcome"])),
        datetime.fromisoformat(str(body["started"])).timestamp(),
        float(str(body["seconds"])),
        str(body["detail"]),
    )
