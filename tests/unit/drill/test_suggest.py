"""What should be rehearsed next: promises by where and when they were shown, and the score that follows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from failoverd.drill import catalog
from failoverd.drill.suggest import suggestions
from failoverd.drivers.metrics import exposition
from failoverd.model.finding import Finding, Severity
from failoverd.model.runbook import Fault, FaultStep, Role, Runbook

NOW = datetime(2026, 11, 20, tzinfo=UTC)
STEPS = (FaultStep(Fault.KILL, Role.PRIMARY),)
BOOKS = [
    Runbook(name, f"{name}.yml", name, "why", STEPS, (), blast_radius=(Role.PRIMARY,)) for name in ("killed", "frozen")
]


def ran(drill: str, on: str, began: str, result: str = "passed") -> dict[str, Any]:
    return {"drill": drill, "on": on, "began": f"{began}T00:00:00.000Z", "result": result}


@pytest.mark.parametrize(
    ("reports", "rehearsed", "reason"),
    [
        ([], "never", "it was never rehearsed"),
        ([ran("killed", "shop", "2026-11-10")], "here", "it was rehearsed on this cluster"),
        ([ran("killed", "lab", "2026-11-10")], "lab", "only a lab has shown it, 10 days ago"),
        ([ran("killed", "blog", "2026-11-10")], "never", "it was never rehearsed"),
        ([ran("killed", "shop", "2026-07-01")], "never", "its last rehearsal was 142 days ago"),
        ([ran("killed", "shop", "2026-07-01"), ran("killed", "lab", "2026-11-10")], "lab", "only a lab"),
        (
            [ran("killed", "shop", "2026-11-01"), ran("killed", "shop", "2026-11-10", "failed")],
            "never",
            "its last rehearsal failed, 10 days ago",
        ),
    ],
)
def test_a_promise_counts_by_where_it_was_shown(reports: list[dict[str, Any]], rehearsed: str, reason: str) -> None:
    told = suggestions("shop", BOOKS[:1], reports, (), NOW)
    (promise,) = told["promises"]
    assert promise["rehearsed"] == rehearsed
    assert promise["reason"].startswith(reason)
    assert told["score"] == {"here": 100, "lab": 75, "never": 50}[rehearsed]


def test_what_is_for_labs_alone_counts_whole_when_a_lab_has_shown_it() -> None:
    steps = (FaultStep(Fault.POWEROFF, Role.PRIMARY),)
    gone = Runbook("gone", "gone.yml", "gone", "why", steps, (), blast_radius=(Role.PRIMARY,))
    told = suggestions("shop", [gone], [ran("gone", "lab", "2026-11-10")], (), NOW)
    assert (told["score"], told["reasons"]) == (100, [])
    assert told["promises"][0]["reason"] == "a lab has shown it, 10 days ago; it is for labs"
    assert suggestions("shop", [gone], [], (), NOW)["score"] == 50


def test_what_was_never_shown_comes_first_and_errors_take_all_points_of_the_check() -> None:
    error = Finding("no-candidate", "shop", "", "nobody could be promoted")
    fine = Finding("ready", "shop", "db1", "db1 is ready", severity=Severity.OK)
    told = suggestions("shop", BOOKS, [ran("killed", "shop", "2026-11-10")], (error, fine), NOW)
    assert [one["drill"] for one in told["promises"]] == ["frozen", "killed"]
    assert told["score"] == 25
    assert told["reasons"] == ["check: nobody could be promoted", "frozen: it was never rehearsed"]


def test_the_score_is_a_metric(tmp_path: Path) -> None:
    catalog.keep_score(tmp_path, "shop", 75.0)
    (tmp_path / "blog.score").write_text("nonsense")
    text = exposition((), catalog.scores(tmp_path)).decode()
    assert 'failoverd_readiness_score{cluster="shop"} 75.0' in text
    assert "blog" not in text
    assert "failoverd_readiness_score{" not in exposition({}, {}).decode()
