"""The report of a drill as one HTML file that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from failoverd.drill import plot

if TYPE_CHECKING:
    from jinja2 import Environment

Document = Mapping[str, Any]
_PLACES: Final = {name: getattr(plot, name) for name in ("WIDTH", "LEFT", "RIGHT", "TOP", "HEIGHT", "ERRORS", "ROW")}


@cache
def _templates() -> Environment:
    # Every command would pay for it at its start, and only reports need it.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    made = Environment(
        loader=PackageLoader("failoverd.drill", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["duration"] = duration
    made.filters["at"] = at
    return made


def html(told: Document) -> str:
    """The page of one drill."""
    return _templates().get_template("report.html.j2").render(told=told, plot=plot.plot(told), **_PLACES)


def trend_html(told: Document, runs: Sequence[Document]) -> str:
    """The page of all runs of one drill, oldest first; `told` are their figures together."""
    return _templates().get_template("trend.html.j2").render(told=told, runs=runs)


def at(value: float) -> str:
    """A moment, in seconds from the strike; never a zero with a sign."""
    return f"{round(value, 2) + 0.0:.2f} s"


def duration(value: float | None) -> str:
    """Seconds as people read them; a dash where they are not known."""
    if value is None:
        return "–"
    return f"{value * 1000:.0f} ms" if abs(value) < 1 else f"{value:.2f} s"
