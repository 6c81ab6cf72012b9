"""One operation for people, from its published document: its account in sentences, and its timeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from failoverd.model.counted import counted
from failoverd.model.documents import Document, number, part, parts, word

MOMENTS: Final = (("detected", "first sign"), ("decided", "decided"), ("writable", "writable again"), ("ended", "end"))


def operation_lines(operation: Document) -> Iterator[str]:
    """The account of an operation in sentences."""
    yield f"{word(operation, 'kind')} {word(operation, 'operation')} of {word(operation, 'cluster')}: " + (
        word(operation, "outcome") or "still open"
    )
    if word(operation, "cause"):
        yield f"  because {word(operation, 'cause')}"
    by = part(operation, "requested_by")
    if word(by, "kind") == "person":
        reason = f": {word(by, 'reason')}" if word(by, "reason") else ""
        yield f"  asked for by {word(by, 'user')} on {word(by, 'host')}{reason}"
    yield f"  {word(operation, 'old_primary') or '-'} -> {word(operation, 'new_primary') or '-'}"
    if word(operation, "outage_seconds"):
        yield f"  outage {word(operation, 'outage_seconds')} s"
    yield from remains(operation)


def remains(operation: Document) -> Iterator[str]:
    """What an operation leaves behind: losses, savings, the fence, refusals, replicas that are not attached."""
    lost = part(operation, "lost")
    yield f"  lost {counted(number(lost, 'transactions'), 'transaction')} {word(lost, 'gtids')}".rstrip()
    for saved in parts(operation, "saved"):
        many = counted(number(saved, "transactions"), "transaction")
        yield f"  saved {many} from {word(saved, 'from')} ({word(saved, 'how')})"
    fenced = part(operation, "fenced")
    if fenced:
        yield f"  old primary {word(fenced, 'server')}: {word(fenced, 'how')}"
    for refusal in parts(operation, "refusals"):
        yield f"  refused by {word(refusal, 'id')}: {word(refusal, 'sentence')}"
    for replica in parts(operation, "replicas"):
        if not replica.get("attached"):
            yield f"  {word(replica, 'name')} is not attached: {word(replica, 'problem')}"


def timeline(operation: Document) -> Iterator[str]:
    """Everything that happened, in its order; of one that is open what is known so far."""
    started = seconds_of(word(operation, "started"))
    told: list[tuple[float, str]] = []
    for key, what in MOMENTS:
        if word(operation, key):
            told.append((seconds_of(word(operation, key)), f"** {what}"))
    told += [(seconds_of(word(step, "started"), started), step_line(step)) for step in parts(operation, "steps")]
    for entry in parts(operation, "entries"):
        line = LINES.get(word(entry, "kind"))
        if line is not None:
            told.append((measured(entry, "at"), line(part(entry, "body"))))
    for at, line_text in sorted(told, key=lambda one: one[0]):
        yield f"  {at - started:+9.3f} s  {line_text}"


def seconds_of(text: str, otherwise: float = 0.0) -> float:
    """Wall seconds of a published time; something else where there is none, or one that cannot be understood."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return otherwise


def measured(document: Document, key: str) -> float:
    """A measured number; zero for what is none."""
    value = document.get(key)
    return float(value) if isinstance(value, int | float) else 0.0


def step_line(step: Document) -> str:
    """One step and what came of it."""
    took = f" ({measured(step, 'seconds') * 1000:.0f} ms)" if word(step, "outcome") == "done" else ""
    detail = f", {word(step, 'detail')}" if word(step, "detail") else ""
    return f"{word(step, 'stage'):8} {word(step, 'title')}: {word(step, 'outcome')}{detail}{took}"


def frozen_line(body: Document) -> str:
    """Whose positions were fixed."""
    return f"** positions can no longer move on {', '.join(sorted(body)) or 'any server'}"


def chosen_line(body: Document) -> str:
    """The point of no return."""
    return f"** {word(body, 'elect')} is about to be opened: from here only forward"


def resumed_line(body: Document) -> str:
    """Who went on with it, and which way."""
    return f"** {word(body, 'manager')} goes on under epoch {word(body, 'epoch')}: {word(body, 'sentence')}"


def withdrawn_line(body: Document) -> str:
    """The elect may be another one again."""
    return f"** {word(body, 'elect')} is proven closed: nothing had been opened"


def person_line(body: Document) -> str:
    """Why it stays open."""
    return f"** needs a person: {word(body, 'sentence')}"


LINES: Final[dict[str, Callable[[Document], str]]] = {
    "freeze": frozen_line,
    "promote-intent": chosen_line,
    "resumed": resumed_line,
    "withdrawn": withdrawn_line,
    "needs-person": person_line,
}
