"""Which transactions of a diverged tail clients were told of: judged by what the failover wrote down when nothing
could move any more.

A row that does not hold for certain says that it is not known; nothing is ever called unacknowledged by guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations

from failoverd.gtid import GtidSet
from failoverd.model.divergence import Judged, Told


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the journal of a failover tells about its old primary.

    `seen` is its executed set when it was last seen taking writes, `frozen` what each other server held when positions
    could not move any more. `possible` may have acknowledged, `wait_count` of them had to; 0: none had to.
    """

    operation: str = ""
    seen: GtidSet = field(default_factory=GtidSet)
    frozen: tuple[tuple[str, GtidSet], ...] = ()
    possible: frozenset[str] = frozenset()
    wait_count: int = 0


def judge_tail(gtids: GtidSet, evidence: Evidence | None) -> tuple[Judged, ...]:
    """Each of these transactions in exactly one group, by the strongest evidence there is."""
    if evidence is None:
        return (Judged(gtids, Told.UNKNOWN, "no failover of this server is on record"),) if gtids else ()
    found: list[Judged] = []
    left = gtids
    for told, known, why in (
        (Told.ACKNOWLEDGED, evidence.seen, f"it was committed on the old primary when {evidence.operation} began"),
        *by_acknowledgers(gtids, evidence),
    ):
        if part := left & known:
            found.append(Judged(part, told, why))
            left -= part
    return tuple(found)


def by_acknowledgers(gtids: GtidSet, evidence: Evidence) -> Iterable[tuple[Told, GtidSet, str]]:
    """What the receivers' sets tell, where commits waited for acknowledgements."""
    needed = evidence.wait_count
    if not needed:
        yield Told.UNKNOWN, gtids, "commits waited for no acknowledgement: its client may have been answered"
        return
    here = {name: held for name, held in evidence.frozen if name in evidence.possible}
    absent = sorted(evidence.possible - here.keys())
    enough, most = held_by(here, needed), held_by(here, needed - len(absent))
    yield Told.ACKNOWLEDGED, gtids & enough, f"{needed} of those that acknowledge had received it"
    few = f"fewer than {needed} of those that acknowledge can have received it"
    yield Told.NOT_ACKNOWLEDGED, gtids - most if needed > len(absent) else GtidSet(), few
    yield Told.UNKNOWN, gtids, f"who may have acknowledged it was not there to be asked: {', '.join(absent)}"


def held_by(here: Mapping[str, GtidSet], count: int) -> GtidSet:
    """What at least so many of them hold."""
    found = GtidSet()
    for chosen in combinations(here.values(), count) if 0 < count <= len(here) else ():
        common = chosen[0]
        for one in chosen[1:]:
            common = common & one
        found |= common
    return found


def evidence_from(operation: Mapping[str, object]) -> Evidence:
    """The evidence in the document of a failover that has ended."""
    entries = operation.get("entries")
    told = {str(e["kind"]): e["body"] for e in entries if isinstance(e, dict)} if isinstance(entries, list) else {}
    frozen = told.get("freeze") or {}
    acks = told.get("acknowledgers") or {}
    lossless = bool(acks) and not acks.get("degraded")
    return Evidence(
        str(operation.get("operation", "")),
        GtidSet.parse(str(operation.get("seen") or "")),
        tuple(
            (name, GtidSet.parse(held["executed"]) | GtidSet.parse(held["received"])) for name, held in frozen.items()
        ),
        frozenset(str(name) for name in acks.get("possible") or ()),
        int(acks.get("wait_count") or 0) if lossless else 0,
    )
