"""A server is overwritten with another's data: kept first, from a replica, marked meanwhile, attached at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.cloning import UNFINISHED, CloneSide, Overwrite
from failoverd.model.errors import AgentError, ConnectFailed, StepFailed
from failoverd.model.sight import Why
from failoverd.service import desk
from failoverd.service.following import Following
from tests.fakes.archive import FakeArchive
from tests.fakes.glances import at_a_glance, glance
from tests.fakes.moments import Died, at, dies
from tests.fakes.servers import CLONES
from tests.fakes.whole import CLUSTER, Manager, Whole
from tests.unit.service.test_divergence import diverged, with_archive
from tests.unit.service.test_rejoin import follows, kinds, start, watching, wish

FIT = CloneSide("", "9.7.4", loaded=True, grants=CLONES, size=1000)
DISCARD = Overwrite(discard=True)


@pytest.fixture
def whole() -> Whole:
    return Whole()


def asked(manager: Manager, server: str, clone: Overwrite = DISCARD) -> Mapping[str, object]:
    name = manager.coordination.ask(replace(wish(manager, server), clone=clone))
    manager.turns(2)
    answer = manager.coordination.answered(CLUSTER, name)
    assert answer is not None
    return answer


def against(manager: Manager, server: str, clone: Overwrite = DISCARD) -> list[tuple[str, str]]:
    plan = desk.rejoin_plan(manager.world, replace(wish(manager, server), clone=clone))
    return [(refusal.id, refusal.sentence) for refusal in plan.refusals]


def half(whole: Whole, name: str) -> bool:
    main = whole.mysqlds[name].channels.get("")
    return main is not None and main.source == UNFINISHED


def test_a_diverged_server_is_kept_then_overwritten_from_a_replica_then_follows(whole: Whole) -> None:
    archive = FakeArchive()
    manager, tail = diverged(whole, archive)
    answer = asked(manager, "db1")
    assert answer["outcome"] == "done"
    assert [order.gtids for order in archive.orders] == [tail]
    titles = [step["title"] for step in answer["steps"]]  # type: ignore[attr-defined]
    assert "overwrite db1 with the data of db3" in titles
    old = whole.mysqlds["db1"]
    assert not tail & old.executed
    assert (old.super_read_only, old.starts_closed, old.offline) == (True, True, False)
    assert follows(whole, "db1", "db2")
    assert answer["replicas"] == [{"name": "db1", "attached": True, "problem": None}]


def test_how_far_it_is_stands_in_the_journal(whole: Whole) -> None:
    manager, _ = diverged(whole, FakeArchive())
    answer = asked(manager, "db1")
    shown = manager.coordination.operation(str(answer["operation"]))
    assert shown is not None
    told = [one["body"]["text"] for one in shown["entries"] if one["kind"] == "progress"]  # type: ignore[attr-defined]
    assert told
    assert all(text.startswith("db1: ") for text in told)


def test_whoever_follows_it_hears_how_far_it_is(whole: Whole) -> None:
    manager, _ = diverged(whole, FakeArchive())
    heard: list[str] = []
    following = Following(at_a_glance(manager.world), "nobody's", heard.append)

    def twice() -> None:
        glance(following)
        glance(following)

    at(manager, "after:CloneData", twice)
    asked(manager, "db1")
    assert len([line for line in heard if line.startswith("db1: ")]) == 1, f"it is told once: {heard}"


def test_the_plan_shows_whose_data_comes(whole: Whole) -> None:
    manager, _ = diverged(whole, FakeArchive())
    plan = desk.rejoin_plan(manager.world, replace(wish(manager, "db1"), clone=DISCARD))
    assert plan.titles()[-1] == "RECOVER: overwrite db1 with the data of db3"
    assert not plan.refusals


def test_without_the_word_for_it_nothing_of_its_own_is_overwritten(whole: Whole) -> None:
    manager, tail = diverged(whole, FakeArchive())
    assert [one for one, _ in against(manager, "db1", Overwrite())] == ["diverged"]
    assert asked(manager, "db1", Overwrite())["outcome"] == "refused"
    assert tail <= whole.mysqlds["db1"].executed


@pytest.mark.parametrize("kept", [False, True], ids=["no archive", "a log that cannot be had"])
def test_what_cannot_be_kept_is_not_overwritten(whole: Whole, kept: bool) -> None:
    archive = FakeArchive()
    archive.error = AgentError("the agent went away")
    manager, tail = diverged(whole, archive)
    if not kept:
        manager.world = replace(manager.world, outside=replace(manager.world.outside, archive=None))
    assert asked(manager, "db1")["outcome"] in {"failed", "refused"}
    assert tail <= whole.mysqlds["db1"].executed
    assert not half(whole, "db1")


def test_the_primary_is_never_overwritten_and_gives_only_where_no_replica_can(whole: Whole) -> None:
    manager, _ = diverged(whole, FakeArchive())
    assert [one for one, _ in against(manager, "db2")] == ["rejoin-impossible"]
    whole.mysqlds["db3"].clone_side = replace(FIT, server="db3", loaded=False)
    answer = asked(manager, "db1")
    assert "overwrite db1 with the data of db2" in [step["title"] for step in answer["steps"]]  # type: ignore[attr-defined]
    assert follows(whole, "db1", "db2")


@pytest.mark.parametrize(
    ("sides", "why"),
    [
        ({"db1": {"loaded": False}}, "db1 has no clone plugin"),
        ({"db1": {"grants": ("GRANT BACKUP_ADMIN ON *.* TO x",)}}, "our account on db1 lacks CLONE_ADMIN"),
        ({"db1": {"problem": "db1 is shy"}}, "db1 is shy"),
        ({"db2": {"grants": ()}, "db3": {"loaded": False}}, "db3 has no clone plugin"),
        ({"db2": {"version": "9.7.3"}, "db3": {"version": "9.7.3"}}, "db3 is 9.7.3 and db1 is 9.7.4"),
        ({"db2": {"size": 1 << 40}, "db3": {"size": 1 << 40}}, "db1 has room for"),
    ],
    ids=["no plugin", "no right", "unasked", "no donor", "versions", "room"],
)
def test_what_stands_against_a_clone_is_said_before_anything_is_touched(
    whole: Whole, sides: Mapping[str, Mapping[str, object]], why: str
) -> None:
    manager, tail = diverged(whole, FakeArchive())
    for name, values in sides.items():
        whole.mysqlds[name].clone_side = replace(FIT, server=name, **values)  # type: ignore[arg-type]
    ((one, sentence),) = against(manager, "db1")
    assert one == "clone-impossible"
    assert why in sentence
    manager.turns(2)
    before = len(kinds(manager))
    assert asked(manager, "db1")["outcome"] == "refused"
    assert len(kinds(manager)) == before
    assert tail <= whole.mysqlds["db1"].executed


def test_a_replica_with_something_of_its_own_gives_nobody_its_data(whole: Whole) -> None:
    manager, _ = diverged(whole, FakeArchive())
    whole.mysqlds["db3"].executed |= GtidSet.parse("00000000-0000-0000-0000-000000000003:1")
    answer = asked(manager, "db1")
    assert "overwrite db1 with the data of db2" in [step["title"] for step in answer["steps"]]  # type: ignore[attr-defined]


def test_a_mysqld_that_nobody_starts_is_attached_when_somebody_does(whole: Whole) -> None:
    manager, tail = diverged(whole, FakeArchive())
    old = whole.mysqlds["db1"]
    old.restarts = False
    manager.turns(2)
    whole.hosts["db1"].silent = "unreachable"
    answer = asked(manager, "db1")
    assert answer["outcome"] == "failed"
    assert "start its mysqld" in str(answer["steps"])
    whole.hosts["db1"].silent = ""
    start(whole, "db1")
    manager.turns(4)
    assert follows(whole, "db1", "db2")
    assert not tail & old.executed


def test_an_agent_stands_in_for_a_supervisor(whole: Whole) -> None:
    manager, _ = diverged(whole, FakeArchive())
    whole.mysqlds["db1"].restarts = False
    assert asked(manager, "db1")["outcome"] == "done"
    assert whole.hosts["db1"].stands_in


def test_half_a_copy_is_nobodys_replica_and_is_copied_anew(whole: Whole) -> None:
    archive = FakeArchive()
    manager, _ = diverged(whole, archive)
    old = whole.mysqlds["db1"]
    old.stops_cloning = StepFailed("the copy stands still")
    assert asked(manager, "db1")["outcome"] == "failed"
    assert half(whole, "db1")
    assert old.super_read_only
    before = len(kinds(manager))
    manager.turns(5)
    assert len(kinds(manager)) == before, "it is not attached by itself, though its empty set nests"
    told = desk.status(manager.world)
    (shown,) = (one for one in told["servers"] if one["name"] == "db1")  # type: ignore[attr-defined]
    assert "half of a copy" in str(shown["problems"])
    assert [r.id for r in desk.foresee_request(manager.world, wish(manager, "db1")).refusals] == ["half-cloned"]
    old.stops_cloning = None
    assert asked(manager, "db1")["outcome"] == "done"
    assert follows(whole, "db1", "db2")
    assert len(archive.orders) == 1


def test_a_clone_that_lost_its_session_is_told_soon_and_leaves_it_closed(whole: Whole) -> None:
    manager, _ = diverged(whole, FakeArchive())
    old = whole.mysqlds["db1"]
    old.stops_cloning = ConnectFailed("db1: the connection was cut", why=Why.RESET)
    manager.turns(2)
    begun = whole.clock.now()
    answer = asked(manager, "db1")
    assert answer["outcome"] == "failed"
    assert "has lost its session" in str(answer["steps"])
    assert whole.clock.now() - begun < 60.0
    assert half(whole, "db1")
    assert (old.super_read_only, old.offline) == (True, False)
    old.stops_cloning = None
    assert asked(manager, "db1")["outcome"] == "done"


def test_half_a_copy_is_never_promoted() -> None:
    whole = Whole(cooldown=0.0)
    manager, _ = diverged(whole, FakeArchive())
    whole.mysqlds["db1"].stops_cloning = StepFailed("the copy stands still")
    asked(manager, "db1")
    whole.mysqlds["db2"].kill()
    manager.turns(6)
    assert whole.mysqlds["db3"].read_only is False
    assert half(whole, "db1")


def test_the_policy_clones_what_diverged_after_it_is_kept(whole: Whole) -> None:
    whole.policy = replace(whole.policy, rejoin="clone")
    archive = FakeArchive()
    manager, tail = diverged(whole, archive)
    manager.turns(15)
    assert follows(whole, "db1", "db2")
    assert not tail & whole.mysqlds["db1"].executed
    assert [order.gtids for order in archive.orders] == [tail]


def test_the_policy_clones_nobody_who_is_clean(whole: Whole) -> None:
    whole.policy = replace(whole.policy, rejoin="clone")
    manager = with_archive(watching(whole), FakeArchive())
    whole.mysqlds["db3"].kill()
    manager.turns(2)
    start(whole, "db3")
    manager.turns(3)
    assert follows(whole, "db3", "db1")
    assert "overwrite" not in str(manager.coordination.operations(CLUSTER))


def test_a_primary_that_dies_meanwhile_matters_more() -> None:
    whole = Whole(cooldown=0.0)
    manager, _ = diverged(whole, FakeArchive())
    at(manager, "before:CloneData", whole.mysqlds["db2"].kill)
    name = manager.coordination.ask(replace(wish(manager, "db1"), clone=DISCARD))
    manager.turns(6)
    assert manager.coordination.answered(CLUSTER, name) is not None
    assert whole.mysqlds["db3"].read_only is False


@pytest.mark.parametrize("moment", ["before:CloneData", "after:CloneData", "before:Repoint"])
@pytest.mark.parametrize("policy", ["clean-only", "clone"])
def test_a_manager_that_dies_in_the_middle_leaves_it_to_the_next_one(
    whole: Whole, moment: str, policy: Literal["clean-only", "clone"]
) -> None:
    archive = FakeArchive()
    first, tail = diverged(whole, archive)
    second = with_archive(whole.manager("m2"), archive)
    second.world = replace(second.world, policy=replace(whole.policy, rejoin=policy))
    second.turns(1)
    whole.mysqlds["db3"].clone_side = replace(FIT, server="db3", loaded=False)
    at(first, moment, dies)
    with pytest.raises(Died):
        asked(first, "db1")
    whole.store.depose(CLUSTER)
    second.turns(6)
    assert second.coordination.open_operation(CLUSTER) == ""
    assert follows(whole, "db1", "db2")
    assert not tail & whole.mysqlds["db1"].executed


def test_whoever_waited_for_a_clone_that_its_manager_has_not_outlived_is_told_what_it_left(whole: Whole) -> None:
    first, _ = diverged(whole, FakeArchive())
    second = with_archive(whole.manager("m2"), FakeArchive()).turns(1)
    at(first, "before:CloneData", dies)
    name = first.coordination.ask(replace(wish(first, "db1"), clone=DISCARD))
    with pytest.raises(Died):
        first.turns(2)
    whole.clock.sleep(90.0)
    whole.store.depose(CLUSTER)
    second.turns(6)
    answer = second.coordination.answered(CLUSTER, name)
    assert answer is not None
    assert answer["outcome"] == "failed", "what was overwritten is not taken back"
    assert "the clone of db1 was cut off with m1" in str(answer["findings"])
    assert not follows(whole, "db1", "db2")
