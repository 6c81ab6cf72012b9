"""The drawing of a cluster: who follows whom, in tiers, as boxes and lines with their places. Pure.

Every box says in words what its shape says: role, whether it takes writes, how its stream runs, what it misses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

from failoverd.gtid import GtidSet
from failoverd.model.counted import counted
from failoverd.model.documents import Document, part, parts, word
from failoverd.model.plans import Kind
from failoverd.web.words import BAD, GOOD, UNKNOWN, WAIT, lag

# Pixels at which it is drawn; a narrow one has its tiers as indents, for telephones.
WIDTH, HEIGHT, GAP, ROW, EDGE, INDENT = 248, 70, 72, 84, 4, 22
_NAME_LENGTH: Final = 16
_ROLE_MARKS: Final[Mapping[str, str]] = {"diverged": BAD, "returning": WAIT, "unknown": UNKNOWN}


@dataclass(frozen=True, slots=True)
class Box:
    """One server: where it stands, its shape, and its words."""

    name: str
    shown: str
    role: str
    mark: str
    x: float
    y: float
    writes: str
    stream: str
    holds: str
    problems: int
    paused: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A stream from a source: its path, and `live`, `trying` or `cut`."""

    path: str
    kind: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything with its size, and the same in a sentence for people who hear the page."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class _Place:
    """A server in the tree: its tier, and its row, which may lie between two."""

    server: Document
    tier: int
    row: float
    above: str


def draw(cluster: Document, *, narrow: bool) -> Drawing:
    """The cluster's drawing, the primary first, what follows nobody at the end."""
    servers = parts(cluster, "servers")
    places = {word(p.server, "name"): p for p in _placed(servers, narrow=narrow)}
    everything = executed(servers)
    boxes = {name: _box(everything, place, narrow=narrow) for name, place in places.items()}
    lines = tuple(
        Line(_path(boxes[place.above], boxes[name], narrow=narrow), stream_kind(place.server))
        for name, place in places.items()
        if place.above
    )
    width = max((box.x + WIDTH for box in boxes.values()), default=0.0) + EDGE
    height = max((box.y + HEIGHT for box in boxes.values()), default=0.0) + EDGE
    told = "; ".join(_sentence(place) for place in places.values())
    return Drawing(width, height, tuple(boxes.values()), lines, told)


def _placed(servers: Sequence[Document], *, narrow: bool) -> list[_Place]:
    """Each server below its source; a circle of sources is broken where it is entered. A chain may be of any length."""
    names = {word(server, "name") for server in servers}
    roots = [s for s in servers if word(s, "source") not in names or word(s, "role") == "primary"]
    first = sorted(roots, key=lambda s: word(s, "role") != "primary") + list(servers)
    below: dict[str, list[Document]] = {}
    for server in servers:
        below.setdefault(word(server, "source"), []).append(server)
    found: dict[str, tuple[Document, int, str]] = {}
    waiting = [(server, 0, "") for server in reversed(first)]
    while waiting:
        server, tier, above = waiting.pop()
        name = word(server, "name")
        if name not in found:
            found[name] = server, tier, above
            waiting += [(one, tier + 1, name) for one in reversed(below.get(name, []))]
    rows = {name: float(row) for row, name in enumerate(found)} if narrow else _rows(found)
    return [_Place(server, tier, rows[name], above) for name, (server, tier, above) in found.items()]


def _rows(found: Mapping[str, tuple[Document, int, str]]) -> dict[str, float]:
    """A row for each server that none follows, and the middle of those that follow it for each other one."""
    followed = {above for _, tier, above in found.values() if tier}
    rows = {name: float(row) for row, name in enumerate(name for name in found if name not in followed)}
    ends: dict[str, tuple[float, float]] = {}
    for name, (_, tier, above) in reversed(list(found.items())):  # those below come before the one that they follow
        if name not in rows:
            rows[name] = sum(ends[name]) / 2
        if tier:
            ends[above] = rows[name], ends.get(above, (0.0, rows[name]))[1]
    return rows


def _box(everything: GtidSet, place: _Place, *, narrow: bool) -> Box:
    server = place.server
    name = word(server, "name")
    return Box(
        name,
        name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH - 1]}…",
        word(server, "role"),
        mark_of(server),
        EDGE + place.tier * (INDENT if narrow else WIDTH + GAP),
        EDGE + place.row * ROW,
        writes_said(server),
        stream_said(server),
        holds_said(everything, server),
        len(parts(server, "problems")),
        bool(part(server, "paused")),
    )


def _path(above: Box, below: Box, *, narrow: bool) -> str:
    end_y = below.y + HEIGHT / 2
    if narrow:
        x = above.x + INDENT / 2
        return f"M{x:g} {above.y + HEIGHT:g}V{end_y:g}H{below.x:g}"
    begin_y, middle = above.y + HEIGHT / 2, below.x - GAP / 2
    return f"M{above.x + WIDTH:g} {begin_y:g}H{middle:g}V{end_y:g}H{below.x:g}"


def mark_of(server: Document) -> str:
    """The shape of a server: bad where it does not answer, or has problems as a primary; to be watched with others."""
    if word(server, "replaced"):
        return BAD if word(server, "replaced") == Kind.FAILOVER else WAIT
    if not server.get("reachable"):
        return BAD
    own = _ROLE_MARKS.get(word(server, "role"))
    if own:
        return own
    if word(server, "role") == "primary":
        return GOOD if server.get("read_only") is False else BAD
    return WAIT if parts(server, "problems") or stream_kind(server) != "live" else GOOD


def writes_said(server: Document) -> str:
    """Whether it takes writes, in words; of a primary whose place is being taken, that."""
    if word(server, "replaced"):
        return "failed: is being replaced" if word(server, "replaced") == Kind.FAILOVER else "is being replaced"
    if not server.get("reachable"):
        return "does not answer"
    return "closed for writes" if server.get("read_only") else "takes writes"


def stream_kind(server: Document) -> str:
    """How its stream runs: `live`, `trying` to connect, or `cut`."""
    if word(server, "receiver") == "yes" and word(server, "applier") == "yes":
        return "live"
    return "trying" if word(server, "receiver") == "connecting" else "cut"


def stream_said(server: Document) -> str:
    """The same in words, with the lag of a running one; nothing for who follows nobody."""
    if not server.get("reachable") or not word(server, "source"):
        return ""
    if word(server, "receiver") == "connecting":
        return "connecting"
    if word(server, "receiver") != "yes":
        return "receiver off"
    return lag(server.get("lag_seconds")) if word(server, "applier") == "yes" else "applier off"


def executed(servers: Sequence[Document]) -> GtidSet:
    """Everything that any server is seen to have executed."""
    known = (found for server in servers if (found := _set(server, "gtid_executed")) is not None)
    return reduce(lambda one, other: one | other, known, GtidSet())


def holds_said(everything: GtidSet, server: Document) -> str:
    """What it misses of everything, and how much of that it has received."""
    mine, received = _set(server, "gtid_executed"), _set(server, "gtid_received")
    if mine is None:
        return "set not known"
    if word(server, "role") == "primary":
        return counted(mine.count(), "transaction")
    missing = everything - mine
    if not missing:
        return f"holds all {mine.count():,}"
    here = ((received or GtidSet()) - mine).count()
    return f"{missing.count():,} behind" + (f", {here:,} of them here" if here else "")


def _set(server: Document, key: str) -> GtidSet | None:
    text = server.get(key)
    if not isinstance(text, str):
        return None
    try:
        return GtidSet.parse(text)
    except ValueError:
        return None


def _sentence(place: _Place) -> str:
    server = place.server
    follows = f", follows {place.above}" if place.above else ""
    words: Iterator[str] = (text for text in (writes_said(server), stream_said(server)) if text)
    trouble = f", {counted(len(parts(server, 'problems')), 'problem')}" if parts(server, "problems") else ""
    return f"{word(server, 'name')}, {word(server, 'role')}{follows}: {', '.join(words)}{trouble}"
