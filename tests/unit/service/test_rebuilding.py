"""A server is built anew by a program of people's own: kept first, marked meanwhile, judged and attached at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.cloning import Overwrite
from failoverd.model.errors import HookError
from failoverd.model.hooks import HookCall, Point
from failoverd.service import desk
from tests.fakes.archive import FakeArchive
from tests.fakes.hooks import FakeHooks
from tests.fakes.moments import Died
from tests.fakes.mysqld import FakeMysqld
from tests.fakes.whole import CLUSTER, Manager, Whole
from tests.unit.service.test_cloning import half
from tests.unit.service.test_divergence import diverged, with_archive
from tests.unit.service.test_rejoin import follows, wish

DISCARD = Overwrite(discard=True)


@dataclass
class Play:
    """A cluster in memory whose old primary diverged, and a program that rebuilds it."""

    whole: Whole
    archive: FakeArchive
    hooks: FakeHooks
    manager: Manager
    tail: GtidSet

    @property
    def old(self) -> FakeMysqld:
        return self.whole.mysqlds["db1"]

    def also(self, name: str) -> Manager:
        """A standby with the same means."""
        manager = with_archive(self.whole.manager(name), self.archive)
        return armed(manager, self.hooks).turns(1)

    def asked(self, rebuild: Overwrite = DISCARD) -> Mapping[str, object]:
        coordination = self.manager.coordination
        name = coordination.ask(replace(wish(self.manager, "db1"), rebuild=rebuild))
        self.manager.turns(2)
        answer = coordination.answered(CLUSTER, name)
        assert answer is not None
        return answer


def armed(manager: Manager, hooks: FakeHooks) -> Manager:
    world = manager.world
    policy = replace(world.policy, hooks=replace(hooks.policy(), rebuild_timeout=7200.0))
    manager.world = replace(world, policy=policy, outside=replace(world.outside, hooks=hooks))
    return manager


@pytest.fixture
def play() -> Play:
    whole, archive, hooks = Whole(cooldown=0.0), FakeArchive(), FakeHooks({Point.REBUILD: ("10-restore",)})
    manager, tail = diverged(whole, archive)
    found = Play(whole, archive, hooks, armed(manager, hooks), tail)
    hooks.before = restored(found)
    return found


def restored(play: Play) -> Callable[[HookCall], None]:
    """What a program does that ends well: the data of another server, started anew; no settings of replication."""

    def restore(_: HookCall) -> None:
        play.old.kill()
        play.old.executed, play.old.channels = play.whole.mysqlds["db3"].executed, {}
        play.old.super_read_only = play.old.read_only = False
        play.old.starts_closed = None
        play.old.alive, play.old.started_at = True, play.whole.clock.now()

    return restore


def test_a_diverged_server_is_kept_then_rebuilt_then_follows(play: Play) -> None:
    marked: list[bool] = []
    restore = play.hooks.before

    def watched(call: HookCall) -> None:
        marked.append(half(play.whole, "db1") and [order.gtids for order in play.archive.orders] == [play.tail])
        restore(call)

    play.hooks.before = watched
    answer = play.asked()
    assert answer["outcome"] == "done", answer
    assert marked == [True], "all is kept and it is marked before anything runs"
    titles = [step["title"] for step in answer["steps"]]  # type: ignore[attr-defined]
    assert "rebuild db1 by hook" in titles
    assert not play.tail & play.old.executed
    assert (play.old.super_read_only, play.old.starts_closed) == (True, True), "whatever it came up as, it is closed"
    assert follows(play.whole, "db1", "db2")


def test_the_program_is_told_whom_to_rebuild_and_has_its_own_time(play: Play) -> None:
    play.asked()
    (call,) = play.hooks.calls
    wanted = {"SERVER": "db1", "SERVER_ADDRESS": "db1:3306", "OLD": "db2", "KIND": "rejoin", "STAGE": "RECOVER"}
    assert {key: call.told[key] for key in wanted} == wanted
    assert json.loads(call.document)["kind"] == "rejoin"
    assert call.timeout == 7200.0


def test_what_it_says_is_told_and_stands_in_the_journal(play: Play) -> None:
    answer = play.asked()
    shown = play.manager.coordination.operation(str(answer["operation"]))
    assert shown is not None
    told = [one["body"]["text"] for one in shown["entries"] if one["kind"] == "progress"]  # type: ignore[attr-defined]
    assert told == ["db1: half of it"]


def test_without_the_word_for_it_nothing_of_its_own_is_given_to_a_program(play: Play) -> None:
    assert play.asked(Overwrite())["outcome"] == "refused"
    assert play.hooks.calls == []
    assert play.tail <= play.old.executed


def test_where_no_program_stands_nothing_is_touched(play: Play) -> None:
    armed(play.manager, FakeHooks({}))
    plan = desk.rejoin_plan(play.manager.world, replace(wish(play.manager, "db1"), rebuild=DISCARD))
    assert [refusal.id for refusal in plan.refusals] == ["rebuild-impossible"]
    assert play.asked()["outcome"] == "refused"
    assert not half(play.whole, "db1")


@pytest.mark.parametrize("gone", [True, False], ids=["gone meanwhile", "written by others"])
def test_a_program_that_may_not_be_run_changes_nothing(play: Play, monkeypatch: pytest.MonkeyPatch, gone: bool) -> None:
    def names(folder: str, point: Point) -> tuple[str, ...]:
        if gone:
            return ()
        raise HookError(f"{folder}/{point} is not run")

    monkeypatch.setattr(play.hooks, "names", names)
    assert play.asked()["outcome"] == "failed"
    assert not half(play.whole, "db1")
    assert play.tail <= play.old.executed


def test_a_program_that_fails_leaves_it_closed_and_marked_until_one_ends_well(play: Play) -> None:
    restore, play.hooks.before = play.hooks.before, lambda _: None
    play.hooks.fails("rebuild/10-restore", "exit 3", "no backup there")
    answer = play.asked()
    assert answer["outcome"] == "failed"
    assert "no backup there" in str(answer["steps"])
    assert half(play.whole, "db1")
    assert play.old.super_read_only
    play.manager.turns(5)
    assert half(play.whole, "db1"), "it is not attached by itself"
    play.hooks.before = restore
    play.hooks.ends.clear()
    assert play.asked()["outcome"] == "done"
    assert follows(play.whole, "db1", "db2")


def test_one_that_ends_well_and_has_done_nothing_is_found_out(play: Play) -> None:
    play.hooks.before = lambda _: None
    answer = play.asked()
    assert answer["outcome"] == "failed"
    assert "the mark is still there" in str(answer["steps"])
    assert half(play.whole, "db1")


def test_what_comes_back_is_judged_as_every_other(play: Play) -> None:
    restore = play.hooks.before

    def strange(call: HookCall) -> None:
        restore(call)
        play.old.executed |= GtidSet.parse("00000000-0000-0000-0000-0000000000aa:1")

    play.hooks.before = strange
    answer = play.asked()
    assert answer["outcome"] == "refused"
    assert [refusal["id"] for refusal in answer["refusals"]] == ["diverged"]  # type: ignore[attr-defined]
    assert not follows(play.whole, "db1", "db2")


def test_a_primary_that_dies_meanwhile_matters_more(play: Play) -> None:
    play.hooks.before = lambda _: play.whole.mysqlds["db2"].kill()
    name = play.manager.coordination.ask(replace(wish(play.manager, "db1"), rebuild=DISCARD))
    play.manager.turns(6)
    assert play.manager.coordination.answered(CLUSTER, name) is not None
    assert play.whole.mysqlds["db3"].read_only is False
    assert half(play.whole, "db1")


def dies_meanwhile(play: Play) -> Callable[[HookCall], None]:
    """Let the manager die beside the program; what the next run of it would do."""
    restore = play.hooks.before

    def die(_: HookCall) -> None:
        play.hooks.before = restore
        raise Died

    play.hooks.before = die
    with pytest.raises(Died):
        play.asked()
    return restore


@pytest.mark.parametrize("late", [False, True], ids=["at once", "late"])
@pytest.mark.parametrize("policy", ["clean-only", "clone"])
def test_a_manager_that_dies_meanwhile_is_followed_by_one_that_begins_nothing_on_that_server(
    play: Play, policy: Literal["clean-only", "clone"], late: bool
) -> None:
    play.whole.policy = replace(play.whole.policy, rejoin=policy)
    second = play.also("m2")
    dies_meanwhile(play)
    if late:
        play.whole.clock.sleep(90.0)
    play.whole.store.depose(CLUSTER)
    (name, _), *_ = second.coordination.requests(CLUSTER)
    second.turns(6)
    assert second.coordination.open_operation(CLUSTER) == ""
    assert len(play.hooks.calls) == 1, "the first may still be at work"
    assert half(play.whole, "db1")
    answer = second.coordination.answered(CLUSTER, name)
    assert answer is not None
    assert answer["outcome"] == "failed", "what was overwritten is not taken back"
    assert "10-restore was begun by m1, which has not seen its end" in str(answer["findings"])
    play.manager = second
    assert play.asked()["outcome"] == "done", "a person knows that it has ended"


def test_a_program_that_says_it_may_be_begun_again_is_begun_by_the_next_manager(play: Play) -> None:
    play.hooks.standing = {Point.REBUILD: ("10-restore.repeatable",)}
    second = play.also("m2")
    dies_meanwhile(play)
    play.whole.store.depose(CLUSTER)
    second.turns(6)
    assert len(play.hooks.calls) == 2
    assert follows(play.whole, "db1", "db2")


def test_what_it_left_is_attached_when_it_is_up(play: Play) -> None:
    second = play.also("m2")
    restore = dies_meanwhile(play)
    play.whole.store.depose(CLUSTER)
    second.turns(4)
    restore(play.hooks.calls[0])  # it had gone on without its manager
    second.turns(6)
    assert len(play.hooks.calls) == 1
    assert play.old.super_read_only
    assert follows(play.whole, "db1", "db2")
