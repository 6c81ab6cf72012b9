"""The shapes that scripts read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.host import LogKind
from failoverd.model.plans import (
    Fenced,
    Group,
    Kind,
    Operation,
    Plan,
    ReplicaResult,
    Report,
    Requester,
    Result,
    Saved,
    Stamps,
    StepOutcome,
    StepResult,
)
from failoverd.model.published import exit_code, operation_json, plan_json, report_json, time_text, verdict_json
from failoverd.model.sight import Endpoint
from failoverd.model.steps import Drain, IfItFails, Repoint, Splice, Stage, StopReceiver, Task
from failoverd.model.verdict import Advice, Evidence, Refusal, Verdict, VerdictName

UUID = "00000000-0000-0000-0000-000000000001"
FIVE = GtidSet.parse(f"{UUID}:101-105")
WORDS = """operation kind cluster outcome old_primary new_primary cause requested_by epoch
started detected decided writable ended outage_seconds lost saved fenced steps refusals replicas"""

REPORT = Report(
    operation="shop-1",
    kind=Kind.FAILOVER,
    cluster="shop",
    result=Result.DONE,
    old_primary="db1",
    new_primary="db2",
    cause="db1 is dead",
    requested_by=Requester("person", "anna", "desk", "drill"),
    epoch=7,
    stamps=Stamps(1_800_000_000.5, 1_800_000_000.25, 1_800_000_000.4, 1_800_000_000.75, 1_800_000_001.0),
    lost=GtidSet(),
    saved=(Saved(FIVE, "db1", "binary logs over SSH, spliced"),),
    fenced=Fenced("db1", "killed"),
    steps=(StepOutcome(Stage.FENCE, "fence db1", "db1", StepResult.DONE, 1_800_000_000.5, 0.0123456, "killed 4711"),),
    replicas=(ReplicaResult("db3", True), ReplicaResult("db1", False, "down")),
)


def test_a_report_in_the_agreed_shape() -> None:
    shown = report_json(REPORT)
    assert set(shown) >= set(WORDS.split())
    assert shown["outcome"] == "done"
    assert shown["started"] == "2027-01-15T08:00:00.500Z"
    assert shown["outage_seconds"] == 0.5
    assert shown["lost"] == {"transactions": 0, "gtids": "", "at_least": False}
    assert shown["saved"] == [
        {"gtids": f"{UUID}:101-105", "transactions": 5, "from": "db1", "how": "binary logs over SSH, spliced"}
    ]
    assert shown["fenced"] == {"server": "db1", "how": "killed"}
    assert shown["requested_by"] == {"kind": "person", "user": "anna", "host": "desk", "reason": "drill"}
    assert shown["replicas"] == [
        {"name": "db3", "attached": True, "problem": None},
        {"name": "db1", "attached": False, "problem": "down"},
    ]
    assert shown["steps"] == [
        {
            "stage": "FENCE",
            "title": "fence db1",
            "server": "db1",
            "outcome": "done",
            "started": "2027-01-15T08:00:00.500Z",
            "seconds": 0.012,
            "detail": "killed 4711",
        }
    ]
    json.dumps(shown)


def test_what_was_not_reached_is_null() -> None:
    shown = report_json(replace(REPORT, stamps=Stamps(1.0), fenced=None, new_primary="", result=Result.UNDONE))
    assert (shown["writable"], shown["outage_seconds"], shown["fenced"], shown["new_primary"]) == (None,) * 4


def test_an_open_operation_has_the_shape_of_an_ended_one() -> None:
    plan = Plan("shop", Kind.FAILOVER, "db1", "", ())
    opened = Operation("shop-1", "shop", Kind.FAILOVER, 7, "mgr1", Requester(), "db1 is dead", plan, 1_800_000_000.0)
    assert set(operation_json(opened)) == set(report_json(REPORT))
    assert operation_json(opened)["outcome"] is None


def test_a_plan_shows_stages_steps_losses() -> None:
    splice = Splice("db2", "db1", LogKind.BINARY, FIVE, 5000)
    borrowed = Repoint("db2", "db3", Endpoint("10.0.0.3", 3306))
    plan = Plan(
        cluster="shop",
        kind=Kind.FAILOVER,
        old_primary="db1",
        elect="db2",
        groups=(
            Group(Stage.FENCE, (Task(StopReceiver("db2"), 5.0, IfItFails.GO_ON),)),
            Group(Stage.RECOVER, (Task(splice, 30.1), Task(borrowed, 10.0))),
            Group(Stage.RECOVER, (Task(Drain("db2", FIVE), 60.0),)),
        ),
        why_not=(("db3", "it comes second"),),
        missing=FIVE,
        left_alone=(("db3", "not touched"),),
        eta=1.23456,
        missing_bytes=1500,
    )
    shown = plan_json(plan)
    assert shown["predicted_loss"] == {"transactions": 5, "bytes": 1500, "gtids": f"{UUID}:101-105"}
    assert (shown["new_primary"], shown["eta_seconds"]) == ("db2", 1.235)
    assert shown["why_not"] == [{"name": "db3", "sentence": "it comes second"}]
    assert shown["left_alone"] == [{"name": "db3", "sentence": "not touched"}]
    groups = json.loads(json.dumps(shown))["groups"]
    assert [[step["stage"] for step in group["steps"]] for group in groups] == [
        ["FREEZE"],
        ["RECOVER", "RECOVER"],
        ["RECOVER"],
    ]
    assert groups[1]["steps"][0]["title"] == "bring 5 transactions from the binary logs of db1 to db2"


def test_a_verdict_carries_its_grounds() -> None:
    verdict = Verdict(
        VerdictName.BLIND,
        "no-second-route",
        "nobody can tell",
        Advice.ALERT,
        "db1",
        (Evidence("timed-out", "sql", 0.12345, "no answer"),),
        (Refusal("cooldown", "too early", "10 s", "3600 s"),),
    )
    shown = verdict_json(verdict)
    assert shown["verdict"] == "blind"
    assert shown["evidence"] == [{"what": "timed-out", "route": "sql", "age_seconds": 0.123, "sentence": "no answer"}]
    assert shown["refusals"] == [{"id": "cooldown", "sentence": "too early", "measured": "10 s", "limit": "3600 s"}]


def test_times_are_utc_to_the_millisecond() -> None:
    assert time_text(0.0) == "1970-01-01T00:00:00.000Z"
    assert time_text(1_800_000_000.1239) == "2027-01-15T08:00:00.123Z"
    assert time_text(None) is None


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (Result.DONE, 0),
        (Result.REFUSED, 1),
        (Result.FAILED, 1),
        (Result.UNDONE, 3),
        (Result.NEEDS_PERSON, 4),
    ],
)
def test_exit_codes(result: Result, code: int) -> None:
    assert exit_code(replace(REPORT, result=result)) == code


def test_success_with_an_open_question_is_a_finding() -> None:
    assert exit_code(replace(REPORT, fenced=Fenced("db1", "UNFENCED"))) == 1
    assert exit_code(replace(REPORT, findings=("db3 follows nobody",))) == 1
    assert exit_code(replace(REPORT, result=Result.UNDONE, findings=("x",))) == 3
