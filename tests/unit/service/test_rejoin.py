"""Servers that come back, over a cluster in memory: attached again by themselves, or closed and left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.history import Pause
from failoverd.model.plans import Kind, Request, Requester
from failoverd.model.sight import Channel, Sight, Thread, Unreachable, Why
from failoverd.model.verdict import VerdictName
from failoverd.service import desk
from tests.fakes.moments import Died, at, dies
from tests.fakes.mysqld import FakeMysqld
from tests.fakes.whole import CLUSTER, Manager, Whole


@pytest.fixture
def whole() -> Whole:
    return Whole()


def watching(whole: Whole) -> Manager:
    return whole.manager().turns(4)


def start(whole: Whole, name: str, *, closed: bool = True) -> FakeMysqld:
    """The mysqld as it comes up from its own configuration; replication threads are not started."""
    mysqld = whole.mysqlds[name]
    whole.clock.sleep(2.0)
    mysqld.alive, mysqld.started_at = True, whole.clock.now()
    mysqld.read_only = mysqld.super_read_only = closed
    for channel in mysqld.channels:
        mysqld.change(channel, receiver=Thread.NO, applier=Thread.NO)
    return mysqld


def failed_over(whole: Whole) -> Manager:
    """db1 was killed, db2 is the primary and has written since."""
    manager = watching(whole)
    whole.mysqlds["db1"].kill()
    manager.turns(4)
    assert whole.mysqlds["db2"].read_only is False
    whole.mysqlds["db2"].write(3)
    return manager


def kinds(manager: Manager) -> list[tuple[object, object]]:
    return [(shown["kind"], shown["outcome"]) for shown in manager.coordination.operations(CLUSTER)]


def follows(whole: Whole, name: str, source: str) -> bool:
    main = whole.mysqlds[name].channels.get("")
    return main is not None and main.source == whole.mysqlds[source].endpoint and main.receiver is Thread.YES


def test_a_restarted_replica_replicates_again_and_no_operation_is_left_open(whole: Whole) -> None:
    manager = watching(whole)
    whole.mysqlds["db3"].kill()
    manager.turns(2)
    whole.mysqlds["db1"].write(5)
    start(whole, "db3")
    manager.turns(3)
    assert follows(whole, "db3", "db1")
    assert whole.mysqlds["db3"].executed == whole.mysqlds["db1"].executed
    assert kinds(manager) == [("rejoin", "done")]
    assert manager.coordination.open_operation(CLUSTER) == ""
    manager.turns(4)
    assert len(kinds(manager)) == 1


def test_a_receiver_that_a_person_has_stopped_stays_so(whole: Whole) -> None:
    manager = watching(whole)
    whole.mysqlds["db3"].change("", receiver=Thread.NO)
    manager.turns(4)
    assert kinds(manager) == []
    assert whole.mysqlds["db3"].channels[""].receiver is Thread.NO


@pytest.mark.parametrize("server", ["db1", "db2"])
@pytest.mark.parametrize("moment", ["after:begin", "after:CloseReturned", "after:ReleaseFence"])
def test_one_look_that_comes_late_ends_no_return(
    whole: Whole, monkeypatch: pytest.MonkeyPatch, server: str, moment: str
) -> None:
    manager = failed_over(whole)
    met = at(manager, moment, lambda: misses_once(manager, server, monkeypatch))
    start(whole, "db1")
    manager.turns(3)
    assert moment in met
    assert follows(whole, "db1", "db2")
    assert kinds(manager)[0] == ("rejoin", "done")
    assert steps_of(manager)["prove that db1 has what db2 had"][0] == "done"


def misses_once(manager: Manager, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next look at this server find nothing."""
    servers = manager.world.eyes.servers
    look = servers.look

    def missed(cluster: str, name: str, timeout: float) -> Sight:
        if name != server:
            return look(cluster, name, timeout)
        monkeypatch.setattr(servers, "look", look)
        return Unreachable(server, Why.TIMED_OUT, "it was late", manager.world.eyes.clock.now())

    monkeypatch.setattr(servers, "look", missed)


def test_an_old_primary_that_comes_back_clean_becomes_a_replica(whole: Whole) -> None:
    manager = failed_over(whole)
    old = start(whole, "db1")
    manager.turns(3)
    assert follows(whole, "db1", "db2")
    assert old.executed == whole.mysqlds["db2"].executed
    assert kinds(manager)[0] == ("rejoin", "done")


def test_the_hold_on_an_old_primary_ends_by_itself_when_it_is_attached(whole: Whole) -> None:
    manager = failed_over(whole)
    assert whole.hosts["db1"].fenced is not None
    old = start(whole, "db1")
    manager.turns(3)
    assert follows(whole, "db1", "db2")
    assert old.starts_closed is True
    assert whole.hosts["db1"].fenced is None


def test_who_reads_on_a_server_that_came_back_closed_is_left_alone(whole: Whole) -> None:
    manager = failed_over(whole)
    old = start(whole, "db1")
    reader = old.connect("app")
    manager.turns(3)
    assert follows(whole, "db1", "db2")
    assert reader in old.sessions


def test_a_hold_stays_where_the_next_start_cannot_be_told_to_be_closed(whole: Whole) -> None:
    manager = failed_over(whole)
    old = start(whole, "db1")
    old.keeps_settings = False
    manager.turns(3)
    assert follows(whole, "db1", "db2")
    assert whole.hosts["db1"].fenced is not None


def test_an_old_primary_that_takes_writes_is_closed_before_anything_is_asked(whole: Whole) -> None:
    manager = failed_over(whole)
    old = start(whole, "db1", closed=False)
    client = old.connect("app")
    manager.turns(1)
    assert old.super_read_only
    assert client not in old.sessions
    assert manager.memory.verdict is not None
    manager.turns(2)
    assert follows(whole, "db1", "db2")
    assert manager.memory.verdict.name is VerdictName.HEALTHY


def test_an_old_primary_that_diverged_is_closed_and_left_alone(whole: Whole) -> None:
    manager = failed_over(whole)
    old = start(whole, "db1", closed=False)
    old.write(2)
    manager.turns(3)
    assert old.super_read_only
    assert "" not in old.channels
    (newest, *_) = manager.coordination.operations(CLUSTER)
    assert (newest["kind"], newest["outcome"]) == ("rejoin", "refused")
    assert [r["id"] for r in newest["refusals"]] == ["diverged"]  # type: ignore[attr-defined]
    manager.turns(5)
    assert len(kinds(manager)) == 2, "it is not tried again and again"
    told = desk.status(manager.world)
    assert {s["name"]: s["role"] for s in told["servers"]}["db1"] == "diverged"  # type: ignore[attr-defined]


def test_a_primary_that_two_people_opened_is_not_closed_by_us(whole: Whole) -> None:
    manager = watching(whole)
    other = whole.mysqlds["db3"]
    other.read_only = other.super_read_only = False
    manager.turns(3)
    assert other.read_only is False
    assert kinds(manager) == []


def test_what_follows_a_dead_member_goes_to_the_primary(whole: Whole) -> None:
    manager = watching(whole)
    whole.mysqlds["db3"].change("", source=whole.mysqlds["db2"].endpoint, source_uuid="")
    manager.turns(2)
    assert follows(whole, "db3", "db2"), "a chain is kept"
    whole.mysqlds["db2"].kill()
    manager.turns(3)
    assert kinds(manager) == [], "it may be a restart"
    whole.clock.sleep(5.0)
    manager.turns(3)
    assert follows(whole, "db3", "db1")
    start(whole, "db2")
    manager.turns(4)
    assert follows(whole, "db2", "db1")


def test_what_follows_a_member_that_leads_nowhere_goes_to_the_primary(whole: Whole) -> None:
    manager = failed_over(whole)
    manager.coordination.pause(CLUSTER, Pause("anna", "looking at its logs", server="db1"))
    whole.mysqlds["db3"].change("", source=whole.mysqlds["db1"].endpoint, source_uuid="", receiver=Thread.CONNECTING)
    start(whole, "db1")
    whole.clock.sleep(6.0)
    manager.turns(2)
    assert follows(whole, "db3", "db2")
    assert "" not in whole.mysqlds["db1"].channels


@pytest.mark.parametrize("server", ["", "db3"], ids=["the cluster", "the server"])
def test_nothing_is_attached_while_it_is_paused(whole: Whole, server: str) -> None:
    manager = watching(whole)
    manager.coordination.pause(CLUSTER, Pause("anna", "new disk", server=server))
    whole.mysqlds["db3"].kill()
    manager.turns(2)
    start(whole, "db3")
    manager.turns(4)
    assert kinds(manager) == []
    manager.coordination.unpause(CLUSTER, server)
    whole.clock.sleep(6.0)
    manager.turns(3)
    assert follows(whole, "db3", "db1")


def test_rejoin_off_closes_and_leaves_the_rest_to_people(whole: Whole) -> None:
    whole.policy = replace(whole.policy, rejoin="off")
    manager = failed_over(whole)
    old = start(whole, "db1", closed=False)
    manager.turns(3)
    assert old.super_read_only
    assert "" not in old.channels
    name = manager.coordination.ask(wish(manager, "db1"))
    manager.turns(1)
    answer = manager.coordination.answered(CLUSTER, name)
    assert answer is not None
    assert (answer["kind"], answer["outcome"]) == ("rejoin", "done")
    assert answer["replicas"] == [{"name": "db1", "attached": True, "problem": None}]
    assert follows(whole, "db1", "db2")


def wish(manager: Manager, server: str, *overrides: str) -> Request:
    wall = manager.world.eyes.clock.wall().timestamp()
    return Request(
        CLUSTER,
        Kind.REJOIN,
        Requester("person", "anna"),
        server,
        overrides=frozenset(overrides),
        asked_at=wall,
    )


def refusals(manager: Manager, server: str, *overrides: str) -> list[str]:
    return [r.id for r in desk.foresee_request(manager.world, wish(manager, server, *overrides)).refusals]


def test_what_stands_against_a_persons_wish(whole: Whole) -> None:
    manager = failed_over(whole)
    assert refusals(manager, "db2") == ["rejoin-impossible"]
    assert refusals(manager, "db1") == ["start-open"]
    assert refusals(manager, "db3") == ["rejoin-needless"]
    whole.mysqlds["db3"].change("", receiver=Thread.NO)
    assert refusals(manager, "db3") == []
    whole.mysqlds["db3"].executed |= GtidSet.parse("00000000-0000-0000-0000-00000000dead:1")
    assert refusals(manager, "db3") == ["diverged"]
    assert refusals(manager, "db3", "diverged") == ["diverged"], "nobody overrides that"


def test_a_replica_that_stopped_with_an_error_keeps_its_relay_logs(whole: Whole) -> None:
    manager = watching(whole)
    third = whole.mysqlds["db3"]
    whole.mysqlds["db1"].write(4)
    third.unreadable = whole.mysqlds["db1"].executed - third.executed
    manager.turns(2)
    assert third.channels[""].applier is Thread.NO
    held = third.channels[""].received
    third.change("", source=replace(third.endpoint, host="db9"), receiver=Thread.NO)
    assert refusals(manager, "db3") == ["relay-unapplied"]
    manager.turns(3)
    assert third.channels[""].received == held


def test_a_failure_is_tried_again_later_and_later(whole: Whole) -> None:
    manager = failed_over(whole)
    old = start(whole, "db1")
    old.channels["fo_recover"] = Channel("fo_recover", old.endpoint, "", Thread.NO, Thread.NO)
    old.password = "wrong"
    manager.turns(3)
    assert len(kinds(manager)) == 1
    old.password = "right"
    manager.turns(3)
    assert follows(whole, "db1", "db2")


def test_an_attaching_that_was_left_open_is_begun_anew(whole: Whole) -> None:
    first, second = failed_over(whole), whole.manager("m2")
    second.turns(1)
    start(whole, "db1")
    at(first, "before:Repoint", dies)
    with pytest.raises(Died):
        first.turns(3)
    assert first.coordination.open_operation(CLUSTER) != ""
    whole.store.depose(CLUSTER)
    second.turns(4)
    assert follows(whole, "db1", "db2")
    assert [outcome for _, outcome in kinds(second)] == ["done", "undone", "done"]


def steps_of(manager: Manager) -> dict[str, tuple[str, str]]:
    """The steps of the newest operation: outcome and detail by title."""
    shown = manager.coordination.operation(str(manager.coordination.operations(CLUSTER)[0]["operation"]))
    assert shown is not None
    steps = shown["steps"]
    assert isinstance(steps, list)
    return {str(step["title"]): (str(step["outcome"]), str(step["detail"])) for step in steps}


def test_what_was_attached_is_proven_to_have_caught_up(whole: Whole) -> None:
    manager = failed_over(whole)
    start(whole, "db1")
    manager.turns(3)
    outcome, detail = steps_of(manager)["prove that db1 has what db2 had"]
    assert outcome == "done"
    count = len(whole.mysqlds["db2"].executed)
    assert detail == f"it follows db2 and has executed all {count} transactions; the sets nest"


def test_what_does_not_catch_up_stays_attached_and_the_report_says_it(whole: Whole) -> None:
    manager = failed_over(whole)
    start(whole, "db1")

    def stall() -> None:
        whole.mysqlds["db1"].change("", applier=Thread.NO)
        whole.mysqlds["db2"].write(2)

    at(manager, "before:ProveAttached", stall)
    manager.turns(3)
    assert kinds(manager)[0] == ("rejoin", "done")
    outcome, detail = steps_of(manager)["prove that db1 has what db2 had"]
    assert outcome == "failed"
    assert "stands still: 2 of 15 transactions still to execute" in detail
    shown = manager.coordination.operation(str(manager.coordination.operations(CLUSTER)[0]["operation"]))
    assert shown is not None
    assert "db1 stands still" in str(shown["findings"])


def test_the_proof_is_given_up_when_the_primary_dies_and_that_is_dealt_with(whole: Whole) -> None:
    manager = failed_over(whole)
    start(whole, "db1")
    at(manager, "before:ProveAttached", whole.mysqlds["db2"].kill)
    begun = whole.clock.now()
    while kinds(manager)[0][0] != "rejoin":
        manager.turns(1)
    assert whole.clock.now() - begun < 8.0, "no time is spent on it"
    assert steps_of(manager)["prove that db1 has what db2 had"][0] == "failed"
