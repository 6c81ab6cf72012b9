"""What has changed between two status documents, in sentences: the story beside the table of `status --watch`. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from failoverd.model.documents import Document, part, parts, word

# So many of the latest changes stay on the screen.
KEPT = 12
# What is told of a server when it changes; lag and sets change all the time.
_TOLD = ("role", "source", "receiver", "applier", "agent")


class Story:
    """The latest changes of all clusters, each with the time of day when it was seen."""

    def __init__(self) -> None:
        self._before: Document | None = None
        self.lines: tuple[str, ...] = ()

    def see(self, now: Document, clock: str) -> None:
        """Take in one more document; the first one has nothing to be compared with."""
        told = [] if self._before is None else [f"{clock}  {line}" for line in changes(self._before, now)]
        self._before = now
        self.lines = (*self.lines, *told)[-KEPT:]


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
    yield from of_operation(part(before, "operation"), part(now, "operation"))
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
    """An operation that was begun, came to another stage, or ended."""
    if now and word(now, "id") != word(before, "id"):
        yield f"{word(now, 'kind')} {word(now, 'id')} begun"
    elif now and word(now, "stage") != word(before, "stage"):
        yield f"{word(now, 'kind')} at {word(now, 'stage')}"
    if before and word(now, "id") != word(before, "id"):
        yield f"{word(before, 'kind')} {word(before, 'id')} ended (failoverd ops show)"


def of_server(before: Document, now: Document) -> Iterator[str]:
    """A server that went or came back, opened or closed, follows another one, or has other problems."""
    name = word(now, "name")
    if bool(before.get("reachable")) != bool(now.get("reachable")):
        yield f"{name} {'answers again' if now.get('reachable') else 'does not answer'}"
    elif now.get("reachable"):
        opened = not now.get("read_only")
        if before.get("read_only") != now.get("read_only"):
            yield f"{name} {'takes writes' if opened else 'is closed for writes'}"
        for key in _TOLD:
            if word(before, key) != word(now, key):
                yield f"{name}: {key} {word(before, key) or '-'} -> {word(now, key) or '-'}"
    known = {word(problem, "id") for problem in parts(before, "problems")}
    for problem in parts(now, "problems"):
        if word(problem, "id") not in known:
            yield f"{word(problem, 'sentence')}"
