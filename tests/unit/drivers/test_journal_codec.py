"""Nouns to JSON data and back."""

from __future__ import annotations

import json

import pytest

from failoverd.drivers import journal_codec as codec
from failoverd.gtid import GtidSet
from failoverd.model.errors import CoordinationError
from failoverd.model.history import Pause, Recorded
from failoverd.model.plans import Entry, EntryKind, Kind, Request, Result
from tests.contract.operations import PERSON, UUID, operation, report


def through_json(data: object) -> dict[str, object]:
    back = json.loads(json.dumps(data))
    assert isinstance(back, dict)
    return back


def test_a_request_comes_back_whole() -> None:
    wish = Request("shop", Kind.FAILOVER, PERSON, "db2", 0, frozenset({"cooldown", "errant-candidate"}))
    assert codec.request_from(through_json(codec.plain(wish))) == wish
    wish = Request("shop", Kind.REJOIN, PERSON, "db2", checksums=("app.a", "app.b"))
    assert codec.request_from(through_json(codec.plain(wish))) == wish


def test_what_is_recorded_comes_back() -> None:
    for inherited in (None, GtidSet(), GtidSet.parse(f"{UUID}:1-5:blue:7")):
        record = Recorded("db1", UUID, 7, ("db2",), True, inherited)
        assert codec.recorded_from(through_json(codec.plain(record))) == record
    for pause in (Pause("ann", "disk", None), Pause("ann", "disk", 12.5)):
        assert codec.pause_from(through_json(codec.plain(pause))) == pause


@pytest.mark.parametrize("damage", [{"name": None}, {"epoch": "seven"}, {"inherited": "db1:1-5"}])
def test_a_damaged_record_of_the_primary_is_refused_by_name(damage: dict[str, object]) -> None:
    record = {**through_json(codec.plain(Recorded("db1", UUID, 7))), **damage}
    told = {key: value for key, value in record.items() if key != "name" or value is not None}
    with pytest.raises(CoordinationError, match="record of the primary"):
        codec.recorded_from(told)


def test_an_open_operation_keeps_what_another_manager_needs_to_go_on() -> None:
    begun = through_json(codec.begin_record(operation("op-1")))
    whole = begun["whole"]
    assert isinstance(whole, dict)
    assert whole["plan"]["groups"][0]["tasks"][0]["step"] == {"step": "OpenWrites", "server": "db2"}
    assert whole["by"]["user"] == "ann"


def test_sets_inside_an_entry_are_text() -> None:
    gtids = GtidSet.parse(f"{UUID}:1-5:blue:7")
    entry = Entry(EntryKind.FREEZE, 3.0, {"db2": gtids, "some": frozenset({"b", "a"}), "pair": (1, None)})
    body = through_json(codec.entry_record(entry))["body"]
    assert body == {"db2": str(gtids), "some": ["a", "b"], "pair": [1, None]}


def test_an_open_operation_shows_the_outcomes_so_far() -> None:
    outcome = codec.entry_record(Entry(EntryKind.OUTCOME, 2.0, {"title": "fence db1"}))
    shown = codec.whole(codec.begin_record(operation("op-1")), [outcome], None)
    assert shown["outcome"] is None
    assert shown["steps"] == [{"title": "fence db1"}]


@pytest.mark.parametrize("result", list(Result))
def test_only_a_failover_that_was_done_counts_as_one(result: Result) -> None:
    assert (codec.failover_done_at(report(operation("op-1"), result)) is not None) == (result is Result.DONE)


@pytest.mark.parametrize("version", [2, None, "1"])
def test_a_record_of_another_shape_is_refused_by_place(version: object) -> None:
    with pytest.raises(CoordinationError, match="/shop/primary"):
        codec.opened({"v": version}, "/shop/primary")
