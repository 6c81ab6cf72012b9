"""What `status --watch` tells beside its table: each change once, with its time, and nothing while nothing changes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from failoverd.cli.watching import KEPT, Story, changes

SERVER: dict[str, object] = {
    "name": "db2",
    "role": "replica",
    "reachable": True,
    "read_only": True,
    "source": "db1",
    "receiver": "yes",
    "applier": "yes",
    "agent": "ok",
    "lag_seconds": 0.1,
    "problems": [],
}
CLUSTER: dict[str, object] = {
    "name": "shop",
    "verdict": "healthy",
    "sentence": "db1 answers and takes writes",
    "primary": "db1",
    "active_manager": "mgr1",
    "coordination": "ok",
    "paused": None,
    "operation": None,
}
OPERATION = {"id": "op1", "kind": "failover", "stage": "FENCE"}
LAST = {"operation": "op1", "outcome": "done", "outage_seconds": 0.4}


def document(server: Mapping[str, object] | None = None, **cluster: object) -> dict[str, object]:
    return {"clusters": [{**CLUSTER, **cluster, "servers": [{**SERVER, **(server or {})}]}]}


@pytest.mark.parametrize(
    ("before", "now", "line"),
    [
        (document(), document(verdict="primary-dead", sentence="gone"), "healthy -> primary-dead, gone"),
        (document(), document(primary="db2"), "primary db1 -> db2"),
        (document(), document(active_manager=None), "active manager mgr1 -> none"),
        (document(), document(paused={"by": "anna", "reason": "racks"}), "paused by anna: racks"),
        (document(paused={"by": "anna", "reason": "racks"}), document(), "no longer paused"),
        (document(), document(operation=OPERATION), "failover op1 begun"),
        (document(operation=OPERATION), document(operation={**OPERATION, "stage": "PROMOTE"}), "failover at PROMOTE"),
        (document(operation=OPERATION), document(), "failover op1 ended (failoverd ops show)"),
        (document(operation=OPERATION), document(last_operations=[LAST]), "failover op1 ended: done, outage 0.4 s"),
        (document(), document({"reachable": False, "read_only": None}), "db2 does not answer"),
        (document({"reachable": False}), document(), "db2 answers again"),
        (document(), document({"read_only": False}), "db2 takes writes"),
        (document(), document({"source": "db3"}), "db2: source db1 -> db3"),
        (document(), document({"receiver": "no"}), "db2: receiver yes -> no"),
        (document(), document({"role": "primary", "source": None}), "db2: role replica -> primary, source db1 -> none"),
        (document(), document({"problems": [{"id": "errant", "sentence": "db2 has more"}]}), "db2 has more"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_change_is_told_in_a_sentence(before: dict[str, object], now: dict[str, object], line: str) -> None:
    assert list(changes(before, now)) == [f"shop: {line}"]


def test_lag_and_what_stays_are_not_told() -> None:
    assert list(changes(document(), document({"lag_seconds": 3.0}))) == []


def test_one_operation_ends_before_another_begins() -> None:
    lines = list(changes(document(operation=OPERATION), document(operation={**OPERATION, "id": "op2"})))
    assert lines == ["shop: failover op1 ended (failoverd ops show)", "shop: failover op2 begun"]


def test_the_latest_changes_are_kept_with_their_times_the_newest_first() -> None:
    story = Story()
    story.see(document(), "10:00:00")
    assert not story.lines
    for second in range(1, KEPT + 3):
        story.see(document(primary=f"db{second + 1}"), f"10:00:{second:02}")
    assert len(story.lines) == KEPT
    assert story.lines[0] == (f"10:00:{KEPT + 2:02}", f"shop: primary db{KEPT + 2} -> db{KEPT + 3}")
