"""The one loop: what is done already is not done again, a failure stops or is reported, being deposed ends at once."""

from __future__ import annotations

from typing import Any

import pytest

from failoverd.execute.hands import Hands, Means
from failoverd.execute.run import HANDLERS, run
from failoverd.gtid import GtidSet
from failoverd.model import steps as s
from failoverd.model.errors import CoordinationError, FencedOut
from failoverd.model.host import LogKind
from failoverd.model.plans import Group, Kind, Operation, Plan, Requester, StepResult
from failoverd.model.sight import Thread
from failoverd.model.steps import IfItFails, Stage, Step, Task
from failoverd.ports import ClaimedServer
from tests.fakes.whole import CLUSTER, START, InTurn, Manager, Whole, uuid_of


@pytest.fixture
def whole() -> Whole:
    return Whole()


@pytest.fixture
def manager(whole: Whole) -> Manager:
    return whole.manager().turns(3)


@pytest.fixture
def hands(manager: Manager, whole: Whole) -> Hands:
    lease = manager.coordination.lease(CLUSTER)
    assert lease is not None
    plan = Plan(CLUSTER, Kind.FAILOVER, "db1", "db2", ())
    operation = Operation("op", CLUSTER, Kind.FAILOVER, 1, "m1", Requester(), "test", plan, START)
    manager.coordination.begin(lease, operation)
    means = Means(manager.servers, manager.agents, manager.coordination, InTurn(), whole.clock)
    return Hands(means, lease, whole.policy, operation, lambda _: None)


def of(*steps: Step, fails: IfItFails = IfItFails.STOP) -> Plan:
    """A plan of these steps, each in a group of its own."""
    groups = tuple(Group(step.stage, (Task(step, 1.0, fails),)) for step in steps)
    return Plan(CLUSTER, Kind.FAILOVER, "db1", "db2", groups)


def journal(manager: Manager) -> list[str]:
    shown = manager.coordination.operation("op")
    assert shown is not None
    entries = shown["entries"]
    assert isinstance(entries, list)
    return [entry["kind"] for entry in entries]


def test_every_step_has_a_handler() -> None:
    assert set(HANDLERS) == set(Step.__args__)


def test_intent_stands_before_outcome_in_the_journal(hands: Hands, manager: Manager) -> None:
    ended = run(of(s.ClaimServer("db2"), s.StopReceiver("db2")), hands)
    assert [o.result for o in ended.outcomes] == [StepResult.DONE, StepResult.DONE]
    assert journal(manager) == ["intent", "outcome", "intent", "outcome"]


def test_what_is_achieved_is_said_and_not_done(hands: Hands, whole: Whole) -> None:
    whole.mysqlds["db2"].change("", receiver=Thread.NO)
    ended = run(of(s.ClaimServer("db2"), s.StopReceiver("db2")), hands)
    assert ended.outcomes[1].result is StepResult.ALREADY
    assert ended.changed == (s.ClaimServer("db2"),)


def test_only_claimed_servers_are_changed(hands: Hands, whole: Whole) -> None:
    ended = run(of(s.OpenWrites("db2")), hands)
    assert ended.stopped_by is not None
    assert "not claimed" in ended.stopped_by.detail
    assert whole.mysqlds["db2"].read_only
    assert not hands.intended


def test_a_failing_step_stops_the_plan_or_is_reported(hands: Hands) -> None:
    plan = (s.StopReceiver("db3"), s.ClaimServer("db2"))
    assert not run(of(*plan), hands).complete
    assert "db2" not in hands.claims
    assert run(of(*plan, fails=IfItFails.GO_ON), hands).complete
    assert "db2" in hands.claims


def test_a_server_whose_receiver_does_not_stop_is_dropped(
    hands: Hands, whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(of(s.ClaimServer("db2")), hands)
    monkeypatch.setattr(type(hands.claims["db2"]), "stop_receiver", lambda *_: None)
    ended = run(of(s.StopReceiver("db2"), fails=IfItFails.GO_ON), hands)
    assert ended.outcomes[0].result is StepResult.FAILED
    assert "db2" not in hands.claims
    assert "failoverd/shop" not in whole.mysqlds["db2"].locks


def test_a_lost_lease_ends_the_plan_before_the_next_step(hands: Hands, whole: Whole) -> None:
    run(of(s.ClaimServer("db2")), hands)
    whole.store.depose(CLUSTER)
    with pytest.raises(CoordinationError):
        run(of(s.OpenWrites("db2")), hands)
    assert whole.mysqlds["db2"].read_only


def test_a_newer_epoch_on_the_agent_ends_the_plan(hands: Hands, whole: Whole) -> None:
    whole.hosts["db1"].epoch = 9
    with pytest.raises(FencedOut):
        run(of(s.FenceHost("db1", uuid_of("db1"), "guard"), fails=IfItFails.GO_ON), hands)
    assert whole.hosts["db1"].fenced is None


def test_a_fence_that_fails_is_unfenced(hands: Hands, whole: Whole) -> None:
    whole.hosts["db1"].silent = "unreachable"
    ended = run(of(s.FenceHost("db1", uuid_of("db1"), "guard"), fails=IfItFails.GO_ON), hands)
    assert ended.outcomes[0].result is StepResult.FAILED
    assert hands.fence is not None
    assert (hands.fence.how, hands.fence.proven) == ("UNFENCED", False)


def test_splice_brings_exactly_what_is_missing(hands: Hands, whole: Whole) -> None:
    whole.mysqlds["db2"].change("", receiver=Thread.NO)
    whole.mysqlds["db1"].write(3)
    whole.align()
    missing = GtidSet.parse(f"{uuid_of('db1')}:11-13")
    steps = (s.ClaimServer("db2"), s.Splice("db2", "db1", LogKind.BINARY, missing, 900))
    ended = run(of(*steps), hands)
    assert ended.complete, ended.stopped_by
    assert missing <= whole.mysqlds["db2"].executed
    assert set(whole.mysqlds["db2"].channels) == {""}
    assert [saved.gtids for saved in hands.saved] == [missing]


def test_files_that_lack_a_transaction_are_a_failure(hands: Hands, whole: Whole) -> None:
    whole.align()
    wanted = GtidSet.parse(f"{uuid_of('db1')}:11-13")
    steps = (s.ClaimServer("db2"), s.Splice("db2", "db1", LogKind.BINARY, wanted, 900))
    ended = run(of(*steps), hands)
    assert ended.stopped_by is not None
    assert "could not be brought to db2: the upload holds no file" in ended.stopped_by.detail
    assert hands.saved == []


def test_a_drain_without_progress_ends_in_recovery_incomplete(hands: Hands, whole: Whole) -> None:
    wanted = GtidSet.parse(f"{uuid_of('db1')}:99")
    ended = run(of(s.ClaimServer("db2"), s.Drain("db2", wanted)), hands)
    assert ended.stopped_by is not None
    assert ended.stopped_by.stage is Stage.RECOVER
    assert "recovery-incomplete" in ended.stopped_by.detail
    assert f"{uuid_of('db1')}:99" in ended.stopped_by.detail


def test_a_claim_taken_again_replaces_a_session_that_was_lost(hands: Hands, whole: Whole) -> None:
    run(of(s.ClaimServer("db2")), hands)
    lost = hands.claims["db2"]
    whole.mysqlds["db2"].end(whole.mysqlds["db2"].locks["failoverd/shop"])
    hands.claim_again({"db2"})
    assert hands.claims["db2"] is not lost
    assert run(of(s.StopReceiver("db2")), hands).complete


@pytest.mark.parametrize("given_up", ["left out", "released"])
def test_a_claim_that_comes_too_late_is_given_back(
    hands: Hands, whole: Whole, monkeypatch: pytest.MonkeyPatch, given_up: str
) -> None:
    plain = hands.servers.claim

    def slow(*args: Any) -> ClaimedServer:
        found = plain(*args)
        if given_up == "released":
            hands.release()
        else:
            hands.leave_out("db2")
        return found

    monkeypatch.setattr(hands.servers, "claim", slow)
    ended = run(of(s.ClaimServer("db2")), hands)
    assert ended.outcomes[0].result is StepResult.FAILED
    assert "db2" not in hands.claims
    assert "failoverd/shop" not in whole.mysqlds["db2"].locks


def test_a_lost_claim_is_not_renewed_where_the_operation_has_another_one_by_now(hands: Hands) -> None:
    run(of(s.ClaimServer("db2")), hands)
    lost = hands.claims["db2"]
    hands.claim_again(["db2"])
    now = hands.claims["db2"]
    assert not hands.claim_anew(lost)
    assert hands.claims["db2"] is now
