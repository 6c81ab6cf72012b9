"""People talk to a switchover while the production service runs it in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from failoverd.execute.hands import Outside
from failoverd.model.control import Wishes
from failoverd.model.errors import FailoverdError
from failoverd.model.plans import Kind, Request, Requester, StepResult
from failoverd.model.sight import Thread
from failoverd.service import desk
from failoverd.service.board import FRESH
from failoverd.service.following import Following
from failoverd.service.publish import Published
from failoverd.service.shown import elsewhere
from tests.fakes.controls import FakeRooms
from tests.fakes.glances import at_a_glance, glance
from tests.fakes.moments import at
from tests.fakes.whole import CLUSTER, InTurn, Manager, StillClock, T, Whole
from tests.unit.service.test_switchover import PERSON, answer, ask, cluster, switched, watched, whole_again


class Talking(StillClock):
    """Time in which something is said after so many rests."""

    def __init__(self, whole: Whole, said: dict[int, Callable[[], object]]) -> None:
        super().__init__()
        self.passed = whole.clock.passed
        self._said = dict(said)
        self.rests = 0

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.rests += 1
        self._said.pop(self.rests, lambda: None)()


def attended(whole: Whole) -> tuple[Manager, FakeRooms]:
    manager, rooms = watched(whole), FakeRooms()
    manager.world = replace(manager.world, outside=Outside(rooms=rooms))
    return manager, rooms


def talked(whole: Whole, manager: Manager, said: dict[int, Callable[[], object]]) -> Talking:
    """From now on what is said after so many rests of this manager."""
    clock = Talking(whole, said)
    manager.world = replace(manager.world, eyes=replace(manager.world.eyes, clock=clock))
    return clock


def closings(document: dict[str, Any]) -> list[str]:
    return [step["outcome"] for step in document["steps"] if step["title"].startswith("close ")]


@pytest.mark.parametrize(
    ("keep", "let_go", "waits"),
    [("hold", "go", "go (held) is waited for"), ("throttle", "no-throttle", "no-throttle (throttled) is waited for")],
)
def test_it_waits_for_a_word_and_longer_than_it_would_wait_for_calm(keep: str, let_go: str, waits: str) -> None:
    whole = cluster(attempts=1)
    manager, rooms = attended(whole)
    seen: list[str] = []

    def look() -> None:
        seen.append(rooms.room.told[-1].waiting)
        assert not whole.mysqlds["db1"].super_read_only

    clock = talked(whole, manager, {10: look, 9000: lambda: rooms.room.say(let_go)})
    at(manager, "before:GetReady", lambda: rooms.room.say(keep))
    document = switched(whole, manager)
    assert (document["outcome"], closings(document)) == ("done", ["done"])
    assert seen == [waits]
    assert clock.rests >= 9000
    assert rooms.room.closed
    whole_again(whole, manager, "db2")


STEPS = ("GetReady", "CloseWrites", "CatchUp", "KeepOut", "DisarmSource", "OpenWrites")


@pytest.mark.parametrize("moment", [*(f"before:{step}" for step in STEPS), "after:KeepOut", "after:DisarmSource"])
@pytest.mark.parametrize("lossless", [False, True])
def test_abort_takes_everything_back_until_the_choice(moment: str, *, lossless: bool) -> None:
    whole = cluster(lossless=lossless)
    manager, rooms = attended(whole)
    at(manager, moment, lambda: rooms.room.say("abort"))
    document = switched(whole, manager)
    assert document["outcome"] == "undone"
    assert any("anna wants it taken back" in step["detail"] for step in document["steps"])
    assert len(closings(document)) <= 1, "it is not tried again"
    whole_again(whole, manager, "db1")


@pytest.mark.parametrize("step", STEPS[:-1])
def test_what_is_given_up_goes_no_step_further(step: str) -> None:
    whole = cluster()
    manager, rooms = attended(whole)
    met = at(manager, f"before:{step}", lambda: rooms.room.say("abort"))
    assert switched(whole, manager)["outcome"] == "undone"
    assert f"after:{step}" not in met
    assert "after:promote-intent" not in met


@pytest.mark.parametrize("moment", ["after:promote-intent", "after:OpenWrites", "before:Repoint", "before:end"])
def test_after_the_choice_abort_is_refused_with_the_reason(moment: str) -> None:
    whole = cluster()
    manager, rooms = attended(whole)
    heard: list[str] = []
    at(manager, moment, lambda: heard.extend(rooms.room.say("abort").lines))
    assert switched(whole, manager)["outcome"] == "done"
    assert heard == ["not done: db2 is chosen, that is the point of no return: it goes on to its end"]
    whole_again(whole, manager, "db2")


@pytest.mark.parametrize("moment", ["before:GetReady", "before:CatchUp", "after:DisarmSource"])
def test_another_candidate_is_planned_for_anew(moment: str) -> None:
    whole = cluster(attempts=1)
    manager, rooms = attended(whole)
    at(manager, moment, lambda: rooms.room.say("candidate=db3"))
    document = switched(whole, manager)
    assert (document["outcome"], document["new_primary"]) == ("done", "db3"), document
    assert rooms.room.told[-1].elect == "db3"
    whole_again(whole, manager, "db3")


def test_a_candidate_that_must_not_be_leaves_everything_as_it_was() -> None:
    whole = cluster()
    manager, rooms = attended(whole)

    def wants() -> None:
        whole.mysqlds["db3"].change("", receiver=Thread.NO)
        rooms.room.say("candidate=db3")

    at(manager, "before:GetReady", wants)
    document = switched(whole, manager)
    assert (document["outcome"], [r["id"] for r in document["refusals"]]) == ("undone", ["not-following"])
    assert "db3 was wanted instead, and that is refused" in document["findings"]
    whole.mysqlds["db3"].change("", receiver=Thread.YES)
    whole_again(whole, manager, "db1")


def test_a_hold_that_was_said_at_the_last_moment_counts_and_is_no_attempt() -> None:
    whole = cluster(attempts=1)
    manager, rooms = attended(whole)
    talked(whole, manager, {30: lambda: rooms.room.say("go")})
    at(manager, "before:CloseWrites", lambda: rooms.room.say("hold"))
    document = switched(whole, manager)
    assert (document["outcome"], closings(document)) == ("done", ["failed", "done"])
    whole_again(whole, manager, "db2")


def test_a_primary_that_dies_while_it_is_held_ends_it() -> None:
    whole = cluster(attempts=2)
    manager, rooms = attended(whole)
    talked(whole, manager, {5: whole.mysqlds["db1"].kill})
    at(manager, "before:GetReady", lambda: rooms.room.say("hold"))
    asked = ask(whole, manager)
    manager.turns(1)
    assert answer(manager, asked)["outcome"] == "undone"


def test_limits_count_from_the_moment_they_are_said() -> None:
    whole = cluster(freeze_budget=2.0, attempts=1)
    manager, rooms = attended(whole)
    primary = whole.mysqlds["db1"]
    primary.tables_locked_by = primary.connect("app")
    at(manager, "before:GetReady", lambda: rooms.room.say("freeze-budget-ms=7000"))
    document = switched(whole, manager)
    (closing,) = (step for step in document["steps"] if step["title"] == "close db1 for writes")
    assert closing["outcome"] == StepResult.FAILED
    assert 7 <= closing["seconds"] < 8


class Patient(InTurn):
    """Remembers how long anything might have taken."""

    def __init__(self) -> None:
        self.most = 0.0

    def gather(self, calls: Mapping[str, Callable[[], T]], deadline: float) -> Mapping[str, T | Exception]:
        self.most = max(self.most, deadline) if len(calls) == 1 else self.most
        return super().gather(calls, deadline)

    def forget(self) -> None:
        self.most = 0.0


def test_a_longer_budget_is_not_cut_short_by_the_plan_that_did_not_know_it() -> None:
    whole = cluster()
    manager, _ = attended(whole)
    tasks = Patient()
    manager.world = replace(manager.world, eyes=replace(manager.world.eyes, tasks=tasks))
    asked = ask(whole, manager, settings=("freeze-budget-ms=60000",))
    at(manager, "after:GetReady", tasks.forget)
    manager.turns(2)
    assert answer(manager, asked)["outcome"] == "done"
    assert tasks.most > 2 * 60


def test_limits_that_were_said_before_it_began_come_with_the_request() -> None:
    whole = cluster()
    manager, rooms = attended(whole)
    asked = ask(whole, manager, settings=("freeze-budget-ms=300",))
    manager.turns(2)
    assert answer(manager, asked)["outcome"] == "done"
    assert rooms.room.wanted == Wishes(freeze_budget=0.3)


def test_a_failover_can_be_watched_and_is_not_given_up() -> None:
    whole = cluster()
    manager, rooms = attended(whole)
    heard: list[bool] = []
    at(manager, "before:OpenWrites", lambda: heard.append(rooms.room.say("abort").ok))
    whole.mysqlds["db1"].kill()
    manager.turns(6)
    assert heard == [False]
    assert manager.coordination.operations(CLUSTER)[0]["outcome"] == "done"
    assert {standing.stage for standing in rooms.room.told} >= {"FENCE", "PROMOTE", "REPOINT"}


def test_where_it_stands_is_told_stage_by_stage() -> None:
    whole = cluster()
    manager, rooms = attended(whole)
    assert switched(whole, manager)["outcome"] == "done"
    told = rooms.room.told
    stages = [one.stage for one in told]
    assert sorted(set(stages), key=stages.index) == ["", "CHECK", "FREEZE", "PROMOTE", "REPOINT"]
    assert {one.stage for one in told if one.frozen_at is not None} == {"FREEZE", "PROMOTE"}
    assert [one.chosen for one in told] == sorted(one.chosen for one in told)


class Interrupted:
    """A command's own clock: Ctrl-C in its first rest, then the manager goes on, two turns in each rest."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._rests = 0

    def now(self) -> float:
        return self._manager.world.eyes.clock.now()

    def wall(self) -> datetime:
        return self._manager.world.eyes.clock.wall()

    def sleep(self, seconds: float) -> None:
        self._rests += 1
        if self._rests == 1:
            raise KeyboardInterrupt
        self._manager.turns(2)


def interrupted(whole: Whole, manager: Manager, *, gives_up: bool) -> dict[str, Any]:
    """A switchover that is followed, and its command interrupted while the operation waits."""
    world = replace(manager.world, eyes=replace(manager.world.eyes, clock=Interrupted(manager)))
    request = Request(CLUSTER, Kind.SWITCHOVER, PERSON, "db2")
    return dict(desk.failover(world, request, lambda _: None, lambda: gives_up))


def test_who_detaches_leaves_it_to_the_manager() -> None:
    whole = cluster()
    manager = watched(whole)
    with pytest.raises(FailoverdError, match="detached: the switchover goes on without this command, by manager m1"):
        interrupted(whole, manager, gives_up=False)
    manager.turns(2)
    whole_again(whole, manager, "db2")


def test_nothing_is_taken_back_that_somebody_else_has_begun() -> None:
    whole = cluster()
    manager = watched(whole)
    told: list[str] = []
    other = replace(PERSON, user="bob")
    at(manager, "before:GetReady", lambda: told.append(desk.begun_for(manager.world, switch_for(other))))
    at_once = ask(whole, manager)
    manager.turns(2)
    assert (told, answer(manager, at_once)["outcome"]) == ([""], "done")


def test_what_is_given_up_in_time_is_taken_back_and_whoever_asked_is_told() -> None:
    whole = cluster()
    manager = watched(whole)
    heard: list[str] = []
    at(manager, "before:GetReady", lambda: desk.take_back(manager.world, switch_for(PERSON), heard.append))
    asked = ask(whole, manager)
    manager.turns(2)
    assert answer(manager, asked)["outcome"] == "undone"
    assert "is to be taken back" in heard[0]
    whole_again(whole, manager, "db1")


def switch_for(by: Requester) -> Request:
    return Request(CLUSTER, Kind.SWITCHOVER, by, "db2")


@pytest.mark.parametrize(
    ("limits", "load", "waits"),
    [
        ({"max_threads_running": 5}, {"Threads_running": 6.0}, "Threads_running of db1 is 6, the limit is 5"),
        (
            {"max_load": (("Threads_running", 3),)},
            {"Threads_running": 4.0},
            "Threads_running of db1 is 4, the limit is 3",
        ),
        ({"max_load": (("Threads_connected", 3),)}, {"Threads_connected": 4.0}, "Threads_connected of db1 is 4"),
        ({"throttle_query": "SELECT 1"}, {}, "the throttle query says 1"),
    ],
)
def test_a_busy_primary_is_waited_for(limits: dict[str, Any], load: dict[str, float], waits: str) -> None:
    whole = cluster(attempts=1, **limits)
    manager, rooms = attended(whole)
    primary = whole.mysqlds["db1"]
    before = {"Threads_connected": 1.0, **primary.load}
    primary.load, primary.says = {**before, **load}, 1.0

    def calm() -> None:
        assert waits in rooms.room.told[-1].waiting
        assert not primary.super_read_only
        primary.load, primary.says = before, 0.0

    talked(whole, manager, {20: calm})
    assert switched(whole, manager)["outcome"] == "done"
    whole_again(whole, manager, "db2")


def test_the_candidate_is_warmed_before_anything_is_frozen_and_what_fails_there_stops_nothing() -> None:
    broken, sound = "SELECT COUNT(*) FROM shop.gone", "SELECT COUNT(*) FROM shop.orders"
    whole = cluster(attempts=1, preheat=(broken, sound))
    manager, rooms = attended(whole)
    old, elect = whole.mysqlds["db1"], whole.mysqlds["db2"]
    elect.refuses = {broken: 1146}
    warmed: list[str] = []
    at(manager, "before:CloseWrites", lambda: warmed.extend(elect.asked))
    assert switched(whole, manager)["outcome"] == "done"
    assert (warmed, old.asked) == ([broken, sound], [])
    assert any(sound in standing.waiting for standing in rooms.room.told)
    whole_again(whole, manager, "db2")


def test_whoever_listens_on_another_host_is_told_where_it_runs() -> None:
    whole = cluster(attempts=1)
    manager, _ = attended(whole)
    nobody = FailoverdError("no operation of shop runs on this host")
    assert "under way" in elsewhere(manager.world, nobody).detail
    told: list[FailoverdError] = []
    at(manager, "before:CloseWrites", lambda: told.append(elsewhere(manager.world, nobody)))
    assert switched(whole, manager)["outcome"] == "done"
    assert (told[0].what, told[0].detail.endswith("is run by m1")) == (nobody.what, True)
    assert "attach on the host of m1" in told[0].hint
    whole.store.away = True
    assert elsewhere(manager.world, nobody) is nobody


def test_a_critical_load_ends_it_at_once_and_for_good() -> None:
    whole = cluster(critical_load=(("Threads_running", 50),))
    manager, _ = attended(whole)
    whole.mysqlds["db1"].load["Threads_running"] = 51.0
    document = switched(whole, manager)
    assert document["outcome"] == "undone"
    waits = [step["detail"] for step in document["steps"] if step["title"].startswith("wait until")]
    assert waits == ["given up: Threads_running of db1 is 51, critical above 50"]
    whole_again(whole, manager, "db1")


def test_a_variable_that_the_server_does_not_have_is_no_calm() -> None:
    whole = cluster(attempts=1, max_load=(("Nonsense", 50),))
    manager, _ = attended(whole)
    document = switched(whole, manager)
    assert document["outcome"] == "undone"
    assert any("has no number called Nonsense" in step["detail"] for step in document["steps"])


def test_whoever_asks_about_the_cluster_hears_of_it_while_it_is_held() -> None:
    whole = cluster()
    manager, rooms = attended(whole)
    kept: list[float] = []
    manager.published = Published(lambda *_: kept.append(manager.world.eyes.clock.now()))
    talked(whole, manager, {600: lambda: rooms.room.say("go")})
    at(manager, "before:GetReady", lambda: rooms.room.say("hold"))
    assert switched(whole, manager)["outcome"] == "done"
    assert len(kept) > 10
    assert max(later - sooner for sooner, later in pairwise(kept)) < FRESH / 2


def test_whoever_follows_hears_how_it_gets_on_while_it_waits() -> None:
    whole = cluster()
    manager, rooms = attended(whole)
    told: list[str] = []

    def look() -> None:
        glance(Following(at_a_glance(manager.world), "nobody's", told.append))

    talked(whole, manager, {300: look, 600: lambda: rooms.room.say("go")})
    at(manager, "before:GetReady", lambda: rooms.room.say("hold"))
    assert switched(whole, manager)["outcome"] == "done"
    assert told[-1].startswith("held: CHECK wait until db2 is right behind"), told
    assert "waiting for go (held)" in told[-1]
    assert manager.memory.progress == ""
