"""What became of each expectation, from what was measured alone; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from types import MappingProxyType
from typing import Final

from failoverd.drill.figures import outage
from failoverd.model.counted import counted
from failoverd.model.rehearsed import Measured, Sight
from failoverd.model.runbook import Abort, Expectation, Role


class Outcome(StrEnum):
    """How an expectation stands; what is pending may still come."""

    MET = "met"
    FAILED = "failed"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Judged:
    """An expectation, how it stands, and what was measured, in words."""

    expectation: Expectation
    outcome: Outcome
    measured: str
    at: float | None = None


Row = Callable[[Expectation, Measured], Judged]


def judge(expectation: Expectation, measured: Measured) -> Judged:
    """How this expectation stands now; without a strike nothing is met or failed yet, unless the drill is over."""
    if measured.struck is None:
        outcome = Outcome.FAILED if measured.final else Outcome.PENDING
        return Judged(expectation, outcome, "the drill did not get so far")
    return ROWS[expectation.kind](expectation, measured)


def judge_all(expectations: tuple[Expectation, ...], measured: Measured) -> tuple[Judged, ...]:
    """All of them."""
    return tuple(judge(expectation, measured) for expectation in expectations)


def _limit(expectation: Expectation, measured: Measured) -> float:
    """Up to when it counts, in wall seconds."""
    begin = measured.began if measured.struck is None else measured.struck
    return float("inf") if expectation.within is None else begin + expectation.within


def _over(expectation: Expectation, measured: Measured) -> bool:
    """Whether nothing that still comes can count."""
    return measured.final or measured.now > _limit(expectation, measured)


def _after(measured: Measured) -> Iterator[Sight]:
    return (sight for sight in measured.sights if sight.at >= (measured.struck or 0.0))


def _seen(
    expectation: Expectation, measured: Measured, holds: Callable[[Sight], bool], told: Callable[[Sight], str]
) -> Judged:
    """Met by the first look in time for which it holds; without a time, by the last look of the drill."""
    found = list(_after(measured))
    if expectation.within is None and measured.final:
        found = found[-1:]
    limit = _limit(expectation, measured)
    hit = next((sight for sight in found if sight.at <= limit and holds(sight)), None)
    if hit is not None and (expectation.within is not None or measured.final):
        return Judged(expectation, Outcome.MET, f"{told(hit)} after {hit.at - (measured.struck or 0.0):.2f} s", hit.at)
    if not _over(expectation, measured):
        return Judged(expectation, Outcome.PENDING, "not yet")
    late = next((sight for sight in found if holds(sight)), None)
    if late is not None:
        return Judged(expectation, Outcome.FAILED, f"{told(late)} after {late.at - (measured.struck or 0.0):.2f} s")
    last = told(found[-1]) if found else "nobody looked"
    return Judged(expectation, Outcome.FAILED, f"it did not come; the last look: {last}")


def _new_primary(expectation: Expectation, measured: Measured) -> Judged:
    old = measured.cast.primary
    wanted = set(measured.cast.servers) if expectation.value == "any" else set(_named(expectation, measured))

    def holds(sight: Sight) -> bool:
        return len(sight.writers) == 1 and sight.writers[0] != old and sight.writers[0] in wanted

    return _seen(expectation, measured, holds, lambda sight: f"{', '.join(sight.writers) or 'nobody'} takes writes")


def _verdict(expectation: Expectation, measured: Measured) -> Judged:
    return _seen(
        expectation, measured, lambda s: s.verdict == expectation.value, lambda s: f"the verdict is {s.verdict or '?'}"
    )


def _attached(expectation: Expectation, measured: Measured) -> Judged:
    """Met while it holds, since the look from which on it has held: what held before the fault showed is not enough."""
    servers = _named(expectation, measured)
    found = [sight for sight in _after(measured) if sight.at <= _limit(expectation, measured)]
    pairs = sorted((found[-1].follows or {}).items()) if found else []
    told = "; ".join(f"{server} follows {source}" for server, source in pairs) or "nobody follows anybody"
    held = list(takewhile(lambda sight: sight.attached(servers), reversed(found)))
    if held and (expectation.within is not None or measured.final):
        since = held[-1].at - (measured.struck or 0.0)
        return Judged(expectation, Outcome.MET, f"{told} since {since:.2f} s", held[-1].at)
    outcome = Outcome.FAILED if _over(expectation, measured) else Outcome.PENDING
    return Judged(expectation, outcome, f"in the end of its time: {told}")


def _named(expectation: Expectation, measured: Measured) -> tuple[str, ...]:
    """The servers that a value means: `all`, `others` (all but the first primary), or a role."""
    special = {"all": measured.cast.servers, "others": measured.cast.replicas}
    value = str(expectation.value)
    return special[value] if value in special else measured.cast.names(Role(value))


def _one_writer(expectation: Expectation, measured: Measured) -> Judged:
    limit = _limit(expectation, measured)
    found = [sight for sight in measured.sights if sight.at <= limit]
    for sight in found:
        if len(sight.writers) > 1:
            return Judged(expectation, Outcome.FAILED, f"{' and '.join(sight.writers)} took writes at once", sight.at)
    if not _over(expectation, measured):
        return Judged(expectation, Outcome.PENDING, "so far")
    last = found[-1].writers if found else ()
    outcome = Outcome.MET if len(last) == 1 else Outcome.FAILED
    return Judged(
        expectation, outcome, f"{counted(len(found), 'look')}; in the end {', '.join(last) or 'nobody'} takes writes"
    )


def _no_failover(expectation: Expectation, measured: Measured) -> Judged:
    told = [str(one["kind"]) for one in measured.operations if one["kind"] in {"failover", "switchover"}]
    if told:
        return Judged(expectation, Outcome.FAILED, f"there was a {' and a '.join(told)}")
    outcome = Outcome.MET if _over(expectation, measured) else Outcome.PENDING
    return Judged(expectation, outcome, "the journal holds none")


def _outage_below(expectation: Expectation, measured: Measured) -> Judged:
    limit, most = _limit(expectation, measured), float(expectation.value)
    gap = outage(measured, limit)
    if gap is None:
        outcome = Outcome.FAILED if _over(expectation, measured) else Outcome.PENDING
        return Judged(expectation, outcome, "no row was ever acknowledged")
    words = f"{gap.seconds:.3f} s without an acknowledged write"
    if gap.seconds >= most:
        return Judged(expectation, Outcome.FAILED, words if gap.ended else f"{words}, and none came", gap.begin)
    return Judged(expectation, Outcome.MET if _over(expectation, measured) else Outcome.PENDING, words)


def _counted(expectation: Expectation, measured: Measured, count: int, words: str) -> Judged:
    if measured.rows is None:
        outcome = Outcome.FAILED if measured.final else Outcome.PENDING
        return Judged(expectation, outcome, "the rows were not compared")
    return Judged(expectation, Outcome.MET if count <= float(expectation.value) else Outcome.FAILED, words)


def _lost_rows(expectation: Expectation, measured: Measured) -> Judged:
    rows = measured.rows
    lost = rows.lost if rows else ()
    some = f" (the first is {lost[0]})" if lost else ""
    among = counted(rows.acknowledged, "acknowledged row") if rows else ""
    words = f"{len(lost)} of {among} are lost on {rows.server}{some}" if rows else ""
    return _counted(expectation, measured, len(lost), words)


def _duplicate_rows(expectation: Expectation, measured: Measured) -> Judged:
    count = measured.rows.duplicates if measured.rows else 0
    return _counted(expectation, measured, count, counted(count, "row is there twice", "rows are there twice"))


def _stale_reads_below(expectation: Expectation, measured: Measured) -> Judged:
    limit = _limit(expectation, measured)
    found = [one for one in measured.stale if (measured.struck or 0.0) <= one.at <= limit]
    worst = max(found, key=lambda one: one.seconds, default=None)
    if worst is not None and worst.seconds >= float(expectation.value):
        words = f"{worst.server} lacked {counted(worst.rows, 'row')}, the oldest {worst.seconds:.3f} s old"
        return Judged(expectation, Outcome.FAILED, words, worst.at)
    if measured.final and not measured.reads:
        return Judged(expectation, Outcome.FAILED, "no replica was read")
    words = f"{len(found)} stale of {measured.reads} reads, at worst {worst.seconds if worst else 0.0:.3f} s"
    return Judged(expectation, Outcome.MET if _over(expectation, measured) else Outcome.PENDING, words)


def _operation(expectation: Expectation, measured: Measured) -> Judged:
    ended = [(f"{one['kind']} {one['outcome']}", one["ended"]) for one in measured.operations if one["ended"]]
    if expectation.value in [words for words, _ in ended]:
        return Judged(expectation, Outcome.MET, f"{expectation.value}")
    outcome = Outcome.FAILED if _over(expectation, measured) else Outcome.PENDING
    return Judged(expectation, outcome, "ended: " + (", ".join(words for words, _ in ended) or "nothing"))


ROWS: Final[Mapping[str, Row]] = MappingProxyType(
    {
        "new_primary": _new_primary,
        "no_failover": _no_failover,
        "outage_below": _outage_below,
        "lost_rows": _lost_rows,
        "duplicate_rows": _duplicate_rows,
        "stale_reads_below": _stale_reads_below,
        "verdict": _verdict,
        "one_writer": _one_writer,
        "attached": _attached,
        "operation": _operation,
    }
)


def reason_to_abort(conditions: tuple[Abort, ...], measured: Measured) -> str:
    """Why the drill must end now; empty while nothing says so."""
    for condition in conditions:
        why = ABORTS[condition.kind](condition, measured)
        if why:
            return why
    return ""


def _two_writers(_: Abort, measured: Measured) -> str:
    found = next((sight for sight in measured.sights if len(sight.writers) > 1), None)
    return f"{' and '.join(found.writers)} take writes at once" if found else ""


def _outage_over(condition: Abort, measured: Measured) -> str:
    gap = outage(measured)
    over = gap is not None and gap.seconds > float(condition.value)
    return f"nothing was acknowledged for {gap.seconds:.1f} s" if gap is not None and over else ""


def _bad_verdict(condition: Abort, measured: Measured) -> str:
    last = measured.sights[-1].verdict if measured.sights else ""
    return f"the verdict is {last}" if last == condition.value else ""


ABORTS: Final[Mapping[str, Callable[[Abort, Measured], str]]] = MappingProxyType(
    {"two_writers": _two_writers, "outage_over": _outage_over, "verdict": _bad_verdict}
)
