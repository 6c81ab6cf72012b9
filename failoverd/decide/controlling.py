"""The words that people say to a running operation: one row each, what it means, and what it changes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from failoverd.model.control import Standing, Wishes
from failoverd.model.counted import counted
from failoverd.model.load import Loads, loads_of, loads_text
from failoverd.model.plans import Kind
from failoverd.model.policy import SwitchoverPolicy

Change = Callable[[Wishes, str, Standing], Wishes]
# Limits that people may set while it runs, in milliseconds.
_BUDGET = (100, 60_000)
_LAG = (100, 3_600_000)
_NOT_DONE = "not done: "
# What keeps it from freezing comes too late once it has.
_BEFORE_FREEZING = frozenset({"hold", "throttle"})


class Unheard(Exception):
    """A word that cannot be followed: the sentence says why. Nothing is changed by it."""


@dataclass(frozen=True, slots=True)
class Word:
    """One row. `value` says what stands behind `=`, empty for a word that stands alone; a word without a `change` only
    asks, `shows` tells what is in force.
    """

    word: str
    sentence: str
    change: Change | None = None
    value: str = ""
    shows: Callable[[Wishes, Standing], str] = lambda *_: ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to a line: whether it was followed, the lines for people, and the wishes from now on."""

    ok: bool
    lines: tuple[str, ...]
    wishes: Wishes


def _number(value: str, limits: tuple[int, int]) -> float:
    """Milliseconds as seconds; Unheard where it is none or out of bounds."""
    low, high = limits
    if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
        raise Unheard(f"'{value}' is no whole number of milliseconds from {low} to {high}")
    return int(value) / 1000


def _loads(value: str) -> Loads:
    """Limits of the load; Unheard where they are none."""
    try:
        return loads_of(value)
    except ValueError as error:
        raise Unheard(str(error)) from None


def _candidate(wishes: Wishes, value: str, standing: Standing) -> Wishes:
    if value not in standing.servers:
        raise Unheard(f"there is no server '{value}': {', '.join(standing.servers)}")
    return replace(wishes, candidate=value)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


WORDS: tuple[Word, ...] = (
    Word("status", "where it stands"),
    Word("plan", "what it does, step by step"),
    Word("hold", "freeze nothing before somebody says go", lambda w, *_: replace(w, held=True, released=False)),
    Word("go", "end the hold", lambda w, *_: replace(w, held=False, released=True)),
    Word("abort", "take everything back; refused past the point of no return", lambda w, v, _: _given_up(w, v)),
    Word("throttle", "freeze nothing, as if the load were too high", lambda w, *_: replace(w, throttled=True)),
    Word("no-throttle", "end the throttling", lambda w, *_: replace(w, throttled=False)),
    Word(
        "candidate",
        "another new primary: what was begun is taken back and planned anew",
        _candidate,
        "SERVER",
        lambda w, s: w.candidate or s.elect,
    ),
    Word(
        "freeze-budget-ms",
        "time without writes that one attempt may take",
        lambda w, v, _: replace(w, freeze_budget=_number(v, _BUDGET)),
        "MILLISECONDS",
        lambda w, s: _milliseconds(w.within(s.limits).freeze_budget),
    ),
    Word(
        "max-lag-ms",
        "lag of the candidate above which nothing is frozen yet",
        lambda w, v, _: replace(w, max_lag=_number(v, _LAG)),
        "MILLISECONDS",
        lambda w, s: _milliseconds(w.within(s.limits).max_lag),
    ),
    Word(
        "max-load",
        "load of the primary above which nothing is frozen yet",
        lambda w, v, _: replace(w, max_load=_loads(v)),
        "VARIABLE=LIMIT,...",
        lambda w, s: loads_text(w.within(s.limits).max_load),
    ),
    Word(
        "critical-load",
        "load of the primary above which it is given up",
        lambda w, v, _: replace(w, critical_load=_loads(v)),
        "VARIABLE=LIMIT,...",
        lambda w, s: loads_text(w.within(s.limits).critical_load),
    ),
    Word("?", "this list; behind a word with a value: what is in force"),
)
BY_WORD: Mapping[str, Word] = {row.word: row for row in WORDS}


def _given_up(wishes: Wishes, by: str) -> Wishes:
    return replace(wishes, given_up_by=by or "somebody at the control socket")


def obey(line: str, wishes: Wishes, standing: Standing, now: float, by: str = "") -> Answer:
    """What a line changes and what is answered to it; a line that cannot be followed changes nothing."""
    word, given, value = line.strip().partition("=")
    word, value = word.strip(), value.strip()
    try:
        row = _row(word, bool(given))
        if row.change is None:
            return Answer(ok=True, lines=_told(word, wishes, standing, now), wishes=wishes)
        if value == "?":
            return Answer(ok=True, lines=(f"{word}={row.shows(wishes, standing)}",), wishes=wishes)
        _may(word, standing)
        after = row.change(wishes, value if row.value else by, standing)
    except Unheard as why:
        return Answer(ok=False, lines=(f"{_NOT_DONE}{why}",), wishes=wishes)
    return Answer(ok=True, lines=(f"{line.strip()}: noted", progress(after, standing, now)), wishes=after)


def misspelt(line: str, servers: tuple[str, ...]) -> str:
    """Why nobody could ever follow this line in a cluster of these servers; empty where it may be said."""
    nowhere = Standing("", "", Kind.SWITCHOVER, (), "", servers, SwitchoverPolicy())
    answer = obey(line, Wishes(), nowhere, 0.0)
    return "" if answer.ok else answer.lines[0].removeprefix(_NOT_DONE)


def wished(lines: tuple[str, ...], standing: Standing) -> Wishes:
    """The wishes that an operation is begun with; a line that means nothing to this version is passed over."""
    wishes = Wishes()
    for line in lines:
        wishes = obey(line, wishes, standing, 0.0).wishes
    return wishes


def lines_of(wishes: Wishes) -> tuple[str, ...]:
    """The lines that lead to the same limits elsewhere; who holds it and who is wanted is not among them."""
    times = (("freeze-budget-ms", wishes.freeze_budget), ("max-lag-ms", wishes.max_lag))
    loads = (("max-load", wishes.max_load), ("critical-load", wishes.critical_load))
    return (
        *(f"{word}={_milliseconds(seconds)}" for word, seconds in times if seconds is not None),
        *(f"{word}={loads_text(limits)}" for word, limits in loads if limits is not None),
    )


def _row(word: str, given: bool) -> Word:
    row = BY_WORD.get(word)
    if row is None:
        raise Unheard(f"'{word}' is not known; ? lists the words")
    if given != bool(row.value):
        raise Unheard(f"{word} takes {'a value' if row.value else 'no value'}: {_usage(row)}")
    return row


def _may(word: str, standing: Standing) -> None:
    """Unheard where nothing can be changed any more, or never could."""
    if standing.kind is not Kind.SWITCHOVER:
        raise Unheard(f"a {standing.kind} waits for nobody: failoverd ops shows and ends what has no end")
    if standing.chosen:
        raise Unheard(f"{standing.elect} is chosen, that is the point of no return: it goes on to its end")
    if word in _BEFORE_FREEZING and standing.frozen_at is not None:
        raise Unheard("writes are held up already: abort takes everything back")


def _told(word: str, wishes: Wishes, standing: Standing, now: float) -> tuple[str, ...]:
    if word == "plan":
        return standing.plan
    if word == "status":
        return (f"{standing.kind} {standing.operation}", progress(wishes, standing, now), *_limits(wishes, standing))
    return tuple(f"{_usage(row):<32}{row.sentence}" for row in WORDS)


def _limits(wishes: Wishes, standing: Standing) -> tuple[str, ...]:
    if standing.kind is not Kind.SWITCHOVER:
        return ()
    return tuple(f"{row.word}={row.shows(wishes, standing)}" for row in WORDS if row.value)


def _usage(row: Word) -> str:
    return f"{row.word}={row.value}" if row.value else row.word


def state_of(wishes: Wishes, standing: Standing) -> str:
    """In one word where it stands."""
    if standing.chosen:
        return "chosen"
    if wishes.given_up_by:
        return "given-up"
    if standing.frozen_at is not None:
        return "frozen"
    if wishes.waited_for():
        return "held" if wishes.held else "throttled"
    return "waiting" if standing.waiting else "running"


def progress(wishes: Wishes, standing: Standing, now: float) -> str:
    """The progress in one line: state, what is outstanding, rate, ETA."""
    parts = [f"{state_of(wishes, standing)}: {standing.stage} {standing.doing}".rstrip(": ")]
    if standing.frozen_at is not None:
        budget = wishes.within(standing.limits).freeze_budget
        parts.append(f"no writes for {now - standing.frozen_at:.2f} s of {budget:g} s")
    if standing.outstanding is not None:
        parts.append(f"{counted(standing.outstanding, 'transaction')} outstanding")
    if standing.rate is not None:
        parts.append(f"{standing.rate:.0f}/s")
    if standing.eta is not None:
        parts.append(f"about {standing.eta:.1f} s more")
    waits = f"waiting for {wishes.waited_for()}" if wishes.waited_for() else standing.waiting
    return "; ".join((*parts, *([waits] if waits else [])))


def document(answer: Answer, standing: Standing, now: float) -> dict[str, object]:
    """The answer as people's scripts read it."""
    wishes = answer.wishes
    limits = wishes.within(standing.limits)
    frozen = None if standing.frozen_at is None else round(now - standing.frozen_at, 3)
    return {
        "operation": standing.operation,
        "kind": str(standing.kind),
        "cluster": standing.cluster,
        "ok": answer.ok,
        "answer": list(answer.lines),
        "state": state_of(wishes, standing),
        "stage": standing.stage or None,
        "doing": standing.doing or None,
        "waiting": wishes.waited_for() or standing.waiting or None,
        "outstanding": standing.outstanding,
        "rate": standing.rate,
        "eta_seconds": standing.eta,
        "frozen_seconds": frozen,
        "chosen": standing.chosen,
        "candidate": wishes.candidate or standing.elect,
        "freeze_budget": limits.freeze_budget,
        "max_lag": limits.max_lag,
        "max_load": loads_text(limits.max_load),
        "critical_load": loads_text(limits.critical_load),
    }
