"""A failover interrupted at every moment, by death or by a freeze, in memory: the next manager ends it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.errors import AgentError
from failoverd.model.host import Spliced
from failoverd.model.plans import Kind, Request, Requester, Verb
from failoverd.model.sight import Thread
from failoverd.service.phases import Phase
from tests.fakes.moments import Died, at, dies
from tests.fakes.whole import CLUSTER, Manager, Whole

MOMENTS = tuple(
    f"{side}:{step}"
    for step in (
        "ClaimServer", "FenceHost", "StopReceiver", "Splice", "Drain", "DisarmSource", "OpenWrites", "PublishPrimary",
        "Repoint", "ForgetSource",
    )
    for side in ("before", "after")
)  # fmt: skip
RECORDS = ("after:begin", "after:promote-intent", "before:end", "after:end")


def behind(whole: Whole) -> GtidSet:
    """The replicas lack what the primary has written last: a failover has to bring it. The whole set."""
    for name in ("db2", "db3"):
        whole.mysqlds[name].change("", receiver=Thread.NO)
    whole.mysqlds["db1"].write(5)
    whole.mysqlds["db2"].change("", receiver=Thread.YES)
    everything = whole.mysqlds["db1"].executed
    whole.mysqlds["db1"].kill()
    return everything


def writable(whole: Whole) -> list[str]:
    return [m.name for m in whole.mysqlds.values() if m.alive and not m.read_only and not m.super_read_only]


def ended(whole: Whole, manager: Manager, everything: GtidSet) -> dict[str, Any]:
    """One writable server with everything, the others attached to it, the journal closed; the operation."""
    (elect,) = writable(whole)
    assert everything <= whole.mysqlds[elect].executed
    assert "" not in whole.mysqlds[elect].channels
    for name in {"db2", "db3"} - {elect}:
        assert whole.mysqlds[name].channels[""].source == whole.mysqlds[elect].endpoint
        assert whole.mysqlds[name].channels[""].receiver is not Thread.NO
        assert set(whole.mysqlds[name].channels) == {""}
    assert manager.coordination.open_operation(CLUSTER) == ""
    recorded = manager.coordination.recorded(CLUSTER)
    assert recorded is not None
    assert recorded.name == elect
    (listed,) = manager.coordination.operations(CLUSTER)
    shown = manager.coordination.operation(str(listed["operation"]))
    assert shown is not None
    assert (shown["outcome"], shown["new_primary"]) == ("done", elect)
    return dict(shown)


@pytest.mark.parametrize("moment", [*MOMENTS, *RECORDS])
def test_a_manager_dies_and_the_next_one_ends_its_failover(moment: str) -> None:
    whole = Whole()
    first, second = whole.manager("m1").turns(4), whole.manager("m2").turns(2)
    everything = behind(whole)
    met = at(first, moment, dies)
    with pytest.raises(Died):
        first.turns(3)
    assert moment in met
    whole.store.depose(CLUSTER)
    second.turns(4)
    shown = ended(whole, second, everything)
    assert sum(saved["transactions"] for saved in shown["saved"]) in {0, 5}
    assert shown["fenced"]["how"] != "UNFENCED"
    assert second.memory.phase is Phase.WATCHING


@pytest.mark.parametrize("moment", [*MOMENTS, "after:begin", "after:promote-intent", "before:end"])
def test_a_manager_that_wakes_up_later_changes_nothing_any_more(moment: str) -> None:
    whole = Whole()
    first, second = whole.manager("m1").turns(4), whole.manager("m2").turns(2)
    everything = behind(whole)
    state: list[object] = []

    def sleeps() -> None:
        whole.store.depose(CLUSTER)
        second.turns(4)
        state.append(servers(whole))

    met = at(first, moment, sleeps)
    first.turns(3)
    assert moment in met
    assert [servers(whole)] == state
    ended(whole, second, everything)
    assert first.memory.phase is Phase.STANDBY


def servers(whole: Whole) -> object:
    """What nobody may change any more."""
    return [
        (m.name, m.alive, m.read_only, m.super_read_only, str(m.executed), {n: c.source for n, c in m.channels.items()})
        for m in whole.mysqlds.values()
    ]


@pytest.mark.parametrize("moment", ["after:StopReceiver", "after:DisarmSource", "after:promote-intent"])
def test_an_old_primary_that_answers_again_gets_its_replicas_back(moment: str) -> None:
    whole = Whole()
    first, second = whole.manager("m1").turns(4), whole.manager("m2").turns(2)
    whole.hosts["db1"].silent = "unreachable"  # nobody can fence it
    whole.mysqlds["db1"].kill()
    at(first, moment, dies)
    first.turns(3)
    whole.clock.sleep(6.0)  # without an agent's word a refused port counts only after a while
    with pytest.raises(Died):
        first.turns(3)
    whole.mysqlds["db1"].alive, whole.hosts["db1"].silent = True, ""
    whole.store.depose(CLUSTER)
    second.turns(4)
    assert writable(whole) == ["db1"]
    for name in ("db2", "db3"):
        channel = whole.mysqlds[name].channels[""]
        assert (channel.source, channel.receiver) == (whole.mysqlds["db1"].endpoint, Thread.YES)
    (listed,) = second.coordination.operations(CLUSTER)
    assert listed["outcome"] == "undone"
    assert second.coordination.open_operation(CLUSTER) == ""


def cut_off(whole: Whole, moment: str) -> tuple[Manager, str]:
    """An active manager has died with its intent on record, and the elect does not answer the next one."""
    first, second = whole.manager("m1").turns(4), whole.manager("m2").turns(2)
    whole.mysqlds["db1"].kill()
    at(first, moment, dies)
    with pytest.raises(Died):
        first.turns(3)
    whole.mysqlds["db2"].frozen = True
    whole.hosts["db2"].silent = "unreachable"
    whole.store.depose(CLUSTER)
    return second, second.coordination.open_operation(CLUSTER)


@pytest.mark.parametrize("moment", ["after:promote-intent", "after:OpenWrites"])
def test_nobody_else_is_opened_while_the_elect_cannot_be_reached(moment: str) -> None:
    whole = Whole()
    second, name = cut_off(whole, moment)
    second.turns(60)
    assert whole.mysqlds["db3"].read_only
    assert second.coordination.open_operation(CLUSTER) == name
    assert second.memory.phase is Phase.HALTED
    assert "db2" in second.memory.left.problem
    shown = second.coordination.operation(name)
    assert shown is not None
    assert [entry["kind"] for entry in shown["entries"]].count("needs-person") == 1  # type: ignore[attr-defined]
    told = json.loads(second.kept[CLUSTER])["operation"]
    assert (told["id"], told["kind"], told["outcome"]) == (name, "failover", "needs-person")
    assert told["stage"] in {"PROMOTE", "FREEZE"}
    assert "db2" in told["problem"]
    whole.mysqlds["db2"].frozen = False
    second.turns(3)
    assert writable(whole) == ["db2"]
    assert whole.mysqlds["db3"].channels[""].source == whole.mysqlds["db2"].endpoint
    assert second.coordination.open_operation(CLUSTER) == ""


def test_an_elect_that_died_after_taking_writes_is_replaced_and_they_are_kept() -> None:
    whole = Whole()
    first, second = whole.manager("m1").turns(4), whole.manager("m2").turns(2)
    whole.mysqlds["db1"].kill()
    at(first, "after:OpenWrites", dies)
    with pytest.raises(Died):
        first.turns(3)
    whole.mysqlds["db2"].write(7)
    everything = whole.mysqlds["db2"].executed
    whole.mysqlds["db2"].kill()
    whole.store.depose(CLUSTER)
    second.turns(60)
    assert writable(whole) == ["db3"]
    assert everything <= whole.mysqlds["db3"].executed
    outcomes = [(one["outcome"], one["new_primary"]) for one in second.coordination.operations(CLUSTER)]
    assert outcomes == [("done", "db3"), ("failed", None)]
    assert whole.hosts["db2"].fenced is not None


def test_an_elect_that_took_writes_and_came_back_closed_is_opened_again() -> None:
    whole = Whole()
    first, second = whole.manager("m1").turns(4), whole.manager("m2").turns(2)
    whole.mysqlds["db1"].kill()
    at(first, "after:OpenWrites", dies)
    with pytest.raises(Died):
        first.turns(3)
    whole.mysqlds["db2"].write(7)
    everything = whole.mysqlds["db2"].executed
    whole.mysqlds["db2"].read_only = whole.mysqlds["db2"].super_read_only = True
    whole.store.depose(CLUSTER)
    second.turns(4)
    ended(whole, second, everything)
    assert writable(whole) == ["db2"]


def test_an_error_of_coordination_on_the_way_is_not_the_end() -> None:
    whole = Whole()
    only = whole.manager("m1").turns(4)
    everything = behind(whole)

    def away() -> None:
        whole.store.away = True

    at(only, "after:StopReceiver", away)
    only.turns(3)
    assert writable(whole) == []
    whole.store.away = False
    only.turns(3)
    ended(whole, only, everything)


def ask(whole: Whole, manager: Manager, verb: Verb, operation: str = "") -> str:
    by = Requester("person", "anna", "desk", "I have looked")
    wall = whole.clock.wall().timestamp()
    return manager.coordination.ask(Request(CLUSTER, Kind.FAILOVER, by, asked_at=wall, verb=verb, operation=operation))


def test_a_person_ends_an_operation_as_it_stands() -> None:
    whole = Whole()
    second, name = cut_off(whole, "after:promote-intent")
    second.turns(60)
    asked = ask(whole, second, Verb.ABORT, name)
    before = servers(whole)
    second.turns(1)
    answer = second.coordination.answered(CLUSTER, asked)
    assert answer is not None
    assert answer["outcome"] == "failed"
    assert "not taken back" in answer["findings"][0]  # type: ignore[index]
    assert servers(whole) == before
    assert second.coordination.open_operation(CLUSTER) == ""


def test_undo_is_refused_past_the_point_of_no_return_and_resume_tries_again() -> None:
    whole = Whole()
    second, name = cut_off(whole, "after:promote-intent")
    second.turns(60)
    asked = ask(whole, second, Verb.UNDO)
    second.turns(1)
    answer = second.coordination.answered(CLUSTER, asked)
    assert answer is not None
    assert "cannot be taken back" in str(answer["error"])
    asked = ask(whole, second, Verb.RESUME, name)
    second.turns(1)
    answer = second.coordination.answered(CLUSTER, asked)
    assert answer is not None
    assert answer["outcome"] == "needs-person"


def test_a_request_about_no_open_operation_is_answered() -> None:
    whole = Whole()
    only = whole.manager("m1").turns(4)
    asked = ask(whole, only, Verb.UNDO)
    only.turns(1)
    answer = only.coordination.answered(CLUSTER, asked)
    assert answer is not None
    assert "error" in answer


def test_a_record_of_a_later_version_is_refused_and_nothing_is_done() -> None:
    whole = Whole()
    first, second = whole.manager("m1").turns(4), whole.manager("m2").turns(2)
    behind(whole)
    at(first, "after:StopReceiver", dies)
    with pytest.raises(Died):
        first.turns(3)
    name = first.coordination.open_operation(CLUSTER)
    records = whole.store.of(CLUSTER).operations[name]
    records.append({"v": 1, "kind": "something-new", "at": 1.0, "body": {}})
    before = servers(whole)
    whole.store.depose(CLUSTER)
    second.turns(5)
    assert servers(whole) == before
    assert "something-new" in second.memory.left.problem
    assert second.coordination.open_operation(CLUSTER) == name


def test_a_manager_of_another_release_ends_what_its_neighbour_began() -> None:
    whole = Whole()
    first, second = whole.manager("m1").turns(4), whole.manager("m2").turns(2)
    everything = behind(whole)
    at(first, "after:OpenWrites", dies)
    with pytest.raises(Died):
        first.turns(3)
    records = whole.store.of(CLUSTER).operations[first.coordination.open_operation(CLUSTER)]
    records[:] = [with_more(record) for record in records]
    whole.store.depose(CLUSTER)
    second.turns(4)
    ended(whole, second, everything)


def with_more(record: Any) -> Any:
    """The record as a release would write it whose steps, plan and operation have a field more."""
    if isinstance(record, list):
        return [with_more(item) for item in record]
    if not isinstance(record, dict):
        return record
    known = {key: with_more(value) for key, value in record.items()}
    return known | ({"of_another_release": 1} if {"step", "plan", "v"} & set(known) else {})


def test_what_was_given_up_on_the_way_is_in_the_report_of_whoever_ends_it() -> None:
    whole = Whole(max_loss=5)
    first, second = whole.manager("m1").turns(4), whole.manager("m2").turns(2)
    for name in ("db2", "db3"):
        whole.mysqlds[name].change("", receiver=Thread.NO)
    whole.mysqlds["db1"].write(5)
    first.turns(1)
    whole.mysqlds["db1"].kill()

    def broken(*_: object) -> Spliced:
        raise AgentError("the line broke")

    first.agents.transfer = broken  # type: ignore[assignment, method-assign]
    at(first, "after:OpenWrites", dies)
    with pytest.raises(Died):
        first.turns(3)
    whole.store.depose(CLUSTER)
    second.turns(4)
    (listed,) = second.coordination.operations(CLUSTER)
    assert (listed["outcome"], listed["lost"]["transactions"]) == ("done", 5)  # type: ignore[index]


@pytest.mark.parametrize("moment", ["after:promote-intent", "after:OpenWrites"])
def test_an_elect_that_died_without_a_single_write_is_passed_over_in_its_own_operation(moment: str) -> None:
    whole = Whole()
    first, second = whole.manager("m1").turns(4), whole.manager("m2").turns(2)
    everything = behind(whole)
    at(first, moment, dies)
    with pytest.raises(Died):
        first.turns(3)
    whole.mysqlds["db2"].kill()
    whole.store.depose(CLUSTER)
    second.turns(60)
    assert writable(whole) == ["db3"]
    assert everything <= whole.mysqlds["db3"].executed
    (shown,) = second.coordination.operations(CLUSTER)
    assert (shown["outcome"], shown["new_primary"]) == ("done", "db3")
    assert shown["fenced"] == {"server": "db1", "how": whole_fence(second, str(shown["operation"]), "db1")}
    assert whole.hosts["db2"].fenced is not None


def whole_fence(manager: Manager, operation: str, server: str) -> str:
    """What the journal says of the last fence of a server."""
    shown = manager.coordination.operation(operation)
    assert shown is not None
    bodies = [entry["body"] for entry in shown["entries"]]  # type: ignore[attr-defined]
    return str([b["detail"] for b in bodies if b.get("stage") == "FENCE" and b.get("server") == server][-1])


def test_an_old_primary_that_serves_again_stays_on_record_when_the_elect_died_unopened() -> None:
    whole = Whole()
    first, second = whole.manager("m1").turns(4), whole.manager("m2").turns(2)
    whole.hosts["db1"].silent = "unreachable"  # nobody can fence it
    whole.mysqlds["db1"].kill()
    at(first, "after:promote-intent", dies)
    first.turns(3)
    whole.clock.sleep(6.0)
    with pytest.raises(Died):
        first.turns(3)
    whole.mysqlds["db2"].kill()
    whole.mysqlds["db1"].alive, whole.hosts["db1"].silent = True, ""
    whole.store.depose(CLUSTER)
    second.turns(20)
    assert writable(whole) == ["db1"]
    assert whole.hosts["db2"].fenced is None
    whole.mysqlds["db2"].alive = True
    second.turns(20)
    assert whole.mysqlds["db2"].channels[""].source == whole.mysqlds["db1"].endpoint
    (listed,) = second.coordination.operations(CLUSTER)
    assert listed["outcome"] == "undone"
    recorded = second.coordination.recorded(CLUSTER)
    assert recorded is not None
    assert recorded.name == "db1"
    assert second.memory.verdict is not None
    assert second.memory.verdict.rule == "healthy"


@pytest.mark.parametrize("moment", ["after:promote-intent", "after:OpenWrites", "after:PublishPrimary"])
def test_a_fence_that_came_after_the_opening_is_not_told_as_one(moment: str) -> None:
    whole = Whole()
    first, second = whole.manager("m1").turns(4), whole.manager("m2").turns(2)
    whole.hosts["db1"].silent = "unreachable"  # nobody can fence it
    whole.mysqlds["db1"].kill()
    at(first, moment, dies)
    first.turns(3)
    whole.clock.sleep(6.0)
    with pytest.raises(Died):
        first.turns(3)
    whole.hosts["db1"].silent = ""
    whole.store.depose(CLUSTER)
    second.turns(6)
    assert whole.hosts["db1"].fenced == 2
    (listed,) = second.coordination.operations(CLUSTER)
    opened_first = moment != "after:promote-intent"  # else the elect was closed still, and it was shut before it opened
    assert (listed["fenced"]["how"] == "UNFENCED") is opened_first  # type: ignore[index]
    assert any("shut only after" in text for text in listed["findings"]) is opened_first  # type: ignore[attr-defined]
