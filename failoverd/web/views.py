"""What each page shows, as plain values for its template. Pure: documents in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from failoverd.model.documents import Document, part, parts, word, words
from failoverd.model.plans import Kind
from failoverd.model.published import UNFENCED
from failoverd.service.reading import Reading
from failoverd.web import story
from failoverd.web.topology import Drawing, draw
from failoverd.web.words import BAD, BUSY, UNKNOWN, WEIGHT, ago, refusal_hint, rule_hint, verdict_mark

Values = Mapping[str, Any]
_MOVING: Final = frozenset(str(kind) for kind in Kind if kind.moves)
_BEFORE: Final = (
    "Servers are shown as they were seen before this operation began; what has been done since stands above."
)
COORDINATION: Final[Mapping[str, str]] = {
    "ok": "ZooKeeper answers",
    "local": "a file lock on one host: there is no standby",
    "lost": "lost: watching goes on, nobody acts",
}


@dataclass(frozen=True, slots=True)
class Glance:
    """One cluster in one line."""

    name: str
    mark: str
    verdict: str
    primary: str
    answering: int
    servers: int
    lag: str
    problems: int
    refusals: int
    manager: str
    age: str
    warnings: tuple[str, ...]
    operation: str


def unseen(reading: Reading) -> bool:
    """Whether an operation has begun since the last look: the manager publishes nothing while it is busy with one."""
    return reading.operation is not None and not part(reading.document or {}, "operation")


def as_it_stands(reading: Reading) -> Document:
    """The document, with what the journal of an operation knows better: why it was begun, and whose place is taken."""
    told, operation = reading.document or {}, reading.operation or {}
    if not told or not unseen(reading):
        return told
    old = word(operation, "old_primary") if word(operation, "kind") in _MOVING else ""
    servers = [
        {**s, "replaced": word(operation, "kind") if word(s, "name") == old else ""} for s in parts(told, "servers")
    ]
    return {**told, "servers": servers, "sentence": word(operation, "cause"), "evidence": [], "rule": None}


def glance(reading: Reading) -> Glance:
    """The line of a cluster; news that is old looks as if nothing were known, whatever it says."""
    told = as_it_stands(reading)
    servers = parts(told, "servers")
    lags = [found for s in servers if isinstance(found := s.get("lag_seconds"), int | float)]
    running = reading.operation or {}
    return Glance(
        reading.cluster,
        mark_of(reading),
        verdict_said(reading),
        word(told, "primary"),
        sum(bool(server.get("reachable")) and not word(server, "replaced") for server in servers),
        len(servers),
        f"{max(lags):g} s" if lags else "–",
        sum(len(parts(server, "problems")) for server in servers),
        len(parts(told, "refusals")),
        word(told, "active_manager"),
        ago(reading.age),
        reading.warnings,
        f"{word(running, 'kind')} {word(running, 'operation')}".strip(),
    )


def verdict_said(reading: Reading) -> str:
    """The verdict; where it says nothing about now, that it is the last one known, or what is going on since."""
    if unseen(reading):
        return f"{word(reading.operation or {}, 'kind')} going on"
    known = word(reading.document or {}, "verdict")
    if not known:
        return "nothing known"
    return known if reading.fresh else f"last known: {known}"


def mark_of(reading: Reading) -> str:
    """The shape of a cluster: a good verdict counts only while it is fresh."""
    if unseen(reading):
        return BUSY
    if reading.document is None:
        return UNKNOWN
    mark = verdict_mark(word(reading.document, "verdict"))
    return mark if reading.fresh or mark == BAD else UNKNOWN


def glances(readings: Iterable[Reading]) -> tuple[Glance, ...]:
    """All clusters, what needs people first, then by name."""
    return tuple(sorted(map(glance, readings), key=lambda one: (WEIGHT[one.mark], not one.warnings, one.name)))


@dataclass(frozen=True, slots=True)
class ClusterView:
    """Everything about one cluster; `told` is its document."""

    name: str
    mark: str
    verdict: str
    told: Document
    hint: str
    coordination: str
    standby: tuple[str, ...]
    wide: Drawing
    narrow: Drawing
    problems: tuple[tuple[str, Document], ...]
    refusals: tuple[tuple[Document, str], ...]
    running: Values | None
    age: str
    warnings: tuple[str, ...]


def cluster_view(reading: Reading) -> ClusterView:
    """A cluster's own page."""
    told = as_it_stands(reading)
    return ClusterView(
        reading.cluster,
        mark_of(reading),
        verdict_said(reading),
        told,
        rule_hint(told.get("rule")),
        coordination_said(reading),
        words(told, "standby_managers"),
        draw(told, narrow=False),
        draw(told, narrow=True),
        tuple((word(s, "name"), p) for s in parts(told, "servers") for p in parts(s, "problems")),
        tuple((refusal, refusal_hint(refusal.get("id"))) for refusal in parts(told, "refusals")),
        operation_view(reading.operation) if reading.operation is not None else None,
        ago(reading.age),
        (*reading.warnings, *([_BEFORE] if unseen(reading) else [])),
    )


def coordination_said(reading: Reading) -> str:
    """How coordination is; that it answered once says nothing about now."""
    told = word(reading.document or {}, "coordination")
    return "not known" if told == "ok" and not reading.fresh else COORDINATION.get(told, told)


def left_behind(operation: Document) -> Iterator[str]:
    """What an operation leaves for people to look at."""
    fenced = part(operation, "fenced")
    if word(fenced, "how") == UNFENCED:
        yield f"{word(fenced, 'server')} could not be proven fenced: it may still take writes"
    yield from words(operation, "findings")
    for refusal in parts(operation, "refusals"):
        yield f"refused by {word(refusal, 'id')}: {word(refusal, 'sentence')}"
    for replica in parts(operation, "replicas"):
        if not replica.get("attached"):
            yield f"{word(replica, 'name')} is not attached: {word(replica, 'problem')}"


def operation_view(operation: Document) -> Values:
    """An operation with its stages and its line of time; of an open one, why it stays open."""
    stands = [part(e, "body") for e in parts(operation, "entries") if word(e, "kind") in {"resumed", "needs-person"}]
    return {
        "told": operation,
        "id": word(operation, "operation"),
        "open": not word(operation, "ended"),
        "passages": story.passages(operation),
        "happenings": story.happenings(operation),
        "left": tuple(left_behind(operation)),
        "problem": word(stands[-1], "sentence") if stands and not word(operation, "ended") else "",
    }
