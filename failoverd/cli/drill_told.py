"""What came of drills: kept, and told to people and to scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from failoverd.cli.session import Session
from failoverd.drill import catalog, junit, page, report
from failoverd.drill.trend import distribution
from failoverd.model.counted import counted

Document = Mapping[str, Any]
_EXITS: Final = {"passed": 0, "failed": 1, "aborted": 1}


class Told:
    """The documents of drills that were carried out, and the names of those that were not begun."""

    def __init__(self) -> None:
        self.runs: list[Document] = []
        self.broken: list[str] = []

    @property
    def aborted(self) -> bool:
        """Whether somebody or something has ended the last one."""
        return bool(self.runs) and self.runs[-1]["result"] == "aborted"


def kept(session: Session, folder: Path, told: Document) -> Document:
    """Write the report and say what came of it; the document again."""
    place = catalog.keep(folder, told)
    for one in told["expectations"]:
        session.say(f"  {one['outcome']:8} {one['title']}: {one['measured']}")
    if told["problem"]:
        session.say(f"  problem: {told['problem']}")
    for rest in told["left"]:
        session.say(f"  not cleared away: {rest}")
    session.say(f"{told['drill']}: {told['result']} in {told['whole_seconds']:.1f} s; {place}/report.html")
    return told


def answer(session: Session, folder: Path, told: Told) -> int:
    """The document of one run, or the figures of several with the XML of all; the exit code."""
    summaries = [report.summary(one) for one in told.runs]
    if len(summaries) + len(told.broken) > 1:
        (folder / "junit.xml").write_bytes(junit.xml(told.runs))
        for line in (*distribution_lines(summaries), *table(summaries, told.broken)):
            session.say(line)
        if session.as_json:
            session.document({**distribution(summaries), "results": summaries, "not_begun": told.broken})
    elif session.as_json:
        session.document(told.runs[0])
    return max([_EXITS[one["result"]] for one in summaries] + [1 for _ in told.broken])


def distribution_lines(runs: Sequence[Document]) -> Iterator[str]:
    """Of each drill that was repeated: how often it passed, and how long it took, for people."""
    for drill in dict.fromkeys(one["drill"] for one in runs):
        mine = [one for one in runs if one["drill"] == drill]
        if len(mine) < 2:
            continue
        told = distribution(mine)
        yield f"{told['drill']}: {told['passed']} of {told['runs']} passed, {counted(told['lost_rows'], 'row')} lost"
        for name, found in told["figures"].items():
            low, high = found["least"], found["most"]
            yield f"  {name}: median {found['median']:.3f} s, {low:.3f} to {high:.3f} s"


def table(runs: Sequence[Document], broken: Sequence[str]) -> Iterator[str]:
    """Every run in a line, with its time and its outage."""
    yield f"{'drill':30}{'result':10}{'took':>9}{'outage':>10}{'rows lost':>11}"
    for one in runs:
        lost = "–" if one["lost_rows"] is None else one["lost_rows"]
        outage = page.duration(one["outage_seconds"])
        yield f"{one['drill']:30}{one['result']:10}{one['whole_seconds']:7.1f} s{outage:>10}{lost:>11}"
    for name in broken:
        yield f"{name:30}not begun"
    passed = sum(one["result"] == "passed" for one in runs)
    yield f"{passed} of {len(runs) + len(broken)} passed in {sum(one['whole_seconds'] for one in runs):.0f} s"


def last_lines(told: Document) -> list[str]:
    """One run for people."""
    outage = page.duration((told["outage"] or {}).get("seconds"))
    lines = [f"{told['drill']} {told['began']} on {told['on']}: {told['result']}; outage {outage}"]
    lines += [f"  {one['outcome']:8} {one['title']}: {one['measured']}" for one in told["expectations"]]
    return lines + [f"  {one['stage']:10} {one['seconds']:.3f} s" for one in told["rto"]["stages"]]


def trend_lines(runs: list[Document]) -> list[str]:
    """All runs for people."""
    return [
        f"{run['began']}  {run['on']:12} {run['result']:8} outage {page.duration(run['outage_seconds']):>9}"
        f"  next write {page.duration(run['rto_seconds']):>9}  rows lost {run['lost_rows']}"
        for run in runs
    ]
