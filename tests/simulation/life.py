"""One life of a cluster: managers watch, clients write, the primary gets its blow, faults hit what follows, all heals.

Quiet stretches cost nothing: time jumps from one event to the next, and a life ends as soon as all is in order.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from failoverd.gtid import GtidSet
from failoverd.model.errors import CoordinationError
from failoverd.model.plans import Kind, Request, Requester, Verb
from failoverd.model.policy import ClusterPolicy, DetectionPolicy, FailoverPolicy, SemiSyncPolicy, ServerSpec
from failoverd.model.sight import Channel, Endpoint, Thread
from failoverd.model.traffic import TrafficPolicy, Vip
from failoverd.ports import Coordination
from tests.simulation.agents import Host
from tests.simulation.faults import Faults
from tests.simulation.loop import Loop, Stuck
from tests.simulation.managers import START, Manager, Place, installed
from tests.simulation.mysqld import Gtid, Mysqld
from tests.simulation.network import Net
from tests.simulation.promises import PASSING, Broken, Witness
from tests.simulation.script import RIGHT, Blow, Ill, Script, Wish
from tests.simulation.zookeeper import Ensemble

CLUSTER = "shop"
CLIENTS = "app"
TICK = 0.04
WRITE_EVERY = 0.4
BLOW_AT = 1.3
HEAL_AFTER = 45.0
LAST_BREATH = 45.0
KEEPING = 20.0
VIP = Vip("10.0.0.100", 24, "eth0")
CALM = 0.3
CONNECTIONS = 3  # so many clients wait at a server that does not answer their commits
# A statement without an answer is given up after its own limit, up to a minute, and only then anything goes on.
SLOWLY_NOTICED = frozenset({Ill.LOST_WORD, Ill.LOST_ANSWER, Ill.LATE_EFFECT, Ill.SERVER_FROZEN})


@dataclass
class Life:
    """What is seen of one life when it is over."""

    script: Script
    broken: tuple[Broken, ...] = ()
    hit: int = 0
    operations: int = 0
    outcomes: tuple[str, ...] = ()
    settled: bool = False
    words: int = 0
    seconds: float = 0.0
    story: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether it holds a complete operation with a fault inside."""
        return self.hit > 0 and bool(self.outcomes)


class World:
    """The life while it is lived."""

    def __init__(self, script: Script, story: list[str] | None = None) -> None:
        self.script = script
        self.story = story
        self.loop = Loop()
        self.chance = random.Random(script.seed * 7919 + 1)
        self.net = Net(self.loop, self.chance)
        self.ensemble = Ensemble(self.loop, self.net)
        names = [f"db{number}" for number in range(1, script.servers + 1)]
        self.mysqlds = {name: Mysqld(self.loop, self.net, name, n) for n, name in enumerate(names, 1)}
        self.hosts = {name: Host(m, restarts=script.restarts[m.number - 1]) for name, m in self.mysqlds.items()}
        self.witness = Witness(script, self.loop, self.mysqlds, self.hosts, self.ensemble.tree)
        self.managers: dict[str, Manager] = {}
        self.contents = 0
        self.last_write: dict[str, float] = {}
        self.healed = False
        self.faults = Faults(self)
        self.net.hear = self.faults.hear
        self.calm_since: float | None = None
        self.goal = GtidSet()

    # --- making it

    def make(self) -> None:
        """A healthy cluster with ten transactions, and its managers."""
        endpoints = {mysqld.endpoint: mysqld for mysqld in self.mysqlds.values()}
        everybody = list(self.mysqlds.values())
        first, *rest = everybody
        for mysqld, (pull, apply) in zip(everybody, self.script.delays, strict=True):
            mysqld.named = endpoints.get
            mysqld.followers = lambda: everybody
            mysqld.pull_delay, mysqld.apply_delay = pull, apply
            mysqld.recovers, mysqld.halves = self.script.recovers, self.script.halves
            mysqld.read_only = mysqld.super_read_only = mysqld is not first
        for _ in range(5):
            self.commit(first)
        for mysqld in rest:
            mysqld.executed, mysqld.disk.executed = first.executed, dict(first.disk.executed)
            mysqld.channels[""] = Channel(
                "", first.endpoint, first.uuid, Thread.YES, Thread.YES, received=first.executed
            )
            mysqld.disk.relayed[""] = dict(first.disk.executed)
        for mysqld in everybody if self.script.lossless else ():
            mysqld.acks.begin()
        self.make_managers()
        self.loop.at(0.1, self.tick)

    def make_managers(self) -> None:
        """Two or three of them; the first one is active."""
        specs = tuple(ServerSpec(m.name, Endpoint(m.name, 3306)) for m in self.mysqlds.values())
        failover = FailoverPolicy(
            fencing=self.script.fencing, cooldown=0.0, salvage_timeout=4.0, drain_timeout=4.0, relax_durability=True
        )
        traffic = TrafficPolicy(VIP if self.script.vip else None)
        detection = DetectionPolicy(interval=2.0)
        policy = ClusterPolicy(
            CLUSTER, specs, detection=detection, failover=failover, traffic=traffic,
            durability="lossless" if self.script.lossless else "async",
            semi_sync=SemiSyncPolicy(on_no_ackers="degrade" if self.script.degrades else "wait"),
        )  # fmt: skip
        see = self.witness
        tell = self.tell if self.story is not None else None
        place = Place(
            self.loop, self.net, self.ensemble, self.mysqlds, self.hosts, policy, self.script.session,
            self.script.publishes, see.sent, see.done, see.acted, see.refused, tell,
        )  # fmt: skip
        for number, rate in enumerate(self.script.rates, 1):
            day = self.script.walls[number - 1] if self.script.walls else RIGHT
            self.managers[f"m{number}"] = Manager(place, f"m{number}", rate, day)

    def tell(self, text: str) -> None:
        """A line of the story."""
        if self.story is not None:
            self.story.append(f"{self.loop.now:8.3f} s  {text}")

    # --- clients

    def tick(self) -> None:
        """Clients try every server; a write is accepted by whoever takes it."""
        for mysqld in self.mysqlds.values():
            if mysqld.writable and not mysqld.frozen and self.net.both(CLIENTS, mysqld.name):
                self.witness.one_writer()
                if len(mysqld.acks.waiting) >= CONNECTIONS:
                    continue
                if busy_time(self.loop.now) or self.loop.now - self.last_write.get(mysqld.name, -9.0) > WRITE_EVERY:
                    self.last_write[mysqld.name] = self.loop.now
                    self.commit(mysqld)
        self.loop.at(self.loop.now + (TICK if busy_time(self.loop.now) else 5 * TICK), self.tick)

    def commit(self, mysqld: Mysqld) -> None:
        """One transaction of a client, who hears OK if it can be reached by then."""
        self.contents += 1
        content = self.contents

        def told(gtid: Gtid) -> None:
            self.witness.wrote(mysqld, gtid, content)
            if self.net.both(CLIENTS, mysqld.name):
                self.witness.told(mysqld, gtid, content)

        self.witness.wrote(mysqld, mysqld.write(content, told), content)

    # --- the blow and the end of it

    def strike(self) -> None:
        """What happens to the primary."""
        if self.script.damaged:
            list(self.mysqlds.values())[self.script.damaged].damage()
        if self.script.planned:
            self.ask(Wish.SWITCHOVER)
            return
        blow, primary = self.script.blow, self.hosts["db1"]
        self.tell(f"BLOW: db1 is {blow}")
        if blow is Blow.FROZEN:
            primary.mysqld.freeze()
            self.loop.at(self.loop.now + self.script.thaws_after, self.thaw_primary)
        elif blow in {Blow.GONE, Blow.UNSEEN}:
            others = [*self.managers, *self.mysqlds, CLIENTS] if blow is Blow.GONE else [*self.managers]
            for name in others:
                self.faults.cut_both("db1", name, self.script.gone_for)
            if blow is Blow.UNSEEN:
                self.witness.troubled.clear()
        else:
            quick = blow is Blow.RESTARTED
            primary.restarts = 0.05 if quick else primary.restarts
            primary.kill()

    def ask(self, wish: Wish) -> None:
        """A person asks whichever manager can hand it on; the answer is for the person."""
        verbs = {Wish.RESUME: Verb.RESUME, Wish.UNDO: Verb.UNDO}
        kind = Kind.SWITCHOVER if wish is Wish.SWITCHOVER else Kind.FAILOVER
        request = Request(
            CLUSTER, kind, Requester("person", "anna"), to=f"db{self.script.servers}" * (wish is Wish.CHOSEN),
            asked_at=START + self.loop.now, verb=verbs.get(wish, Verb.BEGIN),
        )  # fmt: skip
        self.tell(f"a person asks: {wish}")
        for manager in self.managers.values():
            if manager.process.alive and manager.watch is not None:
                coordination = manager.watch.world.coordination
                manager.process.spawn(lambda coordination=coordination: asked(coordination, request))  # type: ignore[misc]
                return

    def thaw_primary(self) -> None:
        """The frozen primary wakes, if nobody has killed it."""
        self.tell("db1 wakes")
        self.witness.trouble("db1", self.loop.now)
        self.mysqlds["db1"].thaw()
        self.witness.one_writer()

    def prepare(self) -> None:
        """What was wrong already before the blow: cut replicas, errant transactions."""
        if self.script.blow is Blow.BEHIND and not self.script.planned:
            for name in list(self.mysqlds)[1:]:
                self.faults.cut_both("db1", name, self.script.behind_for + 0.2)
        if self.script.silent_for:
            self.faults.silence("db1", self.script.silent_for)
        if self.script.errant:
            mysqld = list(self.mysqlds.values())[self.script.errant]
            self.contents += 1
            gtid = (mysqld.uuid, 1)
            mysqld.disk.executed[gtid] = self.contents
            mysqld.executed = mysqld.executed | GtidSet.single(mysqld.uuid, "", 1)
            self.witness.errant[gtid] = mysqld.name

    def heal(self) -> None:
        """Everything works again: lines, machines, managers; what a guard holds stays down."""
        self.tell("all heals")
        since = max(self.ensemble.tree.taken_at, self.faults.last_at)
        if not any(fault.ill in SLOWLY_NOTICED for fault in self.script.faults):
            self.witness.in_time(since, settled=self.in_order_at_end(), reason=self.reason())
        self.healed = True
        self.net.cuts.clear()
        self.net.hear = None
        self.ensemble.down = False
        for host in self.hosts.values():
            host.silent = False
            host.mysqld.thaw()
            if not host.mysqld.alive:
                host.supervise(0.2)
            self.witness.one_writer()
        for manager in self.managers.values():
            manager.process.thaw()
            if not manager.process.alive:
                manager.boot()
        self.ensemble.lines_changed()

    # --- living it

    def live(self) -> None:
        """From the first look to the end."""
        loop = self.loop
        self.make()
        loop.at(BLOW_AT - (self.script.behind_for if self.script.blow is Blow.BEHIND else 0.1), self.prepare)
        loop.at(BLOW_AT, self.strike)
        if self.script.wish:
            loop.at(BLOW_AT + self.script.wished_after, lambda: self.ask(self.script.wish))
        loop.run(BLOW_AT + 0.001)
        heal = self.run_until(BLOW_AT + HEAL_AFTER)
        if not heal:
            self.heal()
            self.run_until(loop.now + LAST_BREATH)
        if self.script.vip and self.kept():
            loop.run(loop.now + KEEPING)
            if not self.kept():  # something was begun meanwhile, by a person who had to wait
                self.run_until(loop.now + LAST_BREATH)
                loop.run(loop.now + KEEPING)
            if self.kept():
                self.witness.clients_find_it()
        self.witness.judge()

    def kept(self) -> bool:
        """Whether an active manager sees a healthy cluster, so that it keeps the clients' ways."""
        active = [m.watch.memory for m in self.managers.values() if m.watch is not None and m.process.alive]
        holding = [one for one in active if one.epoch and self.ensemble.tree.holds_lock(one.epoch)]
        well = any(str(one.verdict.name) == "healthy" for one in holding if one.verdict is not None)
        return well and self.in_order_at_end() and not any(host.silent for host in self.hosts.values())

    def run_until(self, end: float) -> bool:
        """Let it happen until then or until all is in order; whether it is."""
        while self.loop.now < end:
            self.loop.run(min(self.loop.now + 0.15, end))
            for manager in self.managers.values():
                if manager.process.died_of is not None:
                    error = manager.process.died_of
                    self.witness.say("a manager lives", f"{manager.name} died of {type(error).__name__}: {error}")
                    return True
            if self.in_order():
                return True
        return False

    def in_order(self) -> bool:
        """Whether all faults are over, nothing is open, and one server takes writes for a while."""
        writers = [m for m in self.mysqlds.values() if m.writable and m.answers]
        opened = self.witness.open_operation()
        waiting = not self.healed and (self.script.lingers or self.faults.waiting() or self.loop.now < BLOW_AT + 1.0)
        if len(writers) != 1 or opened or waiting:
            self.calm_since = None
            return False
        if self.calm_since is None:
            self.calm_since, self.goal = self.loop.now, writers[0].executed
        return self.loop.now - self.calm_since >= CALM and self.attached(writers[0])

    def attached(self, primary: Mysqld) -> bool:
        """Whether the living replicas that follow anybody have all that it had when calm began: clients go on."""
        able = (m for m in self.followers_of(primary) if m.channels[""].applier is Thread.YES)
        return all(self.goal <= m.executed for m in able)

    def followers_of(self, primary: Mysqld) -> list[Mysqld]:
        """Who follows it and can."""
        return [
            m
            for m in self.mysqlds.values()
            if m is not primary and m.answers and "" in m.channels and m.channels[""].source == primary.endpoint
        ]

    def judged(self) -> Life:
        """What was seen."""
        if not self.in_order_at_end():
            self.unsettled()
        reports = self.witness.reports()
        return Life(
            script=self.script,
            broken=tuple(self.witness.broken),
            hit=self.faults.hits,
            operations=len(reports) + bool(self.witness.open_operation()),
            outcomes=tuple(str(report["outcome"]) for report in reports),
            settled=self.in_order_at_end(),
            words=self.faults.words,
            seconds=self.loop.now,
            story=self.story or [],
        )

    def in_order_at_end(self) -> bool:
        """Whether the cluster has one writer and no open operation."""
        writers = [m for m in self.mysqlds.values() if m.writable and m.answers]
        return len(writers) == 1 and not self.witness.open_operation()

    def unsettled(self) -> None:
        """A life that does not come to rest needs a reason that people are told."""
        reason = self.reason()
        self.tell(f"it did not come to rest: {reason or 'no reason'}")
        if not reason or PASSING.issuperset(reason.split("; ")):
            open_operation = self.witness.open_operation()
            writers = [m.name for m in self.mysqlds.values() if m.writable]
            self.witness.say(
                "finished or undone",
                f"open: {open_operation or '-'}, writers: {', '.join(writers) or '-'}, {reason or 'nothing is said'}",
            )

    def reason(self) -> str:
        """Why the active manager does nothing: refusals that stand, or a person that it asks for."""
        for manager in self.managers.values():
            memory = manager.watch.memory if manager.watch is not None and manager.process.alive else None
            if memory is None or memory.epoch == 0 or memory.verdict is None:
                continue
            if not self.ensemble.tree.holds_lock(memory.epoch):
                continue
            if str(memory.phase) == "halted":
                return "a person is asked for"
            if memory.verdict.refusals:
                return "; ".join(r.id for r in memory.verdict.refusals)
            if str(memory.verdict.advice) == "alert":
                return memory.verdict.rule
        return ""


def asked(coordination: Coordination, request: Request) -> None:
    """Hand a request on, or give up."""
    with contextlib.suppress(CoordinationError):
        coordination.ask(request)


def busy_time(now: float) -> bool:
    """Whether clients write all the time: around the blow."""
    return abs(now - BLOW_AT) < 0.3


def live(script: Script, *, story: bool = False, before: Callable[[World], None] | None = None) -> Life:
    """Live one script; with a story everything that is logged is kept."""
    lines: list[str] | None = [] if story else None
    world = World(script, lines)
    if before is not None:
        before(world)
    with installed(world.loop, world.ensemble):
        try:
            world.live()
        except Stuck as stuck:
            world.witness.say("it comes to rest", str(stuck))
        found = world.judged()
        world.loop.end()
    return replace(found)
