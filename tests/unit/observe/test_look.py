"""Looking: every target has an answer, a silent primary brings the second routes, and resting follows the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.errors import ConnectFailed, TimedOut
from failoverd.model.host import Holding, LogKind
from failoverd.model.policy import ClusterPolicy
from failoverd.model.sight import Sight, Thread, Unreachable, Why
from failoverd.model.verdict import Advice, Verdict, VerdictName
from failoverd.observe.eyes import Eyes
from failoverd.observe.fanout import as_sight
from failoverd.observe.heartbeat import AGAIN_SOON, FRESH, LEAST_REST, Heartbeat, rest_after
from failoverd.observe.logs import OPENING, questions, scan_logs
from failoverd.observe.look import Interest, look, read_claimed, slow_is_hung
from tests.fakes.agents import FakeAgents
from tests.fakes.servers import FakeServers
from tests.fakes.whole import CLUSTER, InTurn, SilentBell, Whole, uuid_of

T = TypeVar("T")


def test_a_healthy_look_asks_no_agent_and_no_probe() -> None:
    whole = Whole()
    snapshot = look(whole.manager().world.eyes, whole.policy, Interest("db1"))
    assert set(snapshot.sights) == {"db1", "db2", "db3"}
    assert not snapshot.hosts
    assert not snapshot.probes


def test_a_silent_primary_brings_every_second_route_in_the_same_look() -> None:
    whole = Whole()
    manager = whole.manager().turns(2)
    whole.mysqlds["db1"].kill()
    snapshot = look(manager.world.eyes, whole.policy, Interest("db1"))
    facts = snapshot.facts("db1")
    assert facts is not None
    assert not facts.alive
    assert {(p.origin, p.target, str(p.outcome)) for p in snapshot.probes} == {
        ("db2", "db1", "refused"),
        ("db3", "db1", "refused"),
    }


def test_a_primary_missed_before_is_asked_about_on_all_routes_at_once() -> None:
    whole = Whole()
    manager = whole.manager().turns(2)
    whole.mysqlds["db1"].kill()
    snapshot = look(manager.world.eyes, whole.policy, Interest("db1", misses=1))
    assert snapshot.missed("db1").why is Why.REFUSED
    assert len(snapshot.probes) == 2
    assert set(snapshot.hosts) == {"db1", "db2", "db3"}


def test_an_agent_that_is_silent_is_an_answer_too() -> None:
    whole = Whole()
    whole.hosts["db2"].silent = "unreachable"
    snapshot = look(whole.manager().turns(2).world.eyes, whole.policy, Interest(hosts=True))
    assert snapshot.agent_state("db2") == "unreachable"
    assert snapshot.agent_state("db3") == "ok"


def test_errors_that_escape_say_nothing_about_the_server() -> None:
    sight = as_sight("db1", RuntimeError("no library"), 5.0)
    assert isinstance(sight, Unreachable)
    assert sight.why is Why.OWN_SIDE
    refused = as_sight("db1", ConnectFailed("db1", why=Why.REFUSED), 5.0)
    assert isinstance(refused, Unreachable)
    assert refused.why is Why.REFUSED


def test_a_look_that_does_not_come_back_is_a_hung_server() -> None:
    late = TimedOut("db1 has not answered")
    sight = slow_is_hung(as_sight("db1", late, 5.0), late)
    assert isinstance(sight, Unreachable)
    assert sight.why is Why.HUNG


def test_servers_that_are_not_claimed_have_no_state_after_the_freeze() -> None:
    whole = Whole()
    manager = whole.manager().turns(3)
    lease = manager.coordination.lease(CLUSTER)
    assert lease is not None
    before = look(manager.world.eyes, whole.policy, Interest("db1"))
    claims = {"db2": manager.servers.claim(CLUSTER, "db2", lease, 1.0)}
    frozen = read_claimed(manager.world.eyes, before, claims, 1.0)
    assert frozen.state("db2") is not None
    assert frozen.state("db3") is None
    assert frozen.missed("db3").why is Why.NOT_ASKED


def test_only_the_old_primarys_host_is_asked_where_the_replicas_agree() -> None:
    whole = Whole()
    manager = whole.manager().turns(2)
    whole.mysqlds["db1"].kill()
    snapshot = look(manager.world.eyes, whole.policy, Interest("db1"))
    assert [(q.server, q.kind) for q in questions(snapshot, "db1")] == [("db1", LogKind.BINARY)]


def test_a_peer_that_holds_more_is_asked_for_both_kinds_of_logs() -> None:
    whole = Whole()
    manager = whole.manager().turns(2)
    whole.mysqlds["db3"].change("", receiver=Thread.NO)
    whole.mysqlds["db1"].write(4)
    look(manager.world.eyes, whole.policy, Interest("db1"))
    whole.mysqlds["db1"].kill()
    snapshot = look(manager.world.eyes, whole.policy, Interest("db1"))
    asked = {(q.server, q.kind) for q in questions(snapshot, "db1")}
    assert asked == {("db1", LogKind.BINARY), ("db2", LogKind.BINARY), ("db2", LogKind.RELAY)}
    scanned = scan_logs(manager.world.eyes, whole.policy, snapshot, "db1")
    held = {(h.server, h.kind): h.missing for h in scanned.holdings}
    assert held["db2", LogKind.BINARY] == GtidSet.parse(f"{uuid_of('db1')}:11-14")


class Patient(FakeAgents):
    """Agents that remember how long a scan was waited for."""

    given: dict[str, float]

    def scan(self, cluster: str, server: str, kind: LogKind, lacking: GtidSet, timeout: float) -> Holding:
        self.given[server] = timeout
        return super().scan(cluster, server, kind, lacking, timeout)


@pytest.mark.parametrize(("met", "limit"), [(frozenset(), 0.1), (frozenset({"db1"}), 30.0)])
def test_logs_of_a_silent_host_are_waited_for_only_when_its_agent_has_answered_since(
    met: frozenset[str], limit: float
) -> None:
    whole = Whole()
    manager = whole.manager().turns(2)
    whole.mysqlds["db1"].frozen = True
    whole.hosts["db1"].silent = "unreachable"
    agents = Patient(whole.hosts, manager.coordination.lease)
    agents.given = {}
    eyes = replace(manager.world.eyes, agents=agents)
    scan_logs(eyes, whole.policy, look(eyes, whole.policy, Interest("db1", 1)), "db1", met)
    assert agents.given == {"db1": limit}


@pytest.mark.parametrize(("few", "limit"), [(True, 0.1), (False, OPENING)])
def test_where_channels_open_on_suspicion_a_replicas_host_gets_the_time_for_it(few: bool, limit: float) -> None:
    whole = Whole()
    manager = whole.manager().turns(2)
    whole.mysqlds["db2"].change("", receiver=Thread.NO)
    whole.mysqlds["db1"].write(1)
    look(manager.world.eyes, whole.policy, Interest("db1"))
    whole.mysqlds["db1"].kill()
    for host in whole.hosts.values():
        host.silent = "unreachable"
    agents = Patient(whole.hosts, manager.coordination.lease)
    agents.given, agents.few = {}, few
    eyes = replace(manager.world.eyes, agents=agents)
    scan_logs(eyes, whole.policy, look(eyes, whole.policy, Interest("db1", 1)), "db1")
    assert agents.given == {"db1": 0.1, "db3": limit}


def verdict(name: VerdictName, advice: Advice) -> Verdict:
    return Verdict(name, "a-rule", "", advice, "db1")


def test_rest_is_short_while_evidence_comes_in_and_long_when_all_is_well() -> None:
    policy = ClusterPolicy("shop", ())
    assert rest_after(verdict(VerdictName.HEALTHY, Advice.NOTHING), policy, 0.0) == policy.detection.interval
    assert rest_after(verdict(VerdictName.SUSPECT, Advice.LOOK_AGAIN), policy, 0.0) == AGAIN_SOON
    assert rest_after(verdict(VerdictName.SUSPECT, Advice.LOOK_AGAIN), policy, FRESH) == 0.1
    assert rest_after(verdict(VerdictName.PRIMARY_DEAD, Advice.ALERT), policy, 9.0) == policy.detection.interval


@pytest.mark.parametrize(
    ("proven_in", "rest"), [(None, 0.1), (-1.0, AGAIN_SOON), (0.2, AGAIN_SOON), (0.3, 0.05), (1.2, 0.1)]
)
def test_a_look_that_will_prove_silence_begins_early_enough(proven_in: float | None, rest: float) -> None:
    vetoed = verdict(VerdictName.SUSPECT, Advice.ALERT)
    assert rest_after(vetoed, ClusterPolicy("shop", ()), 1.0, proven_in) == pytest.approx(rest)


def test_what_a_look_took_is_a_part_of_the_interval() -> None:
    policy, healthy = ClusterPolicy("shop", ()), verdict(VerdictName.HEALTHY, Advice.NOTHING)
    assert rest_after(healthy, policy, 0.0, took=0.2) == pytest.approx(policy.detection.interval - 0.2)
    assert rest_after(healthy, policy, 0.0, took=9.0) == pytest.approx(policy.detection.interval * LEAST_REST)


def test_clusters_that_begin_together_ask_their_agents_at_different_moments() -> None:
    again = set()
    for number in range(100):
        heartbeat, cluster = Heartbeat(), f"c{number}"
        assert heartbeat.hosts_due(100.0, cluster)
        again |= {tenth for tenth in range(51) if heartbeat.hosts_due(100.0 + tenth / 10, cluster)}
    assert len(again) > 30


def test_agents_are_asked_now_and_then_and_soon_after_they_were_told() -> None:
    heartbeat = Heartbeat()
    assert heartbeat.hosts_due(100.0, "shop")
    assert not heartbeat.hosts_due(101.0, "shop")
    heartbeat.ask_soon()
    assert heartbeat.hosts_due(101.0, "shop")
    assert heartbeat.hosts_due(106.5, "shop")


class Slow(FakeServers):
    """Servers that remember how long each of them was given."""

    given: dict[str, float]

    def look(self, cluster: str, server: str, timeout: float) -> Sight:
        self.given[server] = timeout
        return super().look(cluster, server, timeout)


@pytest.mark.parametrize(
    ("misses", "proven_in", "share"),
    [
        (0, None, 1.0),
        (1, None, 0.5),
        (5, None, 0.5),
        (6, None, 1.0),
        (20, None, 1.0),
        (1, 0.4, 0.5),
        (2, 0.4, 0.8),
        (2, 0.1, 0.5),
        (2, -1.0, 0.5),
        (3, 9.0, 1.0),
    ],
)
def test_a_primary_that_was_missed_gets_less_time_at_first_and_until_silence_is_proven(
    misses: int, proven_in: float | None, share: float
) -> None:
    whole = Whole()
    manager = whole.manager().turns(2)
    servers = Slow(CLUSTER, whole.mysqlds, whole.clock, SilentBell())
    servers.given = {}
    whole.mysqlds["db1"].frozen = True
    eyes = replace(manager.world.eyes, servers=servers)
    due = None if proven_in is None else eyes.clock.now() + proven_in
    snapshot = look(eyes, whole.policy, Interest("db1", misses, proven_at=due))
    timeout = whole.policy.detection.timeout
    assert servers.given == {"db1": pytest.approx(timeout * share), "db2": timeout, "db3": timeout}
    assert bool(snapshot.probes) is (misses > 0), "a first silence is not asked about: the next look comes at once"
    assert snapshot.missed("db1").why is Why.HUNG


def test_a_refusal_is_asked_about_at_once() -> None:
    whole = Whole()
    manager = whole.manager().turns(2)
    whole.mysqlds["db1"].kill()
    snapshot = look(manager.world.eyes, whole.policy, Interest("db1"))
    assert {probe.origin for probe in snapshot.probes} == {"db2", "db3"}
    assert snapshot.facts("db1") is not None


def test_what_the_others_say_is_read_again_when_the_primary_has_been_waited_for() -> None:
    """The replica's silence is as old as the look's end, not as its beginning."""
    whole = Whole()
    manager = whole.manager().turns(2)
    whole.mysqlds["db1"].frozen = True
    begun = whole.clock.now()
    snapshot = look(manager.world.eyes, whole.policy, Interest("db1", 1))
    waited = whole.policy.detection.timeout * 0.5
    assert {s.name: s.read_at - begun for s in snapshot.reached()} == {"db2": waited, "db3": waited}


def test_a_recorded_primary_that_is_not_listed_any_more_is_not_looked_for() -> None:
    whole = Whole()
    snapshot = look(whole.manager().world.eyes, whole.policy, Interest("db9"))
    assert set(snapshot.sights) == {"db1", "db2", "db3"}


class Warm(FakeServers):
    """Servers that can be asked ahead wherever a session is open; `asked` are the questions without an answer yet."""

    asked: list[str]

    def begin_look(self, cluster: str, server: str) -> bool:
        self.asked.append(server)
        return self.watches(server)

    def look(self, cluster: str, server: str, timeout: float) -> Sight:
        if server in self.asked:
            self.asked.remove(server)
        return super().look(cluster, server, timeout)


def warm(whole: Whole) -> tuple[Eyes, Warm, list[str]]:
    """Eyes whose work side by side is counted."""
    manager = whole.manager().turns(2)
    servers = Warm(CLUSTER, whole.mysqlds, whole.clock, SilentBell())
    servers.asked = []
    gathered: list[str] = []

    class Counted(InTurn):
        def gather(self, calls: Mapping[str, Callable[[], T]], deadline: float) -> Mapping[str, T | Exception]:
            gathered.extend(calls)
            return super().gather(calls, deadline)

    return replace(manager.world.eyes, servers=servers, tasks=Counted()), servers, gathered


def test_open_sessions_are_asked_at_once_and_heard_without_work_side_by_side() -> None:
    whole = Whole()
    eyes, servers, gathered = warm(whole)
    look(eyes, whole.policy, Interest("db1"))
    assert set(gathered) == {"db1", "db2", "db3"}, "no session was open yet"
    gathered.clear()
    snapshot = look(eyes, whole.policy, Interest("db1"))
    assert (gathered, servers.asked) == ([], [])
    assert {state.name for state in snapshot.reached()} == {"db1", "db2", "db3"}


def test_how_long_a_server_took_is_known_unless_it_waited_behind_a_silent_one() -> None:
    whole = Whole()
    eyes, servers, _ = warm(whole)
    look(eyes, whole.policy, Interest("db1"))
    quick = servers.look

    def slow(cluster: str, server: str, timeout: float) -> Sight:
        whole.clock.sleep(0.01)
        return quick(cluster, server, timeout)

    servers.look = slow  # type: ignore[method-assign]
    took = look(eyes, whole.policy, Interest("db1")).answered_in
    assert took == pytest.approx({"db1": 0.01, "db2": 0.02, "db3": 0.03})
    whole.mysqlds["db2"].frozen = True
    assert look(eyes, whole.policy, Interest("db1")).answered_in == pytest.approx({"db1": 0.01})


def test_one_silent_server_takes_the_whole_time_and_the_others_are_heard_all_the_same() -> None:
    whole = Whole()
    eyes, _, _ = warm(whole)
    look(eyes, whole.policy, Interest("db1"))
    whole.mysqlds["db1"].frozen = True
    begun = whole.clock.now()
    snapshot = look(eyes, whole.policy, Interest("db1"))
    assert snapshot.missed("db1").why is Why.HUNG
    assert {state.name for state in snapshot.reached()} == {"db2", "db3"}
    assert whole.clock.now() - begun == pytest.approx(whole.policy.detection.timeout, abs=0.01)


def test_an_error_of_one_server_is_its_own() -> None:
    whole = Whole()
    eyes, servers, _ = warm(whole)
    look(eyes, whole.policy, Interest("db1"))
    del servers.mysqlds["db2"]  # type: ignore[attr-defined]
    servers.watches = lambda _: True  # type: ignore[assignment,method-assign]
    snapshot = look(eyes, whole.policy, Interest("db1"))
    assert snapshot.missed("db2").why is Why.OWN_SIDE
    assert snapshot.state("db3") is not None
