"""The report of a drill in a real browser: at a desk and on a telephone nothing overlaps, by day and by night."""

from __future__ import annotations

from pathlib import Path

import pytest

from failoverd.drill import page, report
from failoverd.drill.trend import distribution
from tests.ui.browser import looked_at, picture, printed
from tests.unit.drill.measurements import measured, operation, step
from tests.unit.drill.test_page import BAD, told

# Many short stages close together, and words without a blank: what a plot and a table find hardest.
CROWDED = measured(
    operations=(
        operation(
            steps=[
                step(stage, "a title of some length " * 3, f"1970-01-01T00:01:40.{300 + 20 * number}Z", 0.02)
                for number, stage in enumerate(("CHECK", "FENCE", "FREEZE", "RECOVER", "PROMOTE", "TRAFFIC", "REPOINT"))
            ],
            cause="w" * 200,
        ),
    )
)
BOOK_TEXT = "".join(f"  - {{fault: kill, at: primary, {'clock: true, ' * (number % 9)}}}\n" for number in range(40))
SETTINGS = {f"failover.setting_{number}": "w" * (number % 40) for number in range(40)}
PAGES = {
    "report-passed": page.html(told()),
    "report-failed": page.html(told(BAD)),
    "report-crowded": page.html({**told(CROWDED), "runbook": BOOK_TEXT, "settings": SETTINGS}),
    "report-empty": page.html(told(measured(struck=None, wrote=(), sights=(), operations=(), rows=None))),
    "trend": page.trend_html(distribution([report.summary(told())] * 30), [report.summary(told())] * 30),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_overlaps_and_nothing_stands_out(width: int, tmp_path: Path) -> None:
    seen = looked_at(PAGES, width, tmp_path)
    assert seen.keys() == PAGES.keys()
    for name, found in seen.items():
        assert found["overlaps"] == [], name
        assert found["outside"] == [], name
        assert found["width"] <= width, name
        assert found["texts"] > 20, name
    heights = {name: int(found["height"]) for name, found in seen.items()}
    assert picture(PAGES, width, heights, tmp_path).stat().st_size > 20000


@pytest.mark.timeout(300)
def test_it_is_dark_where_people_want_it_dark_and_an_overlap_would_be_found(tmp_path: Path) -> None:
    text = PAGES["report-passed"]
    worse = text.replace("</body>", '<p style="position: absolute; top: 1.5rem; margin: 0">over it</p></body>')
    day = looked_at({"good": text, "worse": worse}, 400, tmp_path)
    assert day["good"]["ground"] == "rgb(255, 255, 255)"
    assert day["worse"]["overlaps"]
    night = looked_at({"good": text}, 400, tmp_path, dark=True)["good"]
    assert (night["ground"], night["ink"]) == ("rgb(13, 17, 23)", "rgb(230, 237, 243)")
    assert night["overlaps"] == []


@pytest.mark.timeout(300)
def test_it_prints_on_few_sheets_dark_on_white_whatever_people_want_on_screens(tmp_path: Path) -> None:
    text = PAGES["report-passed"]
    sheets = printed(text, tmp_path)
    assert 1 <= sheets <= 4, sheets
    assert printed(PAGES["report-crowded"], tmp_path) > 1
    on_paper = {"paper": text.replace("@media print", "@media all")}
    night = looked_at(on_paper, 680, tmp_path, dark=True)["paper"]
    assert (night["ground"], night["overlaps"], night["outside"]) == ("rgb(255, 255, 255)", [], [])
