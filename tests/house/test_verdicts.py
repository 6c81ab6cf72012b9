"""The page of verdicts is current, and says something about each row."""

from __future__ import annotations

from failoverd.model.verdict import VerdictName
from tests.house.verdicts import PAGE, SWITCHES, VERDICTS, page


def test_the_page_is_what_the_tables_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: make verdicts"


def test_every_verdict_has_its_meaning() -> None:
    assert set(VERDICTS) == set(VerdictName)
    assert set(SWITCHES) < set(VerdictName)
