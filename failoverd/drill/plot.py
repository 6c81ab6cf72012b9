"""The plot of a drill as numbers that a template writes into an SVG: latency and errors over time, with the stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any, Final

Document = Mapping[str, Any]
WIDTH: Final = 960.0
LEFT: Final = 64.0
RIGHT: Final = 16.0
TOP: Final = 28.0  # room for the outage and its length
HEIGHT: Final = 220.0  # of the latencies
ERRORS: Final = 48.0  # the strip below them
ROW: Final = 18.0  # one lane of stages
_LEAST = 0.0005  # seconds: the bottom of the scale
_TICKS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
_GAP = 4  # empty points in a row that break the line
_CHAR = 6.6  # width of a character of a label


@dataclass(frozen=True, slots=True)
class Bar:
    """A stage in its lane; a label that has no room stands behind it."""

    x: float
    width: float
    lane: int
    label: str
    label_x: float


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of time behind everything else; a label is written above it, beginning or ending at `label_x`."""

    x: float
    width: float
    label: str = ""
    label_x: float = 0.0
    anchor: str = "start"


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Everything that is drawn, in the units of the view box."""

    lines: tuple[str, ...]
    failures: tuple[tuple[float, float], ...]
    most_failures: int
    bars: tuple[Bar, ...]
    lanes: int
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    strike: float | None
    stages: tuple[Band, ...] = ()
    outage: Band | None = None

    @property
    def height(self) -> float:
        """The height of the whole."""
        return TOP + HEIGHT + ERRORS + 30 + ROW * max(self.lanes, 1) + 12


def plot(told: Document) -> Plot:
    """What is drawn of this drill."""
    times: Sequence[float] = told["series"]["seconds"]
    begin, end = times[0], times[-1]
    scale = (WIDTH - LEFT - RIGHT) / max(end - begin, 0.001)

    def x(at: float) -> float:
        return round(LEFT + (min(max(at, begin), end) - begin) * scale, 1)

    slowest: Sequence[float | None] = told["series"]["slowest"]
    top = max([value for value in slowest if value is not None] or [1.0]) * 1.3
    bars = _bars([(x(one["from"]), x(one["to"]), one["stage"]) for one in told["stages"]])
    failed: Sequence[int] = told["series"]["failed"]
    most = max(failed, default=0)
    return Plot(
        lines=_lines([(x(at), None if v is None else _y(v, top)) for at, v in zip(times, slowest, strict=True)]),
        failures=tuple(
            (x(at), round(count / most * (ERRORS - 14), 1)) for at, count in zip(times, failed, strict=True) if count
        ),
        most_failures=most,
        bars=bars,
        lanes=max((bar.lane for bar in bars), default=-1) + 1,
        across=tuple(Tick(x(at), f"{at:g} s") for at in _round_times(begin, end)),
        up=tuple(Tick(_y(value, top), words(value)) for value in _TICKS if _LEAST < value < top),
        strike=x(0.0) if begin <= 0.0 <= end and told["struck"] else None,
        stages=tuple(Band(bar.x, bar.width) for bar in bars),
        outage=None if told["outage"] is None else _outage(told["outage"], x),
    )


def _outage(gap: Document, x: Callable[[float], float]) -> Band:
    """The longest time without an acknowledged write, with its length where there is room for the words."""
    begin, end = x(gap["from"]), x(gap["from"] + gap["seconds"])
    label = f"outage {words(round(gap['seconds'], 3))}{'' if gap['ended'] else ', and no end'}"
    if begin + _CHAR * len(label) > WIDTH - RIGHT:
        return Band(begin, max(end - begin, 1.0), label, end, "end")
    return Band(begin, max(end - begin, 1.0), label, begin)


def _y(value: float, top: float) -> float:
    share = log10(max(value, _LEAST) / _LEAST) / log10(max(top, 2 * _LEAST) / _LEAST)
    return round(TOP + HEIGHT * (1 - min(share, 1.0)), 1)


def _lines(points: Sequence[tuple[float, float | None]]) -> tuple[str, ...]:
    """One line for each stretch of time in which writes were acknowledged: a gap is a gap.

    A client that writes more rarely than the plot has points leaves single ones empty, and that is none.
    """
    lines: list[list[str]] = [[]]
    empty = 0
    for x, y in points:
        if y is None:
            empty += 1
            continue
        if empty >= _GAP:
            lines.append([])
        empty = 0
        lines[-1].append(f"{x},{y}")
    return tuple(" ".join(line if len(line) > 1 else line * 2) for line in lines if line)


def _bars(spans: Sequence[tuple[float, float, str]]) -> tuple[Bar, ...]:
    """Each stage in the first lane that has room for it and its label."""
    taken: list[float] = []
    bars = []
    for begin, end, label in sorted(spans):
        width, room = max(end - begin, 2.0), _CHAR * len(label) + 10
        behind = width < room
        reach = begin + (width + room if behind else width)
        shown_at = begin + width + 4 if behind else begin + 4
        if reach > WIDTH - RIGHT and behind:  # no room behind it: before it
            shown_at, reach = begin - room + 2, begin + width
        begin_at = min(begin, shown_at)
        lane = next((index for index, until in enumerate(taken) if until + 6 <= begin_at), len(taken))
        if lane == len(taken):
            taken.append(0.0)
        taken[lane] = reach
        bars.append(Bar(begin, round(width, 1), lane, label, round(shown_at, 1)))
    return tuple(bars)


def _round_times(begin: float, end: float) -> list[float]:
    step = next(
        step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 600, 3600, 1e9) if (end - begin) / step <= 12
    )
    first = int(begin / step)
    return [round(number * step, 3) for number in range(first, int(end / step) + 1) if begin <= number * step <= end]


def words(value: float) -> str:
    """A short time as people say it: 1 ms, 0.5 s."""
    return f"{value * 1000:g} ms" if value < 1 else f"{value:g} s"
