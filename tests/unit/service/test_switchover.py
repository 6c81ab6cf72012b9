"""A planned change by the production service in memory: done, undone, tried again, and died in the middle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from failoverd.execute.hands import Outside
from failoverd.gtid import GtidSet
from failoverd.model.events import Event
from failoverd.model.hooks import Point
from failoverd.model.plans import Kind, Request, Requester, Verb
from failoverd.model.policy import LongTransactions, SwitchoverPolicy
from failoverd.model.sight import Channel, Thread
from failoverd.service.following import Following
from tests.fakes.hooks import FakeHooks
from tests.fakes.moments import Died, at, dies
from tests.fakes.whole import CLUSTER, Manager, StillClock, Whole, uuid_of

PERSON = Requester("person", "ann", "desk", "new kernel")
STEPS = (
    "ClaimServer", "GetReady", "CloseWrites", "CatchUp", "KeepOut", "DisarmSource", "OpenWrites", "PublishPrimary",
    "Repoint", "LetIn", "ForgetSource",
)  # fmt: skip
MOMENTS = tuple(f"{side}:{step}" for step in STEPS for side in ("before", "after"))
CHOSEN = MOMENTS.index("after:OpenWrites")
BEFORE, AFTER = (*MOMENTS[:CHOSEN], "after:begin"), (*MOMENTS[CHOSEN:], "after:promote-intent", "before:end")


def cluster(replicas: int = 2, *, lossless: bool = False, **switchover: object) -> Whole:
    whole = Whole(replicas=replicas)
    durability: Any = "lossless" if lossless else "async"
    policy = SwitchoverPolicy(**switchover)  # type: ignore[arg-type]
    whole.policy = replace(whole.policy, switchover=policy, durability=durability)
    return whole


def watched(whole: Whole, turns: int = 4) -> Manager:
    manager = whole.manager().turns(turns)
    for _ in range(6 if whole.policy.lossless else 0):
        whole.clock.sleep(6.0)
        manager.turns(1)
    return manager


def ask(whole: Whole, manager: Manager, to: str = "db2", **more: Any) -> str:
    return manager.coordination.ask(
        Request(CLUSTER, Kind.SWITCHOVER, PERSON, to, asked_at=whole.clock.wall().timestamp(), **more)
    )


def switched(whole: Whole, manager: Manager, to: str = "db2") -> dict[str, Any]:
    """One switchover by request; its document."""
    asked = ask(whole, manager, to)
    manager.turns(2)
    return answer(manager, asked)


def answer(manager: Manager, asked: str) -> dict[str, Any]:
    found = manager.coordination.answered(CLUSTER, asked)
    assert found is not None
    return dict(found)


def writable(whole: Whole) -> list[str]:
    return [m.name for m in whole.mysqlds.values() if m.alive and not m.super_read_only and not m.offline]


def whole_again(whole: Whole, manager: Manager, primary: str) -> None:
    """That server alone takes writes, everybody else follows it, nobody is offline, no operation is open."""
    manager.turns(1)
    assert writable(whole) == [primary]
    assert "" not in whole.mysqlds[primary].channels
    for name in whole.mysqlds.keys() - {primary}:
        found = whole.mysqlds[name].channels[""]
        assert (found.source, found.receiver) == (whole.mysqlds[primary].endpoint, Thread.YES), name
        assert whole.mysqlds[name].super_read_only
        assert not whole.mysqlds[name].offline
    recorded = manager.coordination.recorded(CLUSTER)
    assert recorded is not None
    assert recorded.name == primary
    assert manager.coordination.open_operation(CLUSTER) == ""


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("replicas", [1, 2, 3])
def test_there_and_back_with_everything(replicas: int, *, lossless: bool) -> None:
    whole = cluster(replicas, lossless=lossless)
    manager = watched(whole)
    for primary in ("db2", "db1", "db2"):
        whole.mysqlds[writable(whole)[0]].write(3)
        everything = whole.mysqlds[writable(whole)[0]].executed
        document = switched(whole, manager, primary)
        assert (document["outcome"], document["new_primary"]) == ("done", primary), document
        assert document["findings"] == []
        whole_again(whole, manager, primary)
        assert all(everything <= mysqld.executed for mysqld in whole.mysqlds.values())
        if lossless:
            assert whole.mysqlds[primary].semi_sync.ready(1)
            assert [m.name for m in whole.mysqlds.values() if m.semi_sync.source_on] == [primary]


def test_a_replica_of_a_replica_stays_where_it_is() -> None:
    whole = cluster(3)
    manager = watched(whole)
    whole.mysqlds["db4"].change("", source=whole.mysqlds["db3"].endpoint, source_uuid=uuid_of("db3"))
    assert switched(whole, manager)["outcome"] == "done"
    assert whole.mysqlds["db4"].channels[""].source == whole.mysqlds["db3"].endpoint
    assert whole.mysqlds["db3"].channels[""].source == whole.mysqlds["db2"].endpoint


def test_a_held_table_lock_outlasts_all_attempts_and_nothing_was_frozen() -> None:
    whole = cluster(freeze_budget=2.0, attempts=3)
    manager = watched(whole)
    primary = whole.mysqlds["db1"]
    primary.tables_locked_by = primary.connect("app")
    document = switched(whole, manager)
    assert document["outcome"] == "undone"
    closings = [step for step in document["steps"] if step["title"] == "close db1 for writes"]
    assert [step["outcome"] for step in closings] == ["failed"] * 3
    assert "holds table locks" in closings[0]["detail"]
    whole_again(whole, manager, "db1")


def test_long_work_is_ended_where_the_policy_says_so() -> None:
    whole = cluster(long_transactions=LongTransactions("kill-after", 1.0))
    manager = watched(whole)
    primary = whole.mysqlds["db1"]
    primary.tables_locked_by = primary.connect("app")
    document = switched(whole, manager)
    assert document["outcome"] == "done"
    (closing,) = (step for step in document["steps"] if step["title"] == "close db1 for writes")
    assert "ended session" in closing["detail"]


def test_long_work_ends_all_attempts_where_the_policy_says_so() -> None:
    whole = cluster(long_transactions=LongTransactions("abort"))
    manager = watched(whole)
    primary = whole.mysqlds["db1"]
    primary.tables_locked_by = primary.connect("app")
    document = switched(whole, manager)
    assert document["outcome"] == "undone"
    assert sum(step["title"] == "close db1 for writes" for step in document["steps"]) == 1


def test_what_was_prepared_after_the_last_look_is_not_lost() -> None:
    whole = cluster(attempts=1)
    manager = watched(whole)
    primary = whole.mysqlds["db1"]

    def prepares() -> None:
        primary.prepared = ("x",)

    at(manager, "before:CloseWrites", prepares)
    document = switched(whole, manager)
    assert document["outcome"] == "undone"
    whole_again(whole, manager, "db1")


def test_what_was_committed_behind_the_closed_door_is_not_lost() -> None:
    whole = cluster(attempts=2)
    manager = watched(whole)
    at(manager, "before:KeepOut", lambda: whole.mysqlds["db1"].write(1))
    document = switched(whole, manager)
    assert document["outcome"] == "done", "the second attempt brings it"
    assert [step["outcome"] for step in document["steps"] if step["title"] == "keep clients off db1"] == [
        "failed",
        "done",
    ]
    assert whole.mysqlds["db1"].executed <= whole.mysqlds["db2"].executed
    whole_again(whole, manager, "db2")


def test_a_candidate_that_does_not_catch_up_in_time_leaves_everything_as_it_was() -> None:
    whole = cluster(attempts=1)
    manager = watched(whole)

    def stuck() -> None:
        whole.mysqlds["db1"].write(5)
        whole.mysqlds["db2"].change("", applier=Thread.NO)

    at(manager, "before:CloseWrites", stuck)
    document = switched(whole, manager)
    assert document["outcome"] == "undone"
    assert any("did not catch up" in step["detail"] for step in document["steps"])
    whole_again(whole, manager, "db1")


def test_a_candidate_whose_applier_stops_is_not_waited_for() -> None:
    whole = cluster(attempts=3)
    manager = watched(whole)

    def stopped() -> None:
        whole.mysqlds["db1"].write(5)
        whole.mysqlds["db2"].change("", applier=Thread.NO)

    at(manager, "before:GetReady", stopped)
    begun = whole.clock.now()
    document = switched(whole, manager)
    assert document["outcome"] == "undone"
    assert [step["detail"] for step in document["steps"] if "applier of db2" in step["detail"]]
    assert whole.clock.now() - begun < 10.0
    assert not any(step["title"] == "close db1 for writes" for step in document["steps"])
    whole_again(whole, manager, "db1")


def test_hooks_after_an_undone_freeze_have_all_their_time() -> None:
    whole, hooks = cluster(attempts=1), FakeHooks({Point.ON_UNDONE: ("10-a",)})
    whole.policy = replace(whole.policy, hooks=hooks.policy())
    manager = watched(whole)
    manager.world = replace(manager.world, outside=Outside(hooks=hooks))

    def stuck() -> None:
        whole.mysqlds["db2"].change("", applier=Thread.NO)
        whole.mysqlds["db1"].write(5)

    at(manager, "before:CloseWrites", stuck)
    assert switched(whole, manager)["outcome"] == "undone"
    assert [call.timeout for call in hooks.calls] == [hooks.policy().timeout]


def died_at(whole: Whole, moment: str) -> Manager:
    """The active manager dies there in a switchover; the next one, whose turn it is now."""
    first, second = watched(whole), whole.manager("m2").turns(2)
    ask(whole, first)
    met = at(first, moment, dies)
    with pytest.raises(Died):
        first.turns(2)
    assert moment in met
    whole.store.depose(CLUSTER)
    return second


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("moment", BEFORE)
def test_a_manager_that_dies_before_the_choice_leaves_the_old_primary(moment: str, *, lossless: bool) -> None:
    whole = cluster(lossless=lossless)
    second = died_at(whole, moment)
    second.turns(4)
    whole_again(whole, second, "db1")
    (listed, *_) = second.coordination.operations(CLUSTER)
    assert listed["outcome"] == "undone"


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("moment", AFTER)
def test_a_manager_that_dies_after_the_choice_is_finished_for(moment: str, *, lossless: bool) -> None:
    whole = cluster(lossless=lossless)
    second = died_at(whole, moment)
    second.turns(4)
    (listed, *_) = second.coordination.operations(CLUSTER)
    early = lossless and moment.endswith(":Repoint")  # there the others follow before the choice
    assert listed["outcome"] == ("undone" if early else "done")
    whole_again(whole, second, "db1" if early else "db2")


def test_an_old_primary_that_was_given_a_source_and_not_started_is_started() -> None:
    whole = cluster()
    second = died_at(whole, "before:Repoint")
    halfway = Channel("", whole.mysqlds["db2"].endpoint, "", Thread.NO, Thread.NO)
    whole.mysqlds["db1"].channels[""] = halfway
    second.turns(4)
    whole_again(whole, second, "db2")
    assert whole.mysqlds["db1"].channels[""].applier is Thread.YES


def test_an_elect_whose_receiver_was_stopped_by_a_word_that_is_not_on_record_follows_again() -> None:
    whole = cluster()
    second = died_at(whole, "after:CatchUp")
    whole.mysqlds["db2"].change("", receiver=Thread.NO)
    second.turns(4)
    whole_again(whole, second, "db1")


def test_another_replica_that_was_stopped_by_a_word_that_is_not_on_record_follows_again() -> None:
    whole = cluster(lossless=True)
    second = died_at(whole, "after:DisarmSource")
    whole.mysqlds["db3"].change("", receiver=Thread.NO)
    second.turns(4)
    whole_again(whole, second, "db1")


def test_a_person_takes_back_what_was_chosen_and_never_opened() -> None:
    whole = cluster()
    first, second = watched(whole), whole.manager("m2")
    ask(whole, first)
    at(first, "after:promote-intent", dies)
    with pytest.raises(Died):
        first.turns(2)
    whole.store.depose(CLUSTER)
    open_id = second.coordination.open_operation(CLUSTER)
    asked = ask(whole, second, verb=Verb.UNDO, operation=open_id)
    second.turns(3)
    assert answer(second, asked)["outcome"] == "undone"
    whole_again(whole, second, "db1")


def test_a_primary_that_dies_while_it_is_closed_is_failed_over() -> None:
    whole = cluster()
    manager = watched(whole)
    everything = whole.mysqlds["db1"].executed
    asked = ask(whole, manager)
    at(manager, "after:CloseWrites", whole.mysqlds["db1"].kill)
    manager.turns(12)
    assert [(o["kind"], o["outcome"]) for o in manager.coordination.operations(CLUSTER)] == [
        ("failover", "done"),
        ("switchover", "failed"),
    ]
    assert answer(manager, asked)["outcome"] == "needs-person", "as it was when the request was answered"
    (elect,) = writable(whole)
    assert everything <= whole.mysqlds[elect].executed


def test_a_primary_that_was_restarted_meanwhile_is_not_opened_blindly() -> None:
    whole = cluster()
    manager = watched(whole)
    primary = whole.mysqlds["db1"]

    def restarts() -> None:
        primary.kill()
        primary.alive, primary.read_only, primary.super_read_only, primary.offline = True, True, True, False
        primary.started_at = whole.clock.now() + 30.0
        primary.executed = primary.executed - GtidSet.parse(f"{primary.server_uuid}:10")
        whole.clock.sleep(30.0)

    ask(whole, manager)
    at(manager, "after:CatchUp", restarts)
    manager.turns(12)
    assert ("switchover", "failed") in [(o["kind"], o["outcome"]) for o in manager.coordination.operations(CLUSTER)]
    assert writable(whole) != ["db1"], "it lacks what the replicas have"


def test_refused_where_the_primary_does_not_answer_or_the_candidate_does_not_follow() -> None:
    whole = cluster()
    manager = watched(whole)
    refused = switched(whole, manager, "db1")
    assert [r["id"] for r in refused["refusals"]] == ["already-primary"]
    whole.mysqlds["db2"].change("", receiver=Thread.NO)
    refused = switched(whole, manager, "db2")
    assert [r["id"] for r in refused["refusals"]] == ["not-following"]
    assert manager.coordination.operations(CLUSTER) == ()


def test_of_two_at_once_one_wins() -> None:
    whole = cluster()
    manager = watched(whole)
    first, second = ask(whole, manager), ask(whole, manager)
    manager.turns(3)
    assert answer(manager, first)["outcome"] == "done"
    assert [r["id"] for r in answer(manager, second)["refusals"]] == ["already-primary"]
    whole_again(whole, manager, "db2")


@pytest.mark.parametrize("verb", [Verb.UNDO, Verb.ABORT])
def test_a_person_gives_it_up_before_anything_is_frozen(verb: Verb) -> None:
    whole = cluster()
    manager = watched(whole)
    wished: list[str] = []

    def gives_up() -> None:
        open_id = manager.coordination.open_operation(CLUSTER)
        wished.append(ask(whole, manager, verb=verb, operation=open_id))

    at(manager, "before:GetReady", gives_up)
    document = switched(whole, manager)
    assert document["outcome"] == "undone"
    assert not any(step["title"] == "close db1 for writes" for step in document["steps"])
    assert answer(manager, wished[0])["outcome"] == "undone"
    whole_again(whole, manager, "db1")


def test_nobody_gives_up_what_was_chosen() -> None:
    whole = cluster()
    manager = watched(whole)
    wished: list[str] = []

    def gives_up() -> None:
        open_id = manager.coordination.open_operation(CLUSTER)
        wished.append(ask(whole, manager, verb=Verb.ABORT, operation=open_id))

    at(manager, "after:promote-intent", gives_up)
    assert switched(whole, manager)["outcome"] == "done"
    manager.turns(1)
    assert "no operation is open" in str(answer(manager, wished[0])["error"])
    whole_again(whole, manager, "db2")


def test_the_preferred_server_takes_over_unless_it_cannot() -> None:
    whole = cluster()
    manager = watched(whole)
    document = switched(whole, manager, "")
    assert document["new_primary"] == "db2"
    whole.mysqlds["db1"].change("", applier=Thread.NO)
    assert switched(whole, manager, "")["new_primary"] == "db3"


def test_an_undone_switchover_does_not_hold_up_a_failover() -> None:
    whole = cluster(attempts=1)
    manager = watched(whole)
    primary = whole.mysqlds["db1"]
    primary.tables_locked_by = primary.connect("app")
    assert switched(whole, manager)["outcome"] == "undone"
    primary.kill()
    manager.turns(6)
    assert manager.coordination.operations(CLUSTER)[0]["outcome"] == "done"


class Returning(StillClock):
    """Time in which coordination comes back."""

    def __init__(self, whole: Whole) -> None:
        super().__init__()
        self._whole = whole

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._whole.store.away = False


def test_whoever_asked_is_answered_after_a_moment_without_coordination() -> None:
    whole = cluster()
    manager = watched(whole)
    asked = ask(whole, manager)
    manager.turns(2)
    whole.store.away = True
    world = replace(manager.world, eyes=replace(manager.world.eyes, clock=Returning(whole)))
    told: list[str] = []
    document = Following(world, asked, told.append).answer()
    assert document["outcome"] == "done"
    assert isinstance(document["steps"], list)
    assert len(told) == len(document["steps"]), "also those that nobody has told while it went on"


def test_an_elect_that_died_before_it_opened_leaves_the_old_primary_in_place() -> None:
    whole = cluster()
    first, second = watched(whole), whole.manager("m2").turns(2)
    at(first, "after:promote-intent", dies)
    ask(whole, first)
    with pytest.raises(Died):
        first.turns(3)
    whole.mysqlds["db2"].kill()
    whole.store.depose(CLUSTER)
    second.turns(30)
    assert writable(whole) == ["db1"]
    assert whole.hosts["db2"].fenced is None  # it may be started again
    whole.mysqlds["db2"].alive = True
    second.turns(30)
    assert whole.mysqlds["db2"].channels[""].source == whole.mysqlds["db1"].endpoint
    (listed,) = second.coordination.operations(CLUSTER)
    assert listed["outcome"] == "undone"
    assert second.coordination.open_operation(CLUSTER) == ""


def test_the_events_that_the_new_primary_keeps_disabled_are_named_with_what_enables_them() -> None:
    whole = cluster()
    manager = watched(whole)
    whole.mysqlds["db2"].asleep = (Event("app", "night`ly", "ann@example@10.%"),)
    document = switched(whole, manager)
    enabling = "ALTER DEFINER=`ann@example`@`10.%` EVENT `app`.`night``ly` ENABLE"
    assert document["outcome"] == "done"
    assert document["findings"] == [f"event app.night`ly stays disabled on db2: {enabling}"]
    whole_again(whole, manager, "db2")
