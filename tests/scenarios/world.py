"""A world out of the lines of a transcript, and a check that it can be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from failoverd.decide.situation import Situation
from failoverd.gtid import GtidSet
from failoverd.model.cloning import CloneSide, Overwrite
from failoverd.model.divergence import Cure, Resolution
from failoverd.model.history import DiskTrouble, History, Pause, Recorded
from failoverd.model.hooks import HookPolicy, Point
from failoverd.model.host import (
    AgentSilent,
    Holding,
    HostFacts,
    HostSight,
    LogKind,
    ProbeOutcome,
    ProbeReport,
    StandbyWord,
)
from failoverd.model.plans import Kind, Request, Requester
from failoverd.model.policy import (
    ClusterPolicy,
    CrashLoop,
    DetectionPolicy,
    FailoverPolicy,
    Promote,
    Reaction,
    Reactions,
    SemiSyncPolicy,
    ServerSpec,
    SiteGuard,
)
from failoverd.model.semisync import INFINITE, SemiSync
from failoverd.model.sight import (
    Channel,
    Endpoint,
    ServerState,
    Settings,
    Sight,
    Thread,
    Trouble,
    Unreachable,
    Waits,
    Why,
)
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.writing import Unwritten
from tests.scenarios.words import Impossible, Line, gtids, identity

NOW = 1000.0
WALL = 1_800_000_000.0
ALL = "db1:1-100"


@dataclass(frozen=True, slots=True)
class World:
    """Everything that the commands of a transcript work on."""

    snapshot: TopologySnapshot
    history: History
    policy: ClusterPolicy
    request: Request | None = None
    sides: tuple[CloneSide, ...] = ()

    def situation(self) -> Situation:
        return Situation(self.snapshot, self.history, self.policy, NOW, WALL, self.request, self.sides)


@dataclass(slots=True)
class Parts:
    """What the lines have said so far."""

    specs: list[ServerSpec] = field(default_factory=list)
    sights: dict[str, Sight] = field(default_factory=dict)
    hosts: dict[str, HostSight] = field(default_factory=dict)
    probes: list[ProbeReport] = field(default_factory=list)
    standbys: list[StandbyWord] = field(default_factory=list)
    holdings: list[Holding] = field(default_factory=list)
    recorded: Recorded | None = field(default_factory=lambda: Recorded("db1", identity("db1"), 7))
    history: Line = field(default_factory=lambda: Line.parse("history"))
    cluster: Line = field(default_factory=lambda: Line.parse("cluster"))
    request: Request | None = None
    sides: list[CloneSide] = field(default_factory=list)


def endpoint(name: str) -> Endpoint:
    return Endpoint(f"10.0.0.{int(name.removeprefix('db'))}", 3306)


def build(lines: Iterable[str]) -> World:
    """The world; Impossible where it cannot be."""
    parts = Parts()
    for text in lines:
        line = Line.parse(text)
        READERS.get(line.subject, read_server)(parts, line)
        if line.subject not in {"cluster", "history"}:
            line.done()
    policy = read_policy(parts)
    snapshot = TopologySnapshot(
        "shop",
        NOW,
        MappingProxyType({spec.name: parts.sights[spec.name] for spec in parts.specs}),
        MappingProxyType(parts.hosts),
        tuple(parts.probes),
        tuple(parts.holdings),
        tuple(parts.standbys),
    )
    world = World(snapshot, read_history(parts, snapshot), policy, parts.request, tuple(parts.sides))
    for line in (parts.cluster, parts.history):
        line.done()
    complain(world)
    return world


def read_server(parts: Parts, line: Line) -> None:
    name = line.subject
    identity(name)
    if name in parts.sights:
        raise Impossible(f"{name} stands here twice")
    parts.specs.append(
        ServerSpec(
            name,
            endpoint(name),
            Promote(line.get("promote", "normal")),
            line.get("site", ""),
            line.has("maintenance"),
        )
    )
    if sum(line.has(flag) for flag in ("up", "down", "replica", "alone")) != 1:
        raise Impossible(f"{name} is one of up, down, replica, alone")
    if line.has("down"):
        why = Why(line.get("why", "refused"))
        text = line.get("text", str(why))
        parts.sights[name] = Unreachable(name, why, text, NOW, int(line.number("code", 0)))
        return
    parts.sights[name] = read_state(name, line)


def read_state(name: str, line: Line) -> ServerState:
    primary = line.has("up")
    executed = gtids(line.get("executed", ALL))
    channels: tuple[Channel, ...] = ()
    if not primary and not line.has("alone"):
        channels = (read_channel(line, executed),)
    other = line.maybe("channel")
    if other is not None:
        channels += (Channel(other, Endpoint("10.9.9.9", 3306), identity("db99"), Thread.YES, Thread.YES),)
    writable = (primary or line.has("rw")) and not line.has("ro")
    return ServerState(
        name=name,
        endpoint=endpoint(name),
        version="9.7.4",
        server_uuid=identity(line.get("uuid", name)),
        server_id=int(name.removeprefix("db")),
        read_only=not writable,
        super_read_only=not writable and not line.has("plain"),
        executed=executed,
        purged=gtids(line.get("purged", "")),
        channels=channels,
        started_at=NOW - line.number("started", 900.0),
        read_at=NOW,
        offline_mode=line.has("offline"),
        semi_sync=read_semi_sync(line),
        waits=read_waits(line),
        settings=Settings(
            gtid_mode=not line.has("no-gtid"),
            log_bin=not line.has("no-log-bin"),
            log_replica_updates=not line.has("no-updates"),
            relay_log_recovery=line.has("recovers"),
            sync_binlog=int(line.number("sync", 1)),
            read_only_at_start=True if line.has("starts-closed") else None,
        ),
    )


def read_waits(line: Line) -> Waits | None:
    """Sessions that wait, written as `waits=read_lock:3,commit_lock:1`; `waits=none` where somebody looked in vain."""
    text = line.maybe("waits")
    if text is None:
        return None
    pairs = [word.split(":") for word in text.split(",") if word != "none"]
    return Waits(**{what: int(count) for what, count in pairs})


LOADED = SemiSync(source_plugin=True, replica_plugin=True, timeout=10_000)
WAITS = replace(LOADED, source_on=True, source_active=True, timeout=INFINITE, waits_alone=True)
SEMI_SYNC = {
    "none": SemiSync(),
    "off": LOADED,
    "waits": WAITS,
    "short": replace(WAITS, timeout=10_000),
    "on": replace(LOADED, replica_on=True),
    "acks": replace(LOADED, replica_on=True, acknowledges=True),
    "both": replace(WAITS, replica_on=True, acknowledges=True),
}


def read_semi_sync(line: Line) -> SemiSync:
    """What a server says of semi-sync; `replicas` names the servers that are connected as such."""
    known = SEMI_SYNC[line.get("semi", "none")]
    names = filter(None, line.get("replicas", "").split(","))
    clients = int(line.number("clients", 2 if known.source_on else 0))
    return replace(
        known, clients=clients, waiting=int(line.number("waiting", 0)), replicas=tuple(identity(n) for n in names)
    )


def read_channel(line: Line, executed: GtidSet) -> Channel:
    source = line.get("from", "db1")
    known = source.startswith("db")
    received = line.maybe("received")
    age = line.get("heartbeat", "0.1")
    return Channel(
        name="",
        source=endpoint(source) if known else Endpoint(source, 3306),
        source_uuid=identity(source) if known else identity("db98"),
        receiver=Thread(line.get("receiver", "yes")),
        applier=Thread(line.get("applier", "yes")),
        received=executed if received is None else gtids(received),
        heartbeat_age=None if age == "none" else float(age),
        heartbeat_period=line.number("period", 0.5),
        queueing=line.get("queueing", ""),
        receiver_trouble=trouble(line, "ioerr"),
        applier_trouble=trouble(line, "sqlerr"),
        delay=int(line.number("delay", 0)),
        damage=line.get("damage", ""),
        filters=tuple(filter(None, line.get("filters", "").split(","))),
        sound=None if (sound := line.maybe("sound")) is None else gtids(sound),
    )


def trouble(line: Line, key: str) -> Trouble:
    code = int(line.number(key, 0))
    return Trouble(code, "as the server says") if code else Trouble()


def read_agent(parts: Parts, line: Line) -> None:
    name, said = line.flags[:2]
    line.used.update({name, said})
    if said in {"missing", "old", "unreachable"}:
        parts.hosts[name] = AgentSilent(name, said, "as the connection says", NOW)
        return
    if said not in {"dead", "alive"}:
        raise Impossible(f"an agent says dead or alive, not {said}")
    orderly = line.maybe("orderly")
    fenced, starts = line.maybe("fenced"), line.maybe("starts")
    parts.hosts[name] = HostFacts(
        server=name,
        alive=said == "alive",
        pids=(4711,) if said == "alive" else (),
        process_state=line.get("state", "S") if said == "alive" else "",
        server_uuid=identity(name),
        read_at=NOW - line.number("age", 0.1),
        orderly=None if orderly is None else orderly == "yes",
        fenced_epoch=None if fenced is None else int(fenced),
        disk_free=int(line.number("free", 10**9)),
        disk_read_only=line.has("read-only"),
        starts_closed=None if starts is None else starts == "closed",
    )


def read_probe(parts: Parts, line: Line) -> None:
    origin, outcome = line.flags[:2]
    line.used.update({origin, outcome})
    target = line.get("target", "db1")
    if origin == target:
        raise Impossible(f"{origin} probes itself")
    age = line.number("age", 0.1)
    parts.probes.append(
        ProbeReport(origin, target, ProbeOutcome(outcome), 0.01, NOW - age, int(line.number("code", 0)))
    )


def read_standby(parts: Parts, line: Line) -> None:
    """`standby m2 ok`: what another manager found there; `of` is whom it found, `others` how many servers beside it."""
    manager, outcome = line.flags[:2]
    line.used.update({manager, outcome})
    of, target = line.get("of", "db1" if outcome == "ok" else ""), line.get("target", "db1")
    others, code = int(line.number("others", 2)), int(line.number("code", 0))
    asked_at = NOW - line.number("age", 0.1)
    uuid = identity(of) if of else ""
    parts.standbys.append(StandbyWord(manager, "7-1", target, ProbeOutcome(outcome), uuid, others, code, asked_at))


def read_holding(parts: Parts, line: Line) -> None:
    name, kind = line.flags[:2]
    line.used.update({name, kind})
    problem = line.get("problem", "")
    size = int(line.number("size", 1000))
    complete = not problem and not line.has("open")
    parts.holdings.append(Holding(name, LogKind(kind), gtids(line.get("has", "")), size, 1, complete, problem))


def read_recorded(parts: Parts, line: Line) -> None:
    name = line.flags[0]
    line.used.add(name)
    ackers = tuple(filter(None, line.get("ackers", "").split(",")))
    degraded = line.has("degraded")
    parts.recorded = None if name == "nobody" else Recorded(name, identity(name), 7, ackers, degraded)


def read_request(parts: Parts, line: Line) -> None:
    loss, cures = line.maybe("accept-loss"), (Cure.INJECT, Cure.REPLAY)
    wished = [Resolution(cure, gtids(line.get(cure, ""))) for cure in cures if line.maybe(cure)]
    parts.request = Request(
        cluster="shop",
        kind=Kind(line.get("kind", "failover")),
        by=Requester("automatic" if line.has("automatic") else "person", "anna", "desk", ""),
        to=line.get("to", ""),
        accept_loss=None if loss is None else int(loss),
        overrides=frozenset(filter(None, line.get("override", "").split(","))),
        resolution=wished[0] if wished else None,
        clone=Overwrite(line.has("discard")) if line.has("clone") else None,
        rebuild=Overwrite(line.has("discard")) if line.has("rebuild") else None,
    )


def read_side(parts: Parts, line: Line) -> None:
    name = line.flags[0]
    line.used.add(name)
    rights = line.get("rights", "BACKUP_ADMIN,CLONE_ADMIN")
    parts.sides.append(
        CloneSide(
            name,
            line.get("version", "9.7.4"),
            not line.has("without-plugin"),
            (f"GRANT {rights} ON *.* TO `failoverd`@`%`",),
            int(line.number("size", 1000)),
        )
    )


def keep_cluster(parts: Parts, line: Line) -> None:
    parts.cluster = line


def keep_history(parts: Parts, line: Line) -> None:
    parts.history = line


READERS = {
    "agent": read_agent,
    "probe": read_probe,
    "standby": read_standby,
    "holding": read_holding,
    "recorded": read_recorded,
    "request": read_request,
    "side": read_side,
    "cluster": keep_cluster,
    "history": keep_history,
}


def read_policy(parts: Parts) -> ClusterPolicy:
    line = parts.cluster
    loss = line.get("max_loss", "0")
    claimed = line.get("min_claimed", "majority")
    return ClusterPolicy(
        "shop",
        tuple(parts.specs),
        DetectionPolicy(
            misses=int(line.number("misses", 3)),
            crash_grace=line.number("crash_grace", 0.0),
            shutdown_grace=line.number("shutdown_grace", 15.0),
            hung_after=line.number("hung_after", 30.0),
            crash_loop=CrashLoop(int(line.number("crashes", 3)), line.number("crashes_within", 600.0)),
        ),
        FailoverPolicy(
            automatic=line.get("automatic", "yes") == "yes",
            on=Reactions(
                Reaction(line.get("dead", "failover")),
                Reaction(line.get("frozen", "failover")),
                Reaction(line.get("hung", "alert")),
                Reaction(line.get("unfit", "alert")),
            ),
            cooldown=line.number("cooldown", 3600),
            fencing="required" if line.get("fencing", "best-effort") == "required" else "best-effort",
            max_loss=None if loss == "any" else int(loss),
            min_claimed="majority" if claimed == "majority" else int(claimed),
            allow_site_change=line.get("site_change", "yes") == "yes",
        ),
        durability="lossless" if line.has("lossless") else "async",
        rejoin="off" if line.get("rejoin", "clean-only") == "off" else "clean-only",
        semi_sync=SemiSyncPolicy(
            int(line.number("wait_count", 1)), "degrade" if line.get("on_no_ackers", "wait") == "degrade" else "wait"
        ),
        site_guard=SiteGuard(int(line.number("guard", 3)), line.number("guard_within", 60.0)),
        hooks=HookPolicy("/hooks", points=((Point.REBUILD, 1),)) if line.has("rebuilds") else HookPolicy(),
    )


def read_unwritten(line: Line) -> Unwritten | None:
    """What the write probe tells: `unwritten=30`, with `refused-by=1114` or `unable=1142` what the server said."""
    text = line.maybe("unwritten")
    if text is None:
        return None
    refused, unable = line.maybe("refused-by"), line.maybe("unable")
    code = refused or unable
    return Unwritten(NOW - float(text), f"error {code}" if code else "", ours=unable is not None)


def read_history(parts: Parts, snapshot: TopologySnapshot) -> History:
    line = parts.history

    def ago(key: str) -> float | None:
        text = line.maybe(key)
        return None if text is None else NOW - float(text)

    held = {key.removeprefix("held."): gtids(line.get(key, "")) for key in line.options if key.startswith("held.")}
    held |= {state.name: state.holds for state in snapshot.reached()}
    writable = None if line.has("forgetful") else NOW - line.number("writable", 0.5)
    failover = line.maybe("failover")
    attempt, reopening = line.maybe("attempt"), line.maybe("reopening")
    paused = line.maybe("paused")
    until = line.maybe("until")
    crashes = tuple(NOW - float(age) for age in filter(None, line.get("crashes", "").split(",")))
    disk = line.maybe("disk")
    failing = line.maybe("failing")
    others = [word.partition(":") for word in filter(None, line.get("others", "").split(","))]
    seen = NOW - line.number("seen", 0)
    return History(
        recorded=parts.recorded,
        misses=int(line.number("misses", 0)),
        down_since=ago("down"),
        refused_since=ago("refused"),
        leaving_since=ago("leaving"),
        last_writable_at=writable,
        last_started_at=None if writable is None else NOW - line.number("started", 900.0),
        last_executed=GtidSet() if writable is None else gtids(line.get("executed", ALL)),
        last_holdings=tuple(sorted(held.items())),
        last_failover_at=None if failover is None else WALL - float(failover),
        last_attempt_at=None if attempt is None else WALL - float(attempt),
        last_reopening_at=None if reopening is None else WALL - float(reopening),
        paused=None if paused is None else Pause("anna", paused, None if until is None else WALL + float(until)),
        open_operation=line.get("open", ""),
        about=parts.recorded.server_uuid if parts.recorded else "",
        settings_of=line.get("settings", ""),
        unread=line.get("unread", ""),
        unwritable=line.get("unwritable", ""),
        unwritable_at=ago("unwritable_for"),
        settings_since=ago("since"),
        epoch=int(line.number("epoch", 0)),
        agents_epoch=int(line.number("remembered", 0)),
        stuck_since=ago("stuck"),
        still_since=ago("still"),
        unwritten=read_unwritten(line),
        failing_since=None if failing is None else WALL - float(failing),
        others_failing=tuple((name, WALL - float(age)) for name, _, age in others),
        crashes=crashes,
        disk=None if disk is None else DiskTrouble(disk, ago("since_disk") or NOW, seen),
    )


def complain(world: World) -> None:
    """Impossible for a world that no look could have seen."""
    snapshot, history = world.snapshot, world.history
    name = history.recorded.name if history.recorded else ""
    reached = [state.server_uuid for state in snapshot.reached()]
    if len(set(reached)) != len(reached):
        raise Impossible("two servers have one server_uuid")
    for state in snapshot.reached():
        if not state.purged <= state.executed:
            raise Impossible(f"{state.name} has purged what it never executed")
        facts = snapshot.facts(state.name)
        if facts is not None and not facts.alive:
            raise Impossible(f"{state.name} answers and has no process")
        if state.main is not None and state.main.source == state.endpoint:
            raise Impossible(f"{state.name} follows itself")
    if (
        name in snapshot.sights
        and (snapshot.state(name) is None) is (history.misses == 0)
        and not alive(snapshot, name)
    ):
        raise Impossible(f"{name} is down and never missed, or up and missed")
    unknown = (set(snapshot.hosts) | {p.origin for p in snapshot.probes}) - set(snapshot.sights)
    if unknown:
        raise Impossible(f"{', '.join(sorted(unknown))} is no member")


def alive(snapshot: TopologySnapshot, name: str) -> bool:
    """Whether a failed look is none that history counts as a miss."""
    return snapshot.state(name) is None and snapshot.missed(name).why in {
        Why.ALIVE,
        Why.ACCESS_DENIED,
        Why.OWN_SIDE,
        Why.NOT_ASKED,
    }
