"""The account of a drill as one JSON document; everything else that tells of it is made from this document alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final

from failoverd.drill import figures
from failoverd.drill.run import Finished
from failoverd.model.published import requester_json, seconds, time_text
from failoverd.model.rehearsed import Measured, Sight

Document = Mapping[str, Any]
MOST_NUMBERS: Final = 100  # of lost rows that are named one by one
# What a client means by MySQL's numbers that it meets in a drill.
KINDS: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "no answer in time",
        1045: "not let in",
        1053: "the server goes down",
        1290: "read-only",
        1836: "read-only",
        1927: "the session was ended",
        2003: "no connection",
        2006: "the connection is gone",
        2013: "the connection was lost",
        3032: "offline",
    }
)
BINS: Final = 240  # points of the plot


def document(finished: Finished) -> Document:
    """Everything that is known of one drill."""
    measured, book = finished.measured, finished.book
    return {
        "drill": book.name,
        "title": book.title,
        "about": book.about,
        "file": book.file,
        "result": finished.result,
        "problem": finished.problem,
        "ground": finished.ground,
        "on": book.on,
        "requested_by": requester_json(finished.by),
        "began": time_text(measured.began or None),
        "struck": time_text(measured.struck),
        "ended": time_text(measured.now),
        "seconds": seconds(measured.now - measured.began) if measured.began else None,
        "cast": {
            "primary": measured.cast.primary,
            "replicas": list(measured.cast.replicas),
            "active_manager": measured.cast.active,
            "standby_managers": list(measured.cast.standbys),
        },
        "expectations": [
            {
                "kind": one.expectation.kind,
                "title": one.expectation.title,
                "outcome": str(one.outcome),
                "measured": one.measured,
                "place": one.expectation.place,
            }
            for one in finished.judged
        ],
        "steps": [
            {
                "part": step.part,
                "title": step.title,
                "place": step.place,
                "at": _since(measured, step.began),
                "seconds": seconds(step.seconds),
                "outcome": step.outcome,
                "detail": step.detail,
            }
            for step in finished.steps
        ],
        "left": list(finished.left),
        **_numbers(measured),
        "changes": [_sight(measured, sight) for sight in changes(measured.sights)],
        "operations": [dict(one) for one in measured.operations],
        "facts": dict(finished.facts),
        "settings": dict(finished.settings),
        "runbook": book.text,
        "runbook_sha256": sha256(book.text.encode()).hexdigest(),
    }


def _numbers(measured: Measured) -> Document:
    gap, back = figures.outage(measured), figures.first_write(measured)
    operation = figures.main_operation(measured)
    rows = measured.rows
    latencies = [one.seconds for one in measured.wrote]
    lost = operation["lost"] if operation else {"transactions": 0, "gtids": "", "at_least": False}
    return {
        "outage": None
        if gap is None
        else {"seconds": seconds(gap.seconds), "from": _since(measured, gap.begin), "ended": gap.ended},
        "rto": {
            "seconds": seconds(back),
            "stages": [{"stage": name, "seconds": seconds(took)} for name, took in figures.split(measured)],
        },
        "rpo": {
            "transactions": lost["transactions"],
            "at_least": bool(lost.get("at_least")),
            "rows": len(rows.lost) if rows else None,
            "bytes": len(rows.lost) * figures.ROW_BYTES if rows else None,
            "seconds": seconds(figures.lost_seconds(measured)),
        },
        "client": {
            "acknowledged": rows.acknowledged if rows else len(measured.wrote),
            "ways": dict(sorted(Counter(one.server for one in measured.wrote).items())),
            "compared_on": rows.server if rows else None,
            "unknown": measured.unknown,
            "lost": list(rows.lost[:MOST_NUMBERS]) if rows else [],
            "strange": list(rows.strange[:MOST_NUMBERS]) if rows else [],
            "duplicates": rows.duplicates if rows else None,
            "errors": [
                {"code": code, "count": n, "kind": KINDS.get(code, "")}
                for code, n in sorted(figures.errors(measured).items())
            ],
            "latency_seconds": {
                "median": seconds(figures.percentile(latencies, 0.5)),
                "p99": seconds(figures.percentile(latencies, 0.99)),
                "worst": seconds(max(latencies, default=0.0)),
            },
            "reads": measured.reads,
            "stale_reads": len(measured.stale),
            "stalest_seconds": seconds(max((one.seconds for one in measured.stale), default=0.0)),
        },
        "stages": [
            {
                "operation": str(one["operation"]),
                "stage": span.stage,
                "from": _since(measured, span.begin),
                "to": _since(measured, span.end),
            }
            for one in measured.operations
            for span in figures.stages(one)
        ],
        "series": series(measured),
    }


def series(measured: Measured) -> Document:
    """The plot's points: for each bin its middle, the slowest acknowledged write (null: none), and failed attempts."""
    begin, end = measured.began, measured.now
    width = max(end - begin, 0.001) / BINS
    slowest: list[float | None] = [None] * BINS
    failed = [0] * BINS

    def bin_of(at: float) -> int:
        return min(max(int((at - begin) / width), 0), BINS - 1)

    for one in measured.wrote:
        number = bin_of(one.at)
        slowest[number] = max(slowest[number] or 0.0, one.seconds)
    for refused in measured.refused:
        failed[bin_of(refused.at)] += 1
    return {
        "seconds": [round(_since(measured, begin + (number + 0.5) * width), 3) for number in range(BINS)],
        "slowest": [None if value is None else round(value, 4) for value in slowest],
        "failed": failed,
    }


def changes(sights: tuple[Sight, ...]) -> tuple[Sight, ...]:
    """The looks that differ from the one before: the story in few lines."""

    def told(sight: Sight) -> tuple[object, ...]:
        return (
            sight.writers,
            sight.verdict,
            sight.primary,
            sight.manager,
            tuple(sorted((sight.follows or {}).items())),
        )

    return tuple(sight for index, sight in enumerate(sights) if index == 0 or told(sight) != told(sights[index - 1]))


def _sight(measured: Measured, sight: Sight) -> Document:
    return {
        "at": _since(measured, sight.at),
        "writers": list(sight.writers),
        "verdict": sight.verdict or None,
        "primary": sight.primary or None,
        "active_manager": sight.manager or None,
        "follows": dict(sorted((sight.follows or {}).items())),
    }


def _since(measured: Measured, at: float) -> float:
    """Seconds since the strike, or since the beginning where there was none."""
    return round(at - (measured.struck if measured.struck is not None else measured.began), 3)


def summary(told: Document) -> Document:
    """One drill in a line of a list."""
    return {
        "drill": told["drill"],
        "title": told["title"],
        "result": told["result"],
        "ground": told["ground"],
        "on": told["on"],
        "began": told["began"],
        "outage_seconds": (told["outage"] or {}).get("seconds"),
        "rto_seconds": told["rto"]["seconds"],
        "lost_rows": told["rpo"]["rows"],
        "by": told["requested_by"]["user"],
        "version": told["facts"].get("failoverd", ""),
        "whole_seconds": told.get("whole_seconds") or told["seconds"] or 0.0,
    }
