"""What is written of a drill: the document, its page, its XML, and all runs together."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from failoverd.drill import catalog, junit, page, plot, report
from failoverd.drill.judge import judge_all
from failoverd.drill.run import Finished, StepTold
from failoverd.drill.trend import distribution
from failoverd.model.errors import ConfigError
from failoverd.model.plans import Requester
from failoverd.model.rehearsed import Measured, Rows
from failoverd.model.runbook import Expectation, Fault, FaultStep, Role, Runbook
from tests.unit.drill.measurements import GOOD, measured

BOOK = Runbook(
    "primary-killed",
    "/x/primary-killed.yml",
    "The <primary> is killed",
    "Why & what to look at.",
    (FaultStep(Fault.KILL, Role.PRIMARY, place="/x/primary-killed.yml:9"),),
    (
        Expectation("new_primary", "any", 3.0, "/x/primary-killed.yml:11"),
        Expectation("lost_rows", 0.0, place="/x/primary-killed.yml:12"),
    ),
)


def told(found: Measured = GOOD, **changes: Any) -> dict[str, Any]:
    """The document of a drill in which this was measured."""
    judged = judge_all(BOOK.expect, found)
    passed = all(one.outcome == "met" for one in judged)
    steps = (StepTold("SIGKILL to the process of primary", "x:9", "steps", 100.0, 0.1, "done", "kill db1"),)
    finished = Finished(
        book=BOOK,
        ground="shop",
        measured=found,
        judged=judged,
        steps=steps,
        result="passed" if passed else "failed",
        problem="",
        left=(),
        by=Requester("person", "ann", "desk", "before <the> release"),
        facts={"MySQL": "9.7.0"},
    )
    return {**report.document(finished), **changes}


BAD = measured(rows=Rows("db2", 131, tuple(range(40, 50))))


def test_the_document_says_everything_in_json() -> None:
    found = json.loads(json.dumps(told(BAD)))
    assert found["result"] == "failed"
    assert found["outage"] == {"seconds": 2.0, "from": 0.0, "ended": True}
    assert found["rto"]["seconds"] == 2.0
    assert found["rpo"] == {"transactions": 0, "at_least": False, "rows": 10, "bytes": 800, "seconds": 0.9}
    assert found["client"]["errors"] == [
        {"code": 1290, "count": 1, "kind": "read-only"},
        {"code": 2003, "count": 1, "kind": "no connection"},
        {"code": 2013, "count": 1, "kind": "the connection was lost"},
    ]
    assert [one["stage"] for one in found["stages"]] == ["DECIDE", "FENCE", "PROMOTE", "REPOINT"]
    assert [one["writers"] for one in found["changes"]] == [["db1"], [], ["db2"], ["db2"]]
    assert found["requested_by"]["reason"] == "before <the> release"
    assert sum(found["series"]["failed"]) == 3


class Parser(HTMLParser):
    """Every start tag with its attributes, and whether tags are closed in order."""

    EMPTY = frozenset({"meta", "line", "polyline", "rect", "circle", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("found", [GOOD, BAD, measured(struck=None, wrote=(), sights=(), operations=(), rows=None)])
def test_the_page_stands_alone_and_lets_nothing_through(found: Measured) -> None:
    text = page.html(told(found))
    parser = Parser()
    parser.feed(text)
    assert parser.open == []
    assert not {tag for tag, _ in parser.tags} & {"script", "link", "img", "iframe"}
    assert not re.search(r"https?://|url\(|@import", text)
    assert "The &lt;primary&gt; is killed" in text
    assert "before &lt;the&gt; release" in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_a_gap_is_a_gap_in_the_plot_and_stages_share_no_place() -> None:
    drawn = plot.plot(told())
    assert len(drawn.lines) == 2
    assert drawn.strike is not None
    assert len(drawn.failures) == 3
    for one in drawn.bars:
        for other in drawn.bars:
            if one is not other and one.lane == other.lane:
                assert one.x + one.width <= other.x or other.x + other.width <= one.x


def test_the_outage_and_the_stages_are_drawn_through_the_plot() -> None:
    drawn = plot.plot(told())
    assert drawn.outage is not None
    assert drawn.outage.label == "outage 2 s"
    assert [band.x for band in drawn.stages] == [bar.x for bar in drawn.bars]
    late = plot.plot(told(measured(now=100.5, wrote=GOOD.wrote[:51])))
    assert late.outage is not None
    assert (late.outage.label, late.outage.anchor) == ("outage 500 ms, and no end", "end")
    text = page.html(told())
    assert text.count('class="stage"') == len(drawn.bars)
    assert "outage 2 s</text>" in text


def test_who_asked_with_what_settings_by_which_runbook_is_in_the_page() -> None:
    found = {
        **told(),
        "settings": {"failover.max_loss": "0 (set)"},
        "runbook": "title: <a drill>",
        "whole_seconds": 12.0,
    }
    text = page.html(found)
    for words in (
        "Asked for by ann on desk",
        "failover.max_loss",
        "0 (set)",
        "title: &lt;a drill&gt;",
        "2 of 2 expectations",
    ):
        assert words in text
    assert "no reason was given" in page.html({**found, "requested_by": {"user": "ann", "host": "desk", "reason": ""}})


def test_a_report_of_an_earlier_version_is_shown_too() -> None:
    found = told()
    for key in ("runbook", "runbook_sha256", "settings"):
        del found[key]
    del found["client"]["ways"]
    for one in found["client"]["errors"]:
        del one["kind"]
    assert "not kept" in page.html(found)
    assert report.summary(found)["whole_seconds"] == 15.0


def test_junit_counts_what_failed_and_what_broke() -> None:
    root = ET.fromstring(junit.xml([told(), told(BAD), told(problem="it broke", result="failed")]))
    counts = [(suite.get("tests"), suite.get("failures"), suite.get("errors")) for suite in root]
    assert counts == [("3", "0", "0"), ("3", "1", "0"), ("3", "0", "1")]
    failure = root.find(".//failure")
    assert failure is not None
    assert "10 of 131 acknowledged rows are lost" in str(failure.get("message"))


def test_reports_are_kept_and_found_again(tmp_path: Path) -> None:
    first = catalog.keep(tmp_path, told(began="2026-01-01T00:00:00.000Z"))
    catalog.keep(tmp_path, told(BAD, began="2026-01-02T00:00:00.000Z"))
    catalog.keep(tmp_path, told(drill="other", began="2026-01-03T00:00:00.000Z"))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/report.json").write_text("{")
    assert {path.name for path in first.iterdir()} == {"report.html", "report.json", "junit.xml"}
    assert [one["result"] for one in catalog.kept(tmp_path, "primary-killed")] == ["passed", "failed"]
    assert len(list(catalog.kept(tmp_path))) == 3


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="could not be written"):
        catalog.keep(tmp_path / "file", told())


def test_all_runs_together() -> None:
    runs = [report.summary(told()), report.summary(told(BAD)), report.summary(told(measured(wrote=GOOD.wrote[:51])))]
    found = distribution(runs)
    assert (found["runs"], found["passed"], found["lost_rows"]) == (3, 2, 10)
    assert found["figures"]["outage"] == {"median": 2.0, "p90": 10.0, "least": 2.0, "most": 10.0}
    assert found["figures"]["to the next write"]["most"] == 2.0, "a run without a next write has no such time"
    parser = Parser()
    parser.feed(page.trend_html(found, runs))
    shapes = [tag for tag, _ in parser.tags if tag in {"circle", "rect"}]
    assert sorted(shapes) == ["circle", "circle", "rect"], "what failed has another shape, not another colour alone"
    assert distribution([])["runs"] == 0
