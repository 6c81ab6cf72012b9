"""Recovery over a cluster in memory: who is ended, what is refused, what is given up and under which number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from failoverd.execute.splice import FIRST_PART, GROWTH
from failoverd.model.errors import AgentError
from failoverd.model.host import Holding, Lot, Spliced
from failoverd.model.plans import Kind, Request, Requester
from failoverd.model.policy import Promote
from failoverd.model.sight import Thread, Trouble
from failoverd.ports import Lease, Progress
from tests.fakes.agents import BYTES_EACH, EVERYTHING
from tests.fakes.whole import CLUSTER, START, Manager, Whole, uuid_of

ANNA = Requester("person", "anna", "desk", "accepts it")


def watching(whole: Whole) -> Manager:
    return whole.manager().turns(4)


def locked(whole: Whole, name: str) -> int:
    """Somebody holds the tables of a replica that has received more than it can execute."""
    mysqld = whole.mysqlds[name]
    session = mysqld.connect("backup")
    mysqld.tables_locked_by = session
    return session


def newest(manager: Manager) -> Mapping[str, Any]:
    return manager.coordination.operations(CLUSTER)[0]


def behind_a_lock(whole: Whole) -> tuple[Manager, int]:
    """Both replicas hold five transactions that they cannot execute, and the primary is dead."""
    manager = watching(whole)
    sessions = [locked(whole, name) for name in ("db2", "db3")]
    whole.mysqlds["db1"].write(5)
    manager.turns(1)
    whole.mysqlds["db1"].kill()
    return manager, sessions[0]


def test_the_session_in_the_way_is_ended_and_named() -> None:
    whole = Whole()
    manager, session = behind_a_lock(whole)
    manager.turns(2)
    shown = newest(manager)
    assert (shown["outcome"], shown["new_primary"], shown["lost"]["transactions"]) == ("done", "db2", 0)
    assert session not in whole.mysqlds["db2"].sessions
    told = manager.coordination.operation(str(shown["operation"]))
    assert told is not None
    assert any(f"ended session {session} of backup" in step["detail"] for step in told["steps"])  # type: ignore[attr-defined]
    assert whole.mysqlds["db3"].tables_locked_by is not None, "a replica's blocker is nobody's business"


@pytest.mark.parametrize("agent", ["", "unreachable"])
def test_a_replica_follows_another_only_when_its_relay_logs_are_kept(agent: str) -> None:
    whole = Whole()
    manager, _ = behind_a_lock(whole)
    whole.hosts["db3"].silent = agent
    manager.turns(1)
    shown = manager.coordination.operations(CLUSTER)[-1]
    assert (shown["outcome"], shown["new_primary"]) == ("done", "db2")
    assert (shown["operation"] in whole.hosts["db3"].kept) is not bool(agent)
    kept = whole.mysqlds["db3"].channels[""]
    assert kept.source == whole.mysqlds["db1" if agent else "db2"].endpoint
    assert len(kept.received - whole.mysqlds["db3"].executed) == 5
    assert ("db3: follows db1" in str(shown["findings"])) == bool(agent)


def test_without_leave_to_end_it_the_failover_is_refused_and_everything_taken_back() -> None:
    whole = Whole(kill_blockers=False)
    manager, session = behind_a_lock(whole)
    manager.turns(2)
    shown = newest(manager)
    (refusal,) = shown["refusals"]
    assert (shown["outcome"], refusal["id"], refusal["measured"]) == (
        "refused",
        "recovery-incomplete",
        "5 transactions",
    )
    assert f"session {session} of backup" in refusal["sentence"]
    assert f"{uuid_of('db1')}:11-15" in refusal["sentence"]
    assert "kill_blockers is off" in refusal["sentence"]
    assert whole.mysqlds["db2"].channels[""].receiver is not Thread.NO
    assert whole.hosts["db1"].fenced is None
    assert manager.coordination.open_operation(CLUSTER) == ""


def test_what_the_elect_holds_itself_is_never_given_up() -> None:
    whole = Whole(kill_blockers=False, max_loss=None)
    manager, _ = behind_a_lock(whole)
    manager.turns(2)
    assert newest(manager)["outcome"] == "refused"


@pytest.mark.parametrize(("code", "outcome"), [(1205, "done"), (1062, None)])
def test_an_applier_that_stopped_for_a_passing_reason_is_started_again(code: int, outcome: str | None) -> None:
    whole = Whole()
    manager = watching(whole)
    for name in ("db2", "db3"):
        whole.mysqlds[name].change("", applier=Thread.NO, applier_trouble=Trouble(code, "why it stopped"))
    whole.mysqlds["db1"].write(5)
    manager.turns(1)
    everything = whole.mysqlds["db1"].executed
    whole.mysqlds["db1"].kill()
    manager.turns(2)
    assert [shown["outcome"] for shown in manager.coordination.operations(CLUSTER)] == ([outcome] if outcome else [])
    assert (whole.mysqlds["db2"].executed == everything) is bool(outcome)
    if outcome:
        other = whole.mysqlds["db3"]
        assert (other.executed, other.channels[""].source) == (everything, whole.mysqlds["db2"].endpoint)


class Broken:
    """Agents whose transfers break; `times` of them."""

    def __init__(self, manager: Manager, times: int) -> None:
        self.left = times
        self.asked: list[Holding] = []
        self._whole = manager.agents.transfer
        manager.agents.transfer = self.transfer  # type: ignore[method-assign]

    def transfer(
        self, cluster: str, target: str, wanted: Holding, progress: Progress, lot: Lot = EVERYTHING
    ) -> Spliced:
        self.asked.append(wanted)
        if self.left > 0:
            self.left -= 1
            raise AgentError("the line broke", f"between {wanted.server} and {target}")
        return self._whole(cluster, target, wanted, progress, lot)


def deaf(whole: Whole) -> Manager:
    """Nobody but the dead primary's log has the last five transactions."""
    manager = watching(whole)
    for name in ("db2", "db3"):
        whole.mysqlds[name].change("", receiver=Thread.NO)
    whole.mysqlds["db1"].write(5)
    manager.turns(1)
    whole.mysqlds["db1"].kill()
    return manager


def test_a_copy_that_breaks_off_is_begun_again() -> None:
    whole = Whole()
    manager = deaf(whole)
    broken = Broken(manager, 1)
    manager.turns(2)
    assert (newest(manager)["outcome"], len(broken.asked)) == ("done", 2)
    assert whole.mysqlds["db2"].executed == whole.mysqlds["db1"].executed


@pytest.mark.parametrize(
    ("max_loss", "outcome", "lost"), [(0, "refused", 0), (4, "refused", 0), (5, "done", 5), (None, "done", 5)]
)
def test_what_could_not_be_brought_is_given_up_by_number_only(max_loss: int | None, outcome: str, lost: int) -> None:
    whole = Whole(max_loss=max_loss)
    manager = deaf(whole)
    Broken(manager, 99)
    manager.turns(2)
    shown = newest(manager)
    assert (shown["outcome"], shown["lost"]["transactions"]) == (outcome, lost)
    if outcome == "done":
        assert shown["lost"]["gtids"] == f"{uuid_of('db1')}:11-15"
        told = manager.coordination.operation(str(shown["operation"]))
        assert told is not None
        assert any("given up as accepted, 5 transactions" in step["detail"] for step in told["steps"])  # type: ignore[attr-defined]
    else:
        assert [refusal["id"] for refusal in shown["refusals"]] == ["recovery-incomplete"]
        assert "the line broke" in shown["refusals"][0]["sentence"]


def test_a_person_may_accept_the_loss_by_number() -> None:
    whole = Whole()
    manager = deaf(whole)
    Broken(manager, 99)
    manager.turns(2)
    assert newest(manager)["outcome"] == "refused"
    wall = START + whole.clock.passed
    manager.coordination.ask(Request(CLUSTER, Kind.FAILOVER, ANNA, accept_loss=5, asked_at=wall))
    manager.turns(2)
    shown = newest(manager)
    assert (shown["outcome"], shown["lost"]["transactions"]) == ("done", 5)


def test_a_splice_left_by_somebody_else_is_replaced_and_only_the_rest_travels() -> None:
    whole = Whole()
    manager = deaf(whole)
    elect = whole.mysqlds["db2"]
    first = elect.executed
    broken = Broken(manager, 0)
    elect.executed |= whole.mysqlds["db1"].executed - type(first).parse(f"{uuid_of('db1')}:14-15")
    manager.turns(2)
    assert str(broken.asked[0].missing) == f"{uuid_of('db1')}:14-15"
    assert newest(manager)["outcome"] == "done"


def test_a_peer_without_an_agent_gives_by_replication() -> None:
    whole = Whole()
    manager = watching(whole)
    whole.mysqlds["db2"].change("", receiver=Thread.NO)
    whole.mysqlds["db1"].write(5)
    manager.turns(1)
    for host in whole.hosts.values():
        host.silent = "unreachable"
    everything = whole.mysqlds["db1"].executed
    whole.mysqlds["db1"].kill()
    wall = START + whole.clock.passed
    by_hand = Request(CLUSTER, Kind.FAILOVER, ANNA, "db2", overrides=frozenset({"blind"}), asked_at=wall)
    manager.coordination.ask(by_hand)
    manager.turns(6)
    shown = newest(manager)
    assert (shown["outcome"], shown["new_primary"]) == ("done", "db2")
    assert [(s["from"], s["transactions"]) for s in shown["saved"]] == [("db3", 5)]
    assert whole.mysqlds["db2"].executed == everything


def test_without_leave_the_count_is_named_in_the_refusal() -> None:
    whole = Whole()
    manager = deaf(whole)
    Broken(manager, 99)
    manager.turns(2)
    (refusal,) = newest(manager)["refusals"]
    assert (refusal["measured"], refusal["limit"]) == ("5 transactions", "0")


MANY = 350_000  # of 300 bytes each: three parts


def much_behind(whole: Whole) -> Manager:
    """Nobody but the dead primary's log has what takes three parts to bring."""
    manager = watching(whole)
    for name in ("db2", "db3"):
        whole.mysqlds[name].change("", receiver=Thread.NO)
    whole.mysqlds["db1"].write(MANY)
    manager.turns(1)
    whole.mysqlds["db1"].kill()
    return manager


class Parts(Broken):
    """Agents whose transfers are noted with what their target had executed then; one of them may break for good."""

    def __init__(self, manager: Manager, whole: Whole, breaks: int = 99) -> None:
        super().__init__(manager, 0)
        self.lots: list[Lot] = []
        self.moved: list[int] = []
        self._breaks = breaks
        self._of = whole
        self._forward = manager.agents.bring_forward
        manager.agents.bring_forward = self.bring_forward  # type: ignore[method-assign]

    def transfer(
        self, cluster: str, target: str, wanted: Holding, progress: Progress, lot: Lot = EVERYTHING
    ) -> Spliced:
        self.lots.append(lot)
        self.left = int(len(self.lots) >= self._breaks)
        return super().transfer(cluster, target, wanted, progress, lot)

    def bring_forward(self, cluster: str, server: str, lease: Lease) -> str:
        self.moved.append(len(self._of.mysqlds[server].executed))
        return self._forward(cluster, server, lease)


def test_much_is_brought_in_parts_each_executed_before_the_next_is_begun() -> None:
    whole = Whole()
    manager = much_behind(whole)
    parts = Parts(manager, whole)
    manager.turns(2)
    shown = newest(manager)
    assert (shown["outcome"], shown["saved"][0]["transactions"]) == ("done", MANY)
    first, second = -(-FIRST_PART // BYTES_EACH), -(-GROWTH * FIRST_PART // BYTES_EACH)
    assert [(lot.most, lot.aside) for lot in parts.lots] == [
        (FIRST_PART, False),
        (GROWTH * FIRST_PART, True),
        (GROWTH * GROWTH * FIRST_PART, True),
    ]
    assert parts.moved == [10 + first, 10 + first + second]
    assert whole.mysqlds["db2"].executed == whole.mysqlds["db1"].executed
    assert not whole.hosts["db2"].aside


def test_a_part_that_does_not_come_is_refused_with_all_that_was_to_follow() -> None:
    whole = Whole()
    manager = much_behind(whole)
    Parts(manager, whole, breaks=2)
    manager.turns(2)
    shown = newest(manager)
    (refusal,) = shown["refusals"]
    brought = -(-FIRST_PART // BYTES_EACH)
    assert (shown["outcome"], refusal["id"]) == ("refused", "recovery-incomplete")
    assert refusal["measured"] == f"{MANY - brought} transactions"
    assert len(whole.mysqlds["db2"].executed) == 10 + brought, "what came before it stays executed"


@pytest.mark.parametrize("peer", [True, False], ids=["a peer has them", "only the dead primary's logs"])
def test_an_elect_without_an_agent_is_given_to_by_replication_or_refused(peer: bool) -> None:
    """No file can be laid beside its relay logs, and nothing is written to it as a client."""
    whole = Whole()
    specs = tuple(replace(s, promote=Promote.NEVER) if s.name == "db3" else s for s in whole.policy.servers)
    whole.policy = replace(whole.policy, servers=specs)
    manager = watching(whole)
    whole.hosts["db2"].silent = "unreachable"
    whole.mysqlds["db2"].change("", receiver=Thread.NO)
    whole.mysqlds["db3"].change("", receiver=Thread.YES if peer else Thread.NO)
    whole.mysqlds["db1"].write(5)
    manager.turns(1)
    whole.mysqlds["db1"].kill()
    manager.turns(3)
    shown = newest(manager)
    if peer:
        assert (shown["outcome"], shown["new_primary"], shown["lost"]["transactions"]) == ("done", "db2", 0)
        assert [saved["how"] for saved in shown["saved"]] == ["replication from a living peer"]
        return
    (refusal,) = shown["refusals"]
    assert (shown["outcome"], refusal["id"], refusal["measured"]) == (
        "refused",
        "recovery-incomplete",
        "5 transactions",
    )
    assert "agent of db2 is unreachable" in refusal["sentence"]
    assert whole.mysqlds["db2"].super_read_only
