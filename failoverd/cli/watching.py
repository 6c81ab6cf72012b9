"""What has changed between two status documents, in sentences: the story beside the table of `status --watch`. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from failoverd.model.documents import Document, part, parts, word

# So many of the latest changes stay on the screen.
KEPT = 12
# What is told of a server when it changes; lag and sets change all the time.
_TOLD = ("role", "source", "receiver", "applier", "agent")


class Story:
    """The latest changes of all clusters, the newest first, each with the time of day when it was seen: a screen that
    is too low cuts the oldest.
    """

    def __init__(self) -> None:
        self._before: Document | None = None
        self.lines: tuple[tuple[str, str], ...] = ()

    def see(self, now: Document, clock: str) -> None:
        """Take in one more document; the first one has nothing to be compared with."""
        told = [] if self._before is None else [(clock, line) for line in changes(self._before, now)]
        self._before = now
        self.lines = (*reversed(told), *self.lines)[:KEPT]


def changes(before: Document, now: Document) -> Iterator[str]:
    """Every change of every cluster that is in both."""
    known = {word(cluster, "name"): cluster for cluster in parts(before, "clusters")}
    for cluster in parts(now, "clusters"):
        name = word(cluster, "name")
        if name in known:
            yield from (f"{name}: {line}" for line in of_cluster(known[name], cluster))


def of_cluster(before: Document, now: Document) -> Iterator[str]:
    """Verdict, primary, managers, pause, operation, then the servers."""
    if word(before, "verdict") != word(now, "verdict"):
        yield f"{word(before, 'verdict')} -> {word(now, 'verdict')}, {word(now, 'sentence')}".rstrip(", ")
    for key, what in (("primary", "primary"), ("active_manager", "active manager"), ("coordination", "coordination")):
        if word(before, key) != word(now, key):
            yield f"{what} {word(before, key) or 'none'} -> {word(now, key) or 'none'}"
    yield from of_pause(part(before, "paused"), part(now, "paused"))
    yield from of_operation(before, now)
    known = {word(server, "name"): server for server in parts(before, "servers")}
    for server in parts(now, "servers"):
        yield from of_server(known.get(word(server, "name"), server), server)


def of_pause(before: Document, now: Document) -> Iterator[str]:
    """A pause that began or ended."""
    if now and not before:
        yield f"paused by {word(now, 'by')}: {word(now, 'reason')}"
    if before and not now:
        yield "no longer paused"


def of_operation(before: Document, now: Document) -> Iterator[str]:
    """An operation of a cluster that ended, was begun, or came to another stage."""
    was, goes_on = part(before, "operation"), part(now, "operation")
    if was and word(goes_on, "id") != word(was, "id"):
        yield f"{word(was, 'kind')} {word(was, 'id')} {ended(word(was, 'id'), now)}"
    if goes_on and word(goes_on, "id") != word(was, "id"):
        yield f"{word(goes_on, 'kind')} {word(goes_on, 'id')} begun"
    elif goes_on and word(goes_on, "stage") != word(was, "stage"):
        yield f"{word(goes_on, 'kind')} at {word(goes_on, 'stage')}"


def ended(operation: str, cluster: Document) -> str:
    """How an operation ended, where its manager has published that already, and where the rest is told."""
    for last in parts(cluster, "last_operations"):
        if word(last, "operation") == operation:
            outage = word(last, "outage_seconds")
            return f"ended: {word(last, 'outcome')}{f', outage {outage} s' if outage else ''}"
    return "ended (failoverd ops show)"


def of_server(before: Document, now: Document) -> Iterator[str]:
    """A server that went or came back, opened or closed, follows another one, or has other problems."""
    name = word(now, "name")
    if bool(before.get("reachable")) != bool(now.get("reachable")):
        yield f"{name} {'answers again' if now.get('reachable') else 'does not answer'}"
    elif now.get("reachable"):
        opened = not now.get("read_only")
        if before.get("read_only") != now.get("read_only"):
            yield f"{name} {'takes writes' if opened else 'is closed for writes'}"
        told = [(key, word(before, key), word(now, key)) for key in _TOLD]
        new = [f"{key} {old or 'none'} -> {current or 'none'}" for key, old, current in told if old != current]
        yield from [f"{name}: {', '.join(new)}"] if new else []
    known = {word(problem, "id") for problem in parts(before, "problems")}
    for problem in parts(now, "problems"):
        if word(problem, "id") not in known:
            yield f"{word(problem, 'sentence')}"
