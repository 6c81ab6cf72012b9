"""What people say about an operation that has no end, and how they are told about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from failoverd.model.errors import FailoverdError
from failoverd.model.plans import Kind, Request, Verb
from tests.unit.cli.stand_in import StandIn, Terminal, document, terminal

STARTED = "2026-03-14T09:30:12.000Z"
AT = 1773480612.0
OPEN = {
    "operation": "shop-20260314T093012.000Z-7",
    "kind": "failover",
    "cluster": "shop",
    "outcome": "needs-person",
    "old_primary": "db1",
    "new_primary": "db2",
    "cause": "db1 is dead",
    "requested_by": {"kind": "automatic"},
    "started": STARTED,
    "detected": "2026-03-14T09:30:11.900Z",
    "ended": None,
    "steps": [
        {
            "stage": "FENCE", "title": "fence db1", "server": "db1", "outcome": "done",
            "started": "2026-03-14T09:30:12.100Z", "seconds": 0.06, "detail": "pid 12 killed",
        }
    ],
    "entries": [
        {"kind": "intent", "at": AT + 0.05, "body": {"steps": ["fence db1"]}},
        {"kind": "freeze", "at": AT + 0.2, "body": {"db3": {}, "db2": {}}},
        {"kind": "promote-intent", "at": AT + 0.3, "body": {"elect": "db2"}},
        {"kind": "resumed", "at": AT + 2, "body": {"manager": "mgr2", "epoch": 8, "sentence": "db2 is open"}},
        {"kind": "withdrawn", "at": AT + 3, "body": {"elect": "db2"}},
        {"kind": "needs-person", "at": AT + 12.5, "body": {"sentence": "db2 may be open and cannot be reached"}},
    ],
}  # fmt: skip
ENDED = {**OPEN, "outcome": "done", "ended": "2026-03-14T09:31:12.000Z"}
ANSWER = {**ENDED, "findings": [], "fenced": None}


@pytest.fixture
def screen(tmp_path: Path) -> Terminal:
    return terminal(tmp_path)


def test_an_operation_is_read_aloud_in_order(screen: Terminal) -> None:
    told = screen.call(StandIn(operation=OPEN), "ops", "show", str(OPEN["operation"])).stdout.splitlines()
    told = [line for line in told if " s  " in line]
    assert [line.split(" s  ", 1)[1] for line in told] == [
        "** first sign",
        "FENCE    fence db1: done, pid 12 killed (60 ms)",
        "** positions can no longer move on db2, db3",
        "** db2 is about to be opened: from here only forward",
        "** mgr2 goes on under epoch 8: db2 is open",
        "** db2 is proven closed: nothing had been opened",
        "** needs a person: db2 may be open and cannot be reached",
    ]
    assert told[0].strip().startswith("-0.100")
    assert told[-1].strip().startswith("+12.500")


@pytest.mark.parametrize("verb", [Verb.RESUME, Verb.UNDO, Verb.ABORT])
def test_the_wish_is_handed_on_with_its_reason(screen: Terminal, verb: Verb) -> None:
    app = StandIn(operations=(OPEN, ENDED), operation=OPEN, failover=ANSWER)
    result = screen.call(app, "ops", str(verb), "--reason", "I have looked", "--yes", "--json")
    assert result.exit_code == 0
    assert document(result)["outcome"] == "done"
    (request,) = (asked[1] for asked in app.asked if asked[0] == "failover")
    assert isinstance(request, Request)
    assert (request.verb, request.operation, request.kind) == (verb, OPEN["operation"], Kind.FAILOVER)
    assert request.by.reason == "I have looked"


def test_nobody_is_asked_without_a_terminal(screen: Terminal) -> None:
    app = StandIn(operations=(OPEN,), operation=OPEN, failover=ANSWER)
    result = screen.call(app, "ops", "abort")
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert all(asked[0] != "failover" for asked in app.asked)


@pytest.mark.parametrize(
    ("answers", "words", "says"),
    [
        ({"operations": (ENDED,)}, (), "every operation has ended"),
        ({"operations": (OPEN, {**OPEN, "operation": "b"})}, (), "2 operations have no end"),
        ({"operation": None}, ("x",), "there is no operation 'x'"),
        ({"operation": ENDED}, ("x",), "operation x has ended"),
        ({"operation": OPEN, "failover": FailoverdError("it cannot be taken back")}, ("x",), "it cannot be taken back"),
    ],
)
def test_what_cannot_be_done_is_said(
    screen: Terminal, answers: dict[str, object], words: tuple[str, ...], says: str
) -> None:
    result = screen.call(StandIn(**answers), "ops", "undo", *words, "--yes")
    assert result.exit_code == 1
    assert says in result.stderr


def test_a_copy_is_said_to_be_one_and_nobody_acts_on_it(screen: Terminal) -> None:
    app = StandIn(operation={**OPEN, "copied": True}, operations=({**OPEN, "copied": True},))
    for words in (("list",), ("show",)):
        said = screen.call(app, "ops", *words)
        assert said.exit_code == 0
        assert "this host holds copies" in said.stderr
    refused = screen.call(app, "ops", "undo", "--yes")
    assert refused.exit_code == 1
    assert "ZooKeeper cannot be reached" in refused.stderr
    assert not [asked for asked in app.asked if asked[0] == "failover"]
