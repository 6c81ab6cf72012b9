"""What this manager answers over HTTP: a table of paths, each with what it says and when it says yes. Only reads.

Whatever is old or not known is a no (503): a balancer that asks here must never be led by a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from failoverd.service.board import Board, Document

OK, NOT_FOUND, BAD, UNAVAILABLE = 200, 404, 400, 503
JSON = "application/json"
_HAPROXY = re.compile(r"name=[^/;\s]+/([^;\s]+)")
_LAG = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_FOLLOWING = frozenset({"replica", "intermediate"})


@dataclass(frozen=True, slots=True)
class Answer:
    """A status code, and a body of that type."""

    status: int
    body: bytes
    kind: str = JSON


@dataclass(frozen=True, slots=True)
class Question:
    """One request, its path taken apart; `server` is named in the query, or by HAProxy's own header."""

    board: Board
    cluster: str
    query: Mapping[str, tuple[str, ...]]
    server: str

    def first(self, key: str) -> str:
        """The first value of a key of the query, empty without one."""
        return next(iter(self.query.get(key, ())), "")


def answer(board: Board, metrics: Callable[[Board], bytes], target: str, state: str) -> Answer:
    """The answer to a GET of `target`; `state` is the header that HAProxy sends with its checks."""
    parts = urlsplit(target)
    query = {key: tuple(values) for key, values in parse_qs(parts.query).items()}
    if parts.path == "/metrics":
        return Answer(OK, metrics(board), "text/plain; version=0.0.4; charset=utf-8")
    _, _, rest = parts.path.partition("/clusters/")
    cluster, _, what = rest.partition("/")
    path = f"/clusters/C/{what}" if parts.path.startswith("/clusters/") else parts.path
    row = ROWS.get(path)
    if row is None or (cluster and cluster not in board.clusters):
        known = sorted([*ROWS, "/metrics"])
        return said(NOT_FOUND, {"error": f"there is nothing at {parts.path}", "paths": known})
    named = _HAPROXY.search(state)
    server = next(iter(query.get("server", ())), named.group(1) if named else "")
    return row(Question(board, cluster, query, server))


def responder(
    board: Board, exposition: Callable[[tuple[Document, ...]], bytes]
) -> Callable[[str, str], tuple[int, str, bytes]]:
    """What a server asks for each request: status code, content type and body; `exposition` makes the metrics."""

    def metrics(board: Board) -> bytes:
        return exposition(tuple(measured(board, name) for name in board.clusters))

    def respond(target: str, state: str) -> tuple[int, str, bytes]:
        found = answer(board, metrics, target, state)
        return found.status, found.kind, found.body

    return respond


def measured(board: Board, cluster: str) -> Document:
    """The last status of a cluster with its ages, which no document can say of itself; only the name before a look."""
    document = board.document(cluster)
    if document is None:
        return {"name": cluster}
    ready = not not_ready(board.fresh(cluster))
    return {**document, "age": board.age(cluster), "healthy_age": board.healthy_age(cluster), "ready": ready}


def said(status: int, body: object) -> Answer:
    """A document as JSON."""
    return Answer(status, json.dumps(body).encode() + b"\n")


def live(_: Question) -> Answer:
    """The process answers."""
    return said(OK, {"live": True})


def ready(question: Question) -> Answer:
    """Armed: of every cluster there is a fresh look, somebody is active, and coordination holds."""
    board = question.board
    missing = {name: why for name in board.clusters if (why := not_ready(board.fresh(name)))}
    return said(UNAVAILABLE if missing else OK, {"ready": not missing, "missing": missing})


def not_ready(document: Document | None) -> str:
    """What is missing for acting; empty where nothing is."""
    if document is None:
        return "no fresh look"
    if document["coordination"] == "lost":
        return "coordination is lost"
    return "" if document["active_manager"] else "no manager is active"


def status(question: Question) -> Answer:
    """The last status of every cluster, as `failoverd status --json` has it."""
    board = question.board
    found = [document for name in board.clusters if (document := board.document(name)) is not None]
    return said(OK if found else UNAVAILABLE, {"clusters": found})


def primary(question: Question) -> Answer:
    """Who the primary is, while it is seen to take writes."""
    document = question.board.fresh(question.cluster)
    server = serving(document) if document is not None else None
    if document is None or server is None:
        return said(UNAVAILABLE, {"error": f"no server of {question.cluster} is seen to take writes"})
    return said(OK, {key: server[key] for key in ("name", "host", "port")} | {"epoch": document["epoch"]})


def is_primary(question: Question) -> Answer:
    """Whether the named server is the primary and takes writes."""
    if not question.server:
        return unnamed()
    document = question.board.fresh(question.cluster)
    found = serving(document) if document is not None else None
    yes = found is not None and found["name"] == question.server
    return said(OK if yes else UNAVAILABLE, {"server": question.server, "is_primary": yes})


def is_replica(question: Question) -> Answer:
    """Whether the named server follows with both threads, and is not further behind than `max_lag`."""
    if not question.server:
        return unnamed()
    wanted = question.first("max_lag")
    limit = _LAG.fullmatch(wanted)
    if wanted and limit is None:
        return said(BAD, {"error": "max_lag is not a duration", "hint": "max_lag=5s"})
    document = question.board.fresh(question.cluster)
    server = listed(document, question.server) if document is not None else None
    yes = server is not None and following(server, limit)
    return said(OK if yes else UNAVAILABLE, {"server": question.server, "is_replica": yes})


def unnamed() -> Answer:
    """Nobody said which server is meant."""
    return said(BAD, {"error": "no server is named", "hint": "?server=db1, or HAProxy's option http-check send-state"})


def listed(document: Document, name: str) -> dict[str, Any] | None:
    """The entry of that server."""
    servers: Any = document["servers"]
    return next((dict(server) for server in servers if server["name"] == name), None)


def serving(document: Document) -> dict[str, Any] | None:
    """The primary, if it answers and takes writes."""
    server = listed(document, str(document["primary"]))
    return server if server is not None and server["reachable"] and server["read_only"] is False else None


def following(server: Mapping[str, Any], limit: re.Match[str] | None) -> bool:
    """Whether it replicates, at most so far behind; a lag that is not known is too much for any limit."""
    running = server["receiver"] == "yes" and server["applier"] == "yes"
    lag = server["lag_seconds"]
    near = limit is None or (lag is not None and lag <= float(limit[1]) * _UNITS[limit[2] or "s"])
    return bool(server["role"] in _FOLLOWING and running and near)


ROWS: Mapping[str, Callable[[Question], Answer]] = {
    "/health/live": live,
    "/health/ready": ready,
    "/status": status,
    "/clusters/C/primary": primary,
    "/clusters/C/is-primary": is_primary,
    "/clusters/C/is-replica": is_replica,
}
