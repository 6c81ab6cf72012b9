"""The production service over a cluster in memory: who acts, who does not, and what is left in the journal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.errors import AgentError, CoordinationError, StepFailed, TimedOut
from failoverd.model.history import Pause, Recorded
from failoverd.model.host import FenceProof, Spliced
from failoverd.model.plans import Kind, Request, Requester
from failoverd.model.sight import Thread
from failoverd.model.verdict import VerdictName
from failoverd.observe.heartbeat import HOSTS_EVERY, OTHERS_EVERY
from failoverd.service.phases import Phase
from tests.fakes.servers import FakeClaimed
from tests.fakes.whole import CLUSTER, START, Manager, Whole, uuid_of


@pytest.fixture
def whole() -> Whole:
    return Whole()


def watching(whole: Whole) -> Manager:
    manager = whole.manager().turns(4)
    assert manager.memory.phase is Phase.WATCHING
    assert manager.memory.history.recorded is not None
    return manager


def wall(whole: Whole) -> float:
    return whole.clock.wall().timestamp()


def recorded(manager: Manager) -> Recorded:
    found = manager.coordination.recorded(CLUSTER)
    assert found is not None
    return found


def writable(whole: Whole) -> list[str]:
    return [m.name for m in whole.mysqlds.values() if m.alive and not m.read_only and not m.super_read_only]


def test_the_first_start_records_the_primary_and_changes_no_server(whole: Whole) -> None:
    manager = watching(whole)
    recorded = manager.coordination.recorded(CLUSTER)
    assert recorded is not None
    assert (recorded.name, recorded.server_uuid, recorded.epoch) == ("db1", uuid_of("db1"), 1)
    assert manager.coordination.operations(CLUSTER) == ()
    assert writable(whole) == ["db1"]


def test_a_killed_primary_is_replaced_and_nothing_it_wrote_is_lost(whole: Whole) -> None:
    manager = watching(whole)
    for name in ("db2", "db3"):
        whole.mysqlds[name].change("", receiver=Thread.NO)
    whole.mysqlds["db1"].write(5)
    everything = whole.mysqlds["db1"].executed
    whole.mysqlds["db1"].kill()
    manager.turns(3)
    assert writable(whole) == ["db2"]
    assert whole.mysqlds["db2"].executed == everything
    assert whole.mysqlds["db3"].channels[""].source == whole.mysqlds["db2"].endpoint
    assert "" not in whole.mysqlds["db2"].channels
    assert whole.hosts["db1"].fenced == 1
    (shown,) = manager.coordination.operations(CLUSTER)
    assert (shown["outcome"], shown["old_primary"], shown["new_primary"]) == ("done", "db1", "db2")
    assert shown["saved"] == [
        {"gtids": f"{uuid_of('db1')}:11-15", "transactions": 5, "from": "db1", "how": "binary logs over SSH, spliced"}
    ]
    assert manager.coordination.open_operation(CLUSTER) == ""


def test_the_intent_is_in_the_journal_before_the_elect_opens(whole: Whole) -> None:
    manager = watching(whole)
    whole.mysqlds["db1"].kill()
    manager.turns(3)
    (listed,) = manager.coordination.operations(CLUSTER)
    shown = manager.coordination.operation(str(listed["operation"]))
    assert shown is not None
    kinds = [entry["kind"] for entry in shown["entries"]]  # type: ignore[attr-defined]
    titles = [
        entry["body"].get("title", "") if entry["kind"] == "outcome" else entry["kind"]
        for entry in shown["entries"]  # type: ignore[attr-defined]
    ]
    assert kinds.index("freeze") < kinds.index("promote-intent")
    assert titles.index("promote-intent") < titles.index("open db2 for writes")


def test_a_manager_without_the_lock_only_looks(whole: Whole) -> None:
    active, standby = watching(whole), whole.manager("m2")
    standby.turns(2)
    whole.mysqlds["db1"].kill()
    standby.turns(5)
    assert standby.memory.verdict is not None
    assert standby.memory.verdict.name is VerdictName.PRIMARY_DEAD
    assert writable(whole) == []
    active.turns(2)
    assert writable(whole) == ["db2"]


def test_a_deposed_manager_stops_and_the_next_one_does_the_failover(whole: Whole) -> None:
    first, second = watching(whole), whole.manager("m2")
    second.turns(1)
    whole.store.depose(CLUSTER)
    whole.mysqlds["db1"].kill()
    first.turns(2)
    assert first.memory.phase is Phase.STANDBY
    assert writable(whole) == []
    second.turns(3)
    assert writable(whole) == ["db2"]
    (shown,) = second.coordination.operations(CLUSTER)
    assert shown["epoch"] == 2


def test_a_pause_is_respected_and_a_person_may_act_all_the_same(whole: Whole) -> None:
    manager = watching(whole)
    whole.store.of(CLUSTER).pauses[""] = Pause("anna", "moving racks")
    manager.memory.heartbeat.ask_soon()
    whole.mysqlds["db1"].kill()
    manager.turns(3)
    assert writable(whole) == []
    assert manager.memory.verdict is not None
    assert [r.id for r in manager.memory.verdict.refusals] == ["paused"]
    request = Request(CLUSTER, Kind.FAILOVER, Requester("person", "anna"), asked_at=whole.clock.wall().timestamp())
    name = manager.coordination.ask(request)
    manager.turns(1)
    answer = manager.coordination.answered(CLUSTER, name)
    assert answer is not None
    assert answer["outcome"] == "done"
    assert writable(whole) == ["db2"]


def test_a_request_of_another_time_is_not_served(whole: Whole) -> None:
    manager = watching(whole)
    request = Request(CLUSTER, Kind.FAILOVER, Requester("person", "anna"), asked_at=START)
    name = manager.coordination.ask(request)
    manager.turns(1)
    answer = manager.coordination.answered(CLUSTER, name)
    assert answer is not None
    assert answer["expired"] is True
    assert manager.coordination.operations(CLUSTER) == ()


def test_a_living_primary_is_not_failed_over_by_request(whole: Whole) -> None:
    manager = watching(whole)
    request = Request(CLUSTER, Kind.FAILOVER, Requester("person", "anna"), asked_at=whole.clock.wall().timestamp())
    name = manager.coordination.ask(request)
    manager.turns(1)
    answer = manager.coordination.answered(CLUSTER, name)
    assert answer is not None
    assert answer["outcome"] == "refused"
    assert [r["id"] for r in answer["refusals"]] == ["primary-alive"]  # type: ignore[attr-defined]
    assert writable(whole) == ["db1"]


def test_in_the_first_silence_of_a_primary_a_person_waits_until_its_agent_was_asked(whole: Whole) -> None:
    manager = watching(whole)
    whole.mysqlds["db1"].frozen = True
    now, sure = whole.clock.wall().timestamp(), frozenset({"blind"})
    request = Request(CLUSTER, Kind.FAILOVER, Requester("person", "anna"), overrides=sure, asked_at=now)
    name = manager.coordination.ask(request)
    manager.turns(1)
    assert manager.coordination.answered(CLUSTER, name) is None
    manager.turns(1)
    answer = manager.coordination.answered(CLUSTER, name)
    assert answer is not None
    assert [r["id"] for r in answer["refusals"]] == ["primary-alive"], "by the word of an agent"  # type: ignore[attr-defined]


def test_an_earlier_primary_that_takes_writes_is_closed_before_another_server_is_opened(whole: Whole) -> None:
    manager = watching(whole)
    back = whole.mysqlds["db2"]
    back.read_only = back.super_read_only = False
    del back.channels[""]
    back.write(2)
    whole.mysqlds["db1"].kill()
    open_at_once: list[list[str]] = []
    manager.world = replace(manager.world, moment=lambda _: open_at_once.append(writable(whole)))
    manager.turns(2)
    assert writable(whole) == ["db2"], "of two histories people decide"
    request = Request(CLUSTER, Kind.FAILOVER, Requester("person", "anna"), "db3", asked_at=wall(whole))
    manager.coordination.ask(request)
    manager.turns(2)
    shown = manager.coordination.operations(CLUSTER)[-1]
    assert (shown["outcome"], shown["new_primary"]) == ("done", "db3")
    assert writable(whole) == ["db3"]
    assert all(len(names) <= 1 for names in open_at_once), "never two at once"


def test_what_nobody_can_give_back_is_refused_and_everything_is_put_back(whole: Whole) -> None:
    manager = watching(whole)
    for name in ("db2", "db3"):
        whole.mysqlds[name].change("", receiver=Thread.NO)
    whole.mysqlds["db1"].write(5)
    manager.turns(1)
    whole.mysqlds["db2"].change("", receiver=Thread.YES)
    whole.mysqlds["db1"].kill()
    whole.mysqlds["db1"].executed = GtidSet()  # the disk is gone, and with it what nobody received
    whole.hosts["db1"].logs = {}
    manager.turns(6)
    assert writable(whole) == []
    assert manager.memory.verdict is not None
    assert [r.id for r in manager.memory.verdict.refusals] == ["tried-lately"]
    (shown,) = manager.coordination.operations(CLUSTER)
    assert [r["id"] for r in shown["refusals"]] == ["missing-transactions"]  # type: ignore[attr-defined]
    assert whole.hosts["db1"].fenced is None
    assert [whole.mysqlds[name].channels[""].receiver for name in ("db2", "db3")] != [Thread.NO, Thread.NO]


def test_coordination_away_means_that_nobody_acts_and_watching_goes_on(whole: Whole) -> None:
    manager = watching(whole)
    whole.store.away = True
    whole.mysqlds["db1"].kill()
    manager.turns(4)
    assert writable(whole) == []
    assert manager.memory.verdict is not None
    assert manager.memory.verdict.name is VerdictName.PRIMARY_DEAD
    whole.store.away = False
    manager.turns(3)
    assert writable(whole) == ["db2"]


def test_the_status_is_kept_on_this_host_and_published(whole: Whole) -> None:
    manager = watching(whole)
    assert CLUSTER in manager.kept
    published = manager.coordination.status(CLUSTER)
    assert published is not None
    assert (published["primary"], published["verdict"], published["active_manager"]) == ("db1", "healthy", "m1")


def test_an_undo_does_not_rest_on_a_session_that_was_lost(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = watching(whole)
    whole.mysqlds["db1"].write(5)
    whole.mysqlds["db1"].kill()

    def broken(*_: object) -> Spliced:
        for name in ("db2", "db3"):
            whole.mysqlds[name].end(whole.mysqlds[name].locks[f"failoverd/{CLUSTER}"])
        raise AgentError("the line broke")

    monkeypatch.setattr(manager.agents, "transfer", broken)
    manager.turns(2)
    (shown,) = manager.coordination.operations(CLUSTER)
    assert shown["outcome"] == "undone"
    assert [whole.mysqlds[name].channels[""].receiver for name in ("db2", "db3")] == [Thread.CONNECTING] * 2


@pytest.mark.parametrize("step", ["forget_source", "follow"])
def test_what_could_not_be_repointed_is_tried_again(whole: Whole, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    manager = watching(whole)
    whole.mysqlds["db1"].kill()
    done = getattr(FakeClaimed, step)
    failures: list[str] = []

    def once_in_vain(claim: FakeClaimed, *args: object) -> object:
        if not failures:
            failures.append(step)
            raise StepFailed("a replication thread did not stop", "within 10 s")
        return done(claim, *args)

    monkeypatch.setattr(FakeClaimed, step, once_in_vain)
    manager.turns(3)
    assert failures == [step]
    assert whole.mysqlds["db3"].channels[""].source == whole.mysqlds["db2"].endpoint
    assert "" not in whole.mysqlds["db2"].channels
    (shown,) = manager.coordination.operations(CLUSTER)
    assert shown["outcome"] == "done"


def test_a_manager_that_never_saw_the_primary_takes_no_errant_transaction_for_history(whole: Whole) -> None:
    watching(whole)
    second = whole.manager("m2")
    whole.mysqlds["db2"].write(1)
    whole.mysqlds["db1"].kill()
    whole.mysqlds["db3"].kill()
    whole.store.depose(CLUSTER)
    second.turns(3)
    assert second.memory.epoch == 2
    assert writable(whole) == []
    assert second.memory.verdict is not None
    assert "errant-candidate" in [r.id for r in second.memory.verdict.refusals]


def asked_in_a_minute(whole: Whole, manager: Manager) -> set[str]:
    """Whose hosts' agents were asked in a minute of looks."""
    manager.agents.asked.clear()
    for _ in range(12):
        whole.clock.sleep(HOSTS_EVERY)
        manager.turns(1)
    return set(manager.agents.asked)


def test_where_hosts_are_few_all_agents_are_asked_now_and_then(whole: Whole) -> None:
    assert asked_in_a_minute(whole, watching(whole)) == {"db1", "db2", "db3"}


def test_where_hosts_are_many_the_agents_of_replicas_are_asked_on_suspicion(whole: Whole) -> None:
    manager = whole.manager()
    manager.agents.few = False
    manager.turns(4)
    assert set(manager.agents.asked) == {"db1", "db2", "db3"}
    whole.clock.sleep(OTHERS_EVERY)
    manager.turns(1)
    assert asked_in_a_minute(whole, manager) == {"db1"}
    assert manager.agents.kept_open == "db1"
    assert set(manager.memory.hosts) == {"db1", "db2", "db3"}
    whole.mysqlds["db3"].kill()
    assert asked_in_a_minute(whole, manager) == {"db1", "db2", "db3"}
    manager.agents.asked.clear()
    whole.mysqlds["db1"].kill()
    manager.turns(1)
    assert set(manager.agents.asked) == {"db1", "db2", "db3"}
    assert manager.agents.kept_open is None


def test_what_a_primary_has_executed_of_others_is_written_down_once(whole: Whole) -> None:
    manager = watching(whole)
    others = GtidSet.parse(f"{uuid_of('db9')}:1-5")
    assert recorded(manager).inherited == GtidSet()
    whole.mysqlds["db1"].executed |= others
    manager.turns(1)
    assert recorded(manager).inherited == others
    whole.mysqlds["db1"].write(1)
    whole.store.of(CLUSTER).recorded = None
    manager.memory.heartbeat.hosts_due(whole.clock.now() + 5.0, CLUSTER)  # nobody reads the records anew meanwhile
    manager.turns(1)
    assert manager.coordination.recorded(CLUSTER) is None


def test_a_promoted_server_hands_the_history_on(whole: Whole) -> None:
    manager = watching(whole)
    whole.mysqlds["db1"].kill()
    manager.turns(3)
    assert recorded(manager).name == "db2"
    assert recorded(manager).inherited == whole.mysqlds["db1"].executed


@pytest.mark.parametrize("took_effect", [True, False])
@pytest.mark.parametrize(
    "said", ["stop_receiver", "adopt_spliced", "drop_spliced", "disarm_source", "open_writes", "follow"]
)
def test_a_lost_answer_costs_a_new_claim_and_not_the_operation(
    whole: Whole, monkeypatch: pytest.MonkeyPatch, said: str, took_effect: bool
) -> None:
    manager = watching(whole)
    for name in ("db2", "db3"):
        whole.mysqlds[name].change("", receiver=Thread.NO)
    whole.mysqlds["db1"].write(5)
    everything = whole.mysqlds["db1"].executed
    for name in ("db2", "db3"):
        whole.mysqlds[name].change("", receiver=Thread.YES)
    whole.mysqlds["db1"].kill()
    done, lost = getattr(FakeClaimed, said), list[FakeClaimed]()

    def answer_lost(claim: FakeClaimed, *args: object) -> object:
        found = done(claim, *args) if lost or took_effect else None
        if lost:
            return found
        lost.append(claim)
        raise TimedOut(f"{claim.name} did not answer", "its outcome is unknown")

    monkeypatch.setattr(FakeClaimed, said, answer_lost)
    manager.turns(3)
    assert len(lost) == 1
    assert writable(whole) == ["db2"]
    assert everything <= whole.mysqlds["db2"].executed
    assert set(whole.mysqlds["db2"].channels) == set()
    assert whole.mysqlds["db3"].channels[""].source == whole.mysqlds["db2"].endpoint
    (shown,) = manager.coordination.operations(CLUSTER)
    assert shown["outcome"] == "done"


def test_what_took_effect_without_an_answer_is_taken_back_too(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Whole(fencing="required")
    manager = watching(whole)
    whole.mysqlds["db1"].kill()
    lost: list[FakeClaimed] = []
    stop = FakeClaimed.stop_receiver

    def unanswered(claim: FakeClaimed, patience: float) -> None:
        stop(claim, patience)
        if not lost:
            lost.append(claim)
            raise TimedOut(f"{claim.name} did not answer", "its outcome is unknown")

    def silent(*_: object) -> FenceProof:
        raise AgentError("the agent of db1 is silent")

    monkeypatch.setattr(FakeClaimed, "stop_receiver", unanswered)
    manager.agents.fence = silent  # type: ignore[assignment, method-assign]
    manager.turns(3)
    assert len(lost) == 1
    assert [whole.mysqlds[name].channels[""].receiver for name in ("db2", "db3")] == [Thread.CONNECTING] * 2


def test_what_ran_beside_a_fence_that_failed_is_taken_back_too() -> None:
    whole = Whole(fencing="required")
    manager = watching(whole)
    whole.mysqlds["db1"].kill()

    def silent(*_: object) -> FenceProof:
        raise AgentError("the agent of db1 is silent")

    manager.agents.fence = silent  # type: ignore[assignment, method-assign]
    manager.turns(3)
    (shown,) = manager.coordination.operations(CLUSTER)
    assert shown["outcome"] == "undone"
    assert [whole.mysqlds[name].channels[""].receiver for name in ("db2", "db3")] == [Thread.CONNECTING] * 2


def test_what_cannot_be_written_down_is_not_begun_and_tried_again(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = watching(whole)
    begin, said = manager.coordination.begin, CoordinationError("the operation cannot be written", "quota reached")

    def full(*_: object) -> None:
        raise said

    monkeypatch.setattr(manager.coordination, "begin", full)
    whole.mysqlds["db1"].kill()
    manager.turns(2)
    assert manager.memory.verdict is not None
    assert [refusal.id for refusal in manager.memory.verdict.refusals] == ["journal-unwritable"]
    because = "the records of coordination cannot be used: the operation cannot be written: quota reached"
    assert manager.memory.verdict.refusals[0].sentence == because
    assert writable(whole) == []
    assert whole.hosts["db1"].fenced is None
    monkeypatch.setattr(manager.coordination, "begin", begin)
    whole.clock.sleep(1.0)
    manager.turns(3)
    assert writable(whole) == ["db2"]
