"""Readiness: a healthy cluster gives no finding, and each fault gives exactly its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from failoverd.decide.fitness import SERVER_ROWS
from failoverd.decide.grants import PRIVILEGES
from failoverd.decide.readiness import CLUSTER_ROWS, findings
from failoverd.gtid import GtidSet
from failoverd.model.finding import Finding, Severity
from failoverd.model.history import History, Pause, Recorded
from failoverd.model.host import AgentSilent, HostFacts, HostSight
from failoverd.model.policy import ClusterPolicy, FailoverPolicy, Reaction, Reactions, ServerSpec
from failoverd.model.sight import Channel, Endpoint, ServerState, Settings, Sight, Thread, Trouble, Unreachable, Why
from failoverd.model.snapshot import TopologySnapshot

NOW = 1000.0
NAMES = ("db1", "db2", "db3")
HELD = frozenset(p.key for p in PRIVILEGES)


def uuid(number: int) -> str:
    return f"0000000{number}-0000-0000-0000-000000000000"


SET = GtidSet.parse(f"{uuid(1)}:1-100")
GOOD = Settings(read_only_at_start=True, net_timeout=10.0)


def endpoint(name: str) -> Endpoint:
    return Endpoint(f"10.0.0.{name[-1]}", 3306)


def server(name: str) -> ServerState:
    number = int(name[-1])
    channel = Channel(
        name="",
        source=endpoint("db1"),
        source_uuid=uuid(1),
        receiver=Thread.YES,
        applier=Thread.YES,
        received=SET,
        heartbeat_age=0.1,
        heartbeat_period=0.5,
        lag_seconds=0.0,
    )
    return ServerState(
        name=name,
        endpoint=endpoint(name),
        version="9.7.0",
        server_uuid=uuid(number),
        server_id=number,
        read_only=number != 1,
        super_read_only=number != 1,
        executed=SET,
        purged=GtidSet(),
        channels=(channel,) if number != 1 else (),
        started_at=1.0,
        read_at=NOW,
        settings=GOOD,
    )


def facts(name: str) -> HostFacts:
    return HostFacts(name, True, (1,), "S", uuid(int(name[-1])), NOW)


@dataclass(frozen=True, slots=True)
class World:
    """A healthy cluster of three, whose parts a case replaces."""

    sights: dict[str, Sight] = field(default_factory=lambda: {name: server(name) for name in NAMES})
    hosts: dict[str, HostSight] = field(default_factory=lambda: {name: facts(name) for name in NAMES})
    held: dict[str, frozenset[str]] = field(default_factory=lambda: dict.fromkeys(NAMES, HELD))
    history: History = field(
        default_factory=lambda: History(Recorded("db1", uuid(1), 1), last_writable_at=NOW, last_executed=SET)
    )
    failover: FailoverPolicy = field(default_factory=FailoverPolicy)
    coordination: str = "ok"
    managers: tuple[str, ...] | None = ("mgr1", "mgr2")

    def found(self) -> tuple[Finding, ...]:
        policy = ClusterPolicy("shop", tuple(ServerSpec(n, endpoint(n)) for n in NAMES), failover=self.failover)
        snapshot = TopologySnapshot("shop", NOW, self.sights, self.hosts)
        return findings(snapshot, self.history, policy, self.held, self.coordination, self.managers)

    def wrong(self) -> set[tuple[str, str]]:
        """What is no mere word that all is well: id and server."""
        return {(f.id, f.server) for f in self.found() if f.severity is not Severity.OK}

    def state(self, name: str, **changes: object) -> World:
        return replace(self, sights=self.sights | {name: replace(server(name), **changes)})  # type: ignore[arg-type]

    def settings(self, name: str, **changes: object) -> World:
        return self.state(name, settings=replace(GOOD, **changes))  # type: ignore[arg-type]

    def channel(self, name: str, **changes: object) -> World:
        channel = replace(server(name).channels[0], **changes)  # type: ignore[arg-type]
        return self.state(name, channels=(channel,))


def test_a_healthy_cluster_has_only_good_news() -> None:
    found = World().found()
    assert {f.severity for f in found} == {Severity.OK}
    assert [f.server for f in found if f.id == "ready"] == list(NAMES)
    assert "db2 would win now" in {f.sentence for f in found}


SERVER_CASES: dict[str, Callable[[World], World]] = {
    "gtid-mode-off": lambda w: w.settings("db3", gtid_mode=False),
    "binary-log-off": lambda w: w.settings("db3", log_bin=False),
    "replica-updates-off": lambda w: w.settings("db3", log_replica_updates=False),
    "starts-writable": lambda w: w.settings("db3", read_only_at_start=False),
    "start-unknown": lambda w: w.settings("db3", read_only_at_start=None),
    "file-position": lambda w: w.channel("db3", auto_position=False),
    "delayed": lambda w: w.channel("db3", delay=60),
    "filtered": lambda w: w.channel("db3", filters=("Replicate_Do_DB",)),
    "short-logs": lambda w: w.settings("db3", keeps_logs=3600.0),
    "checksum": lambda w: w.settings("db3", binlog_checksum="NONE"),
    "durability": lambda w: w.settings("db3", sync_binlog=0),
    "commit-order": lambda w: w.settings("db3", preserve_commit_order=False),
    "relay-log-recovery": lambda w: w.settings("db3", relay_log_recovery=True),
    "slow-heartbeat": lambda w: w.channel("db3", heartbeat_period=30.0),
    "long-net-timeout": lambda w: w.settings("db3", net_timeout=60.0),
    "lag": lambda w: w.channel("db3", lag_seconds=11.0),
    "offline-mode": lambda w: w.state("db3", offline_mode=True),
}
# Rows that never come alone; each has a test of its own below.
BESIDE_OTHERS = {"circular", "group-replication"}
ALSO_SERVER_CASES: list[tuple[str, Callable[[World], World]]] = [
    ("durability", lambda w: w.settings("db3", flush_log=2)),
    ("slow-heartbeat", lambda w: w.channel("db3", heartbeat_period=0.0)),
    ("access-denied", lambda w: replace(w, sights=w.sights | {"db3": missed(Why.ACCESS_DENIED)})),
    ("unreachable", lambda w: replace(w, sights=w.sights | {"db3": missed(Why.TIMED_OUT)})),
    ("receiver-error", lambda w: w.channel("db3", receiver=Thread.CONNECTING, receiver_trouble=Trouble(2003, "x"))),
    ("applier-stopped", lambda w: w.channel("db3", applier=Thread.NO)),
    ("errant", lambda w: w.state("db3", executed=SET | GtidSet.parse(f"{uuid(3)}:1"))),
    ("wrong-source", lambda w: w.channel("db3", source=Endpoint("h", 1), source_uuid=uuid(8))),
    ("other-channels", lambda w: w.state("db3", channels=(*server("db3").channels, other_channel()))),
    ("agent-missing", lambda w: replace(w, hosts={n: facts(n) for n in ("db1", "db2")})),
    ("agent-missing", lambda w: replace(w, hosts=w.hosts | {"db3": silent("missing")})),
    ("agent-old", lambda w: replace(w, hosts=w.hosts | {"db3": silent("old")})),
    ("agent-unreachable", lambda w: replace(w, hosts=w.hosts | {"db3": silent("unreachable")})),
    ("agent-door", lambda w: replace(w, hosts=w.hosts | {"db3": replace(facts("db3"), door="missing: sudo")})),
    ("agent-unproven", lambda w: replace(w, hosts=w.hosts | {"db3": replace(facts("db3"), door="unknown: no answer")})),
    ("agent-release", lambda w: replace(w, hosts=w.hosts | {"db3": replace(facts("db3"), release="version 0.0.1")})),
    ("missing-grant", lambda w: replace(w, held=w.held | {"db3": HELD - {"RELOAD"}})),
    ("unread-grants", lambda w: replace(w, held=dict.fromkeys(("db1", "db2"), HELD))),
]


def missed(why: Why) -> Unreachable:
    return Unreachable("db3", why, "it said no", NOW)


def silent(state: str) -> AgentSilent:
    return AgentSilent("db3", state, "host key of 10.0.0.3 differs", NOW)


def other_channel() -> Channel:
    return replace(server("db3").channels[0], name="reports", source=Endpoint("h", 1), source_uuid=uuid(8))


CLUSTER_CASES: dict[str, Callable[[World], World]] = {
    "coordination-lost": lambda w: replace(w, coordination="lost"),
    "no-manager": lambda w: replace(w, managers=()),
    "no-standby": lambda w: replace(w, managers=("mgr1",)),
    "local-coordination": lambda w: replace(w, coordination="local", managers=("mgr1",)),
    "mixed-versions": lambda w: w.state("db3", version="8.4.6"),
    "same-id": lambda w: w.state("db3", server_id=2),
    "same-uuid": lambda w: w.state("db3", server_uuid=uuid(2)),
    "not-automatic": lambda w: replace(w, failover=FailoverPolicy(automatic=False)),
    "alert-only": lambda w: replace(w, failover=FailoverPolicy(on=Reactions(dead=Reaction.ALERT))),
    "paused": lambda w: replace(w, history=replace(w.history, paused=Pause("anna", "work"))),
}


@pytest.mark.parametrize(("id_", "change"), [*SERVER_CASES.items(), *ALSO_SERVER_CASES])
def test_a_faulty_server_gives_its_own_finding_and_no_other(id_: str, change: Callable[[World], World]) -> None:
    world = change(World())
    assert world.wrong() == {(id_, "db3")}
    assert "db3" not in {f.server for f in world.found() if f.id == "ready"}
    assert all(f.hint and "{" not in f.hint + f.sentence for f in world.found() if f.severity is not Severity.OK)


@pytest.mark.parametrize(("id_", "change"), CLUSTER_CASES.items())
def test_a_faulty_cluster_gives_its_own_finding_and_no_other(id_: str, change: Callable[[World], World]) -> None:
    assert change(World()).wrong() == {(id_, "")}


def test_without_anybody_to_promote_the_reasons_are_told() -> None:
    world = World().settings("db2", log_bin=False)
    world = replace(world, sights=world.sights | {"db3": missed(Why.REFUSED)})
    [finding] = [f for f in world.found() if f.id == "no-candidate"]
    assert finding.severity is Severity.ERROR
    assert "db2: it writes no binary log" in finding.sentence
    assert "db3: " in finding.sentence
    assert "candidate" not in {f.id for f in world.found()}


def test_two_servers_that_take_writes_are_an_error_of_the_cluster() -> None:
    def found(**changes: object) -> list[tuple[str, Severity]]:
        world = World().state("db3", channels=(), **changes)
        return [(f.sentence, f.severity) for f in world.found() if f.id == "two-writable"]

    assert found() == []
    ((sentence, severity),) = found(read_only=False, super_read_only=False)
    assert sentence.startswith("db1 and db3 take writes at the same time")
    assert severity is Severity.ERROR


def test_before_anything_is_recorded_the_writable_server_is_not_its_own_successor() -> None:
    found = World(history=History()).found()
    assert "db2 would win now" in {f.sentence for f in found}


def test_servers_that_cannot_be_read_are_told_one_by_one() -> None:
    silent_world = {n: Unreachable(n, Why.ACCESS_DENIED, "no", NOW) for n in NAMES}
    assert World(sights=dict(silent_world)).wrong() == {("access-denied", n) for n in NAMES}


def test_required_fencing_closes_the_window_that_is_told_otherwise() -> None:
    def told(failover: FailoverPolicy) -> bool:
        return "unfenced-window" in {f.id for f in World(failover=failover).found()}

    assert told(FailoverPolicy())
    assert not told(FailoverPolicy(fencing="required"))


@pytest.mark.parametrize(
    ("world", "says"),
    [
        (World(), "the lease and the epoch in ZooKeeper; session locks on db1, db2, db3; agents that fence db1, db2,"),
        (World(coordination="local"), "a file lock on this host only; "),
        (World(coordination="lost"), "nothing in ZooKeeper, which is away; "),
        (World(hosts={"db2": facts("db2")}), "agents that fence db2, not db1, db3"),
        (
            World(sights={n: Unreachable(n, Why.REFUSED, "no", NOW) for n in NAMES}),
            "session locks on nobody, not db1, db2, db3",
        ),
    ],
)
def test_the_layers_of_fencing_are_told_with_what_they_do_not_cover(world: World, says: str) -> None:
    (told,) = (f.sentence for f in world.found() if f.id == "fencing-layers")
    assert says in told


def test_agents_that_have_not_heard_of_the_epoch_are_told() -> None:
    def told(**epochs: int) -> str:
        history = replace(World().history, recorded=Recorded("db1", uuid(1), 7))
        hosts: dict[str, HostSight] = {name: replace(facts(name), highest_epoch=epochs.get(name, 7)) for name in NAMES}
        (said,) = (f.sentence for f in World(history=history, hosts=hosts).found() if f.id == "fencing-layers")
        return said

    assert "heard" not in told(db2=8)
    assert told(db2=6, db3=0).endswith("the agents of db2, db3 have not heard of epoch 7")


def test_an_open_server_hides_what_it_starts_with() -> None:
    world = World().settings("db1", read_only_at_start=None)
    assert world.wrong() == set()
    assert ("start-hidden", "db1") in {(f.id, f.server) for f in world.found()}
    assert "start-hidden" not in {f.id for f in World().found()}


@pytest.mark.parametrize(("closed", "says"), [(True, set()), (False, {"starts-writable"}), (None, {"start-hidden"})])
def test_its_host_tells_what_an_open_server_hides(closed: bool | None, says: set[str]) -> None:
    world = World().settings("db1", read_only_at_start=None)
    world = replace(world, hosts=world.hosts | {"db1": replace(facts("db1"), starts_closed=closed)})
    found = {f.id for f in world.found() if f.server == "db1"}
    assert found & {"starts-writable", "start-hidden", "start-unknown"} == says


def test_every_row_has_a_case() -> None:
    assert {row.id for row in SERVER_ROWS if row.severity is not Severity.OK} == set(SERVER_CASES) | BESIDE_OTHERS
    assert {row.id for row in SERVER_ROWS if row.severity is Severity.OK} == {"start-hidden"}
    good_news = {row.id for row in CLUSTER_ROWS if row.severity is Severity.OK}
    assert {row.id for row in CLUSTER_ROWS} - good_news - {"no-candidate", "two-writable"} == set(CLUSTER_CASES)
    assert good_news == {"unfenced-window", "fencing-layers", "candidate"}


def test_nobody_asked_about_managers_or_local_coordination_is_no_finding() -> None:
    assert World(managers=None).wrong() == set()


def test_a_server_that_cannot_be_read_is_not_blamed_for_its_grants() -> None:
    world = replace(
        World(held=dict.fromkeys(("db1", "db2"), HELD)), sights=World().sights | {"db3": missed(Why.REFUSED)}
    )
    assert world.wrong() == {("unreachable", "db3")}


def test_a_right_that_only_names_blockers_is_a_warning() -> None:
    world = World(held=dict.fromkeys(NAMES, HELD) | {"db2": HELD - {"PROCESS"}})
    [finding] = [f for f in world.found() if f.id == "missing-grant"]
    assert finding.severity is Severity.WARNING


def test_a_member_of_a_group_is_told_so() -> None:
    group = replace(other_channel(), name="group_replication_applier")
    world = World().state("db3", channels=(*server("db3").channels, group))
    assert world.wrong() == {("group-replication", "db3"), ("other-channels", "db3")}


def test_a_primary_that_follows_somebody_is_told_so() -> None:
    upstream = replace(server("db3").channels[0], source=endpoint("db2"), source_uuid=uuid(2))
    assert ("circular", "db1") in World().state("db1", channels=(upstream,)).wrong()


def test_logs_that_nobody_purges_are_not_short() -> None:
    assert World().settings("db3", keeps_logs=0.0).wrong() == set()
