"""Numbers out of what was measured; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import ceil

from failoverd.model.rehearsed import Document, Measured

ROW_BYTES = 80  # number, time and 64 characters of one row of the client


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without an acknowledged write; `ended` is False while it lasts."""

    begin: float
    end: float
    ended: bool = True

    @property
    def seconds(self) -> float:
        """How long."""
        return self.end - self.begin


def outage(measured: Measured, until: float | None = None) -> Gap | None:
    """The longest time without an acknowledged write that lasted beyond the strike; None without any write or strike.

    A gap that still lasts counts up to now.
    """
    limit = measured.now if until is None else min(until, measured.now)
    times = sorted(one.at for one in measured.wrote if one.at <= limit)
    if measured.struck is None or not times:
        return None
    gaps = [Gap(a, b) for a, b in pairwise(times) if b > measured.struck]
    gaps.append(Gap(times[-1], limit, ended=False) if limit > times[-1] else Gap(times[-1], times[-1]))
    return max(gaps, key=lambda gap: gap.seconds)


def first_write(measured: Measured) -> float | None:
    """Seconds from the strike to the end of the longest outage, or of an outage that began later, its own length (a
    planned change: nobody waits while it is prepared); None where no write was acknowledged again.
    """
    gap = outage(measured)
    if gap is None or not gap.ended or measured.struck is None:
        return None
    return max(gap.end - max(measured.struck, gap.begin), 0.0)


def errors(measured: Measured) -> Mapping[int, int]:
    """Failed attempts by MySQL's number; 0 where there is none."""
    return Counter(one.code for one in measured.refused)


def moment(text: object) -> float | None:
    """An operation's stamp as wall seconds."""
    return datetime.fromisoformat(str(text)).timestamp() if text else None


@dataclass(frozen=True, slots=True)
class Span:
    """A stage of an operation, in wall seconds."""

    stage: str
    begin: float
    end: float


def stages(operation: Document) -> tuple[Span, ...]:
    """Detection, decision, then each stage from its first step's beginning to its last one's end, in order."""
    found: dict[str, Span] = {}
    for name, begin, end in _spans(operation):
        old = found.get(name)
        found[name] = Span(name, min(old.begin, begin), max(old.end, end)) if old else Span(name, begin, end)
    return tuple(sorted(found.values(), key=lambda span: (span.begin, span.end)))


def _spans(operation: Document) -> Iterator[tuple[str, float, float]]:
    detected, decided = moment(operation.get("detected")), moment(operation.get("decided"))
    if detected is not None and decided is not None:
        yield "DECIDE", detected, decided
    for step in operation.get("steps", ()):
        begun = moment(step["started"])
        if begun is not None and step["outcome"] != "skipped":
            yield str(step["stage"]), begun, begun + float(step["seconds"] or 0.0)


def main_operation(measured: Measured) -> Document | None:
    """The operation that a drill is about: the first failover or switchover that was done, else the first at all."""
    told = sorted(measured.operations, key=lambda one: str(one["started"]))
    moved = [one for one in told if one["kind"] in {"failover", "switchover"}]
    done = [one for one in moved if one["outcome"] == "done"]
    return next(iter([*done, *moved, *told]), None)


def split(measured: Measured) -> tuple[tuple[str, float], ...]:
    """The time to the next acknowledged write by stages: what they are called, and seconds of each.

    What overlaps counts for the stage that began first; nothing where there was no operation.
    """
    operation, back, gap = main_operation(measured), first_write(measured), outage(measured)
    if operation is None or back is None or gap is None:
        return ()
    end, at = gap.end, gap.end - back
    parts: list[tuple[str, float]] = []
    marks = [("detect", moment(operation.get("detected")))]
    marks += [(span.stage.lower(), span.end) for span in stages(operation)]
    for name, until in marks:
        reached = min(until or at, end)
        if reached > at:
            parts.append((name, reached - at))
            at = reached
    return (*parts, ("client", end - at)) if end > at else tuple(parts)


def lost_seconds(measured: Measured) -> float:
    """How long before the last acknowledged row that was lost the first lost one was acknowledged: the RPO in time."""
    lost = set(measured.rows.lost) if measured.rows else set()
    times = [one.at for one in measured.wrote if one.number in lost]
    return max(times) - min(times) if times else 0.0


def percentile(values: list[float], share: float) -> float:
    """The least value that at least that share of them do not exceed (nearest rank); 0.0 of none."""
    ordered = sorted(values)
    return ordered[max(ceil(share * len(ordered)) - 1, 0)] if ordered else 0.0
