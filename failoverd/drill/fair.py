"""Time limits on a machine that has other work: runbooks say what is promised where nothing runs beside; pure."""

from __future__ import annotations

from dataclasses import replace

from failoverd.model.runbook import Abort, Expectation, Runbook

# Expectations whose value is a time, beside the `within` of all.
_TIMES = frozenset({"outage_below", "stale_reads_below"})


def stretched(book: Runbook, times: float) -> Runbook:
    """The runbook with every time limit that many times as long; what counts rows or servers stays as it is."""
    if times <= 1.0:
        return book
    expect = tuple(_expectation(one, times) for one in book.expect)
    return replace(book, expect=expect, abort_if=tuple(_abort(one, times) for one in book.abort_if))


def _expectation(one: Expectation, times: float) -> Expectation:
    value = _longer(one.value, times) if one.kind in _TIMES else one.value
    return replace(one, value=value, within=None if one.within is None else _longer(one.within, times))


def _abort(one: Abort, times: float) -> Abort:
    return replace(one, value=_longer(one.value, times)) if one.kind == "outage_over" else one


def _longer(value: str | float, times: float) -> float:
    return round(float(value) * times, 3)
