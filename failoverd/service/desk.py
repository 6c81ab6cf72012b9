"""What people ask of a cluster from the command line: status, check, plan, failover. Looks change nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from failoverd.decide.judge import judge
from failoverd.decide.suppose import suppose_dead
from failoverd.model.errors import CoordinationError, FailoverdError
from failoverd.model.history import EPOCHS_UNSEEN, Pause
from failoverd.model.host import HostFacts
from failoverd.model.pace import Pace
from failoverd.model.plans import Kind, Plan, Report, Request, Verb
from failoverd.model.published import report_json, requester_json, running_json
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.status import paces_told, with_pauses
from failoverd.model.verdict import Advice
from failoverd.observe.fanout import HASTY_LOOKS
from failoverd.observe.look import Interest, look
from failoverd.ports import Lease
from failoverd.service import act
from failoverd.service.cycle import look_and_judge, with_epochs
from failoverd.service.errant import Wanted, told
from failoverd.service.following import POLL, Following, Tell
from failoverd.service.operation import AUTOMATIC, foresee
from failoverd.service.phases import Phase
from failoverd.service.publish import contenders, describe, holder
from failoverd.service.records import catch_up, heeding
from failoverd.service.rejoin import foretell as foretell_rejoin
from failoverd.service.remember import tell_agents
from failoverd.service.repair import foretell
from failoverd.service.world import Memory, Occasion, World

Document = Mapping[str, object]

# A command opens its sessions anew: one look may take longer than in a manager whose lines are warm (seconds).
COLD_TIMEOUT = 2.0
# How long a command waits for the lock when no manager has it (seconds).
LOCK_SECONDS = 15.0
# How long a command waits with an open operation whose servers do not answer.
WAIT_SECONDS = 30.0


def patient(world: World) -> World:
    """The same cluster, looked at with the patience of a command that opens every line anew; paused servers spared."""
    detection = replace(world.policy.detection, timeout=max(world.policy.detection.timeout, COLD_TIMEOUT))
    return heeding(replace(world, policy=replace(world.policy, detection=detection)), pauses_of(world))


def pauses_of(world: World) -> tuple[Pause, ...]:
    """The pauses in force, as far as coordination can be asked."""
    try:
        return world.coordination.pauses(world.cluster)
    except CoordinationError:
        return ()


def own_look(world: World) -> tuple[Memory, TopologySnapshot]:
    """One look of this process with everything asked, judged."""
    memory = Memory()
    unread = catch_up(world, memory)
    memory.history = replace(memory.history, unread=str(unread or ""))
    recorded = memory.history.recorded
    primary = recorded.name if recorded else None
    tell_agents(world, memory, look(world.eyes, world.policy, Interest()))
    snapshot = look(world.eyes, world.policy, Interest(primary, hosts=True))
    if primary is not None and snapshot.state(primary) is None:
        # A service looks again before it asks the others about a silence; this is the only look of a command.
        snapshot = look(world.eyes, world.policy, Interest(primary, misses=HASTY_LOOKS * world.policy.detection.misses))
    memory.history = memory.history.after(snapshot)
    memory.hosts = snapshot.hosts
    clock = world.eyes.clock
    memory.verdict = judge(snapshot, memory.history, world.policy, clock.now(), clock.wall().timestamp())
    if recorded:
        memory.epoch = recorded.epoch
    return memory, snapshot


def informed_look(world: World) -> tuple[Memory, TopologySnapshot]:
    """The same, for what is decided on the records; CoordinationError where they cannot be read."""
    memory, snapshot = own_look(world)
    if memory.history.unread:
        hint = "failoverd check says whether ZooKeeper answers"
        raise CoordinationError(f"the records of {world.cluster} cannot be read", memory.history.unread, hint)
    return memory, snapshot


def status(world: World) -> Document:
    """What the active manager publishes; if there is none, what this process sees, with no active manager."""
    try:
        published = world.coordination.status(world.cluster)
        active = holder(world)
    except CoordinationError:
        published, active = None, None
    if published is not None and active is not None and published.get("active_manager") == active:
        told = {**with_pauses(published, pauses_of(world)), "standby_managers": list(contenders(world))}
        return told if told.get("operation") else {**told, "operation": running(world)}
    memory, snapshot = own_look(patient(world))
    return {**describe(world, memory, snapshot, active=False), "active_manager": None}


def running(world: World) -> Document | None:
    """The operation that the active manager is busy with: it publishes nothing meanwhile."""
    try:
        open_id = world.coordination.open_operation(world.cluster)
        shown = world.coordination.operation(open_id) if open_id else None
    except CoordinationError:
        return None
    return running_json(shown) if shown is not None else None


def plan(world: World, kill: tuple[str, ...], to: str) -> Plan:
    """What would happen if these servers (none: the primary) were dead; nothing is changed."""
    world = patient(world)
    memory, snapshot = informed_look(world)
    recorded = memory.history.recorded
    if recorded is None:
        raise FailoverdError(f"no primary of {world.cluster} is recorded yet", hint="start a manager: failoverd run")
    supposed = suppose_dead(snapshot, frozenset(kill or (recorded.name,)))
    request = Request(world.cluster, Kind.FAILOVER, AUTOMATIC, to)
    occasion = replace(occasion_of(world, memory, supposed, NoLease()), paces=paces_of(world))
    return foresee(world, occasion, Kind.FAILOVER, request)


def paces_of(world: World) -> Mapping[str, Pace]:
    """How fast the servers were seen to apply, by whoever watches them; one look cannot tell."""
    try:
        return paces_told(world.coordination.status(world.cluster) or {})
    except CoordinationError:
        return {}


def repair_plan(world: World, server: str) -> Plan:
    """What a repair of a replica's relay log would do now; nothing is changed."""
    world = patient(world)
    memory, snapshot = informed_look(world)
    return foretell(world, occasion_of(world, memory, snapshot, NoLease()), server)


def rejoin_plan(world: World, request: Request) -> Plan:
    """What attaching a server would do now, with everything that stands against it; nothing is changed."""
    world = patient(world)
    memory, snapshot = informed_look(world)
    return foretell_rejoin(world, occasion_of(world, memory, snapshot, NoLease()), request)


def errant_told(world: World, wanted: Wanted) -> Document:
    """What servers have made for themselves; no server is changed."""
    world = patient(world)
    memory, snapshot = informed_look(world)
    return told(world, snapshot, memory.history, wanted)


def foresee_request(world: World, request: Request) -> Plan:
    """What a request would lead to in the world as it is, with the refusals that stand; nothing is changed."""
    world = patient(world)
    memory, snapshot = informed_look(world)
    occasion = replace(occasion_of(world, memory, snapshot, NoLease()), paces=paces_of(world))
    return foresee(world, occasion, request.kind, request)


def initialise(world: World, adopt: bool) -> Document:
    """Write the first epoch of a cluster; with `adopt` one above all that any agent remembers, after the records of
    coordination were lost. The databases are left alone.
    """
    world = patient(world)
    memory, _ = informed_look(world)
    remembered = {name: h.highest_epoch for name, h in memory.hosts.items() if isinstance(h, HostFacts)}
    highest = max(remembered.values(), default=0)
    if not adopt and highest:
        raise FailoverdError(
            f"the agents of {world.cluster} remember epoch {highest}",
            ", ".join(f"{name}: {epoch}" for name, epoch in sorted(remembered.items())),
            "look at the servers, then failoverd init --adopt",
        )
    if not adopt and memory.history.recorded is not None:
        raise FailoverdError(f"{world.cluster} is initialised already", f"epoch {memory.history.recorded.epoch}")
    epoch = highest + EPOCHS_UNSEEN if adopt else 0
    world.coordination.adopt(world.cluster, epoch)
    silent = [spec.name for spec in world.policy.servers if spec.name not in remembered]
    return {"cluster": world.cluster, "epoch": epoch, "agents": remembered, "silent": silent}


class NoLease:
    """For looking ahead only: no right to act."""

    epoch = 0

    def check(self) -> None:
        """Nobody may act on a look ahead."""
        raise CoordinationError("a look ahead gives no right to act")


def occasion_of(world: World, memory: Memory, snapshot: TopologySnapshot, lease: Lease) -> Occasion:
    """A look and its judgement as an operation starts from it."""
    clock = world.eyes.clock
    wall = clock.wall().timestamp()
    verdict = judge(snapshot, memory.history, world.policy, clock.now(), wall)
    return Occasion(snapshot, memory.history, verdict, lease, memory.detected_at, wall)


def never() -> bool:
    """Whoever leaves lets it go on."""
    return False


def failover(world: World, request: Request, tell: Tell, gives_up: Callable[[], bool] = never) -> Document:
    """Hand the request to the active manager and follow it; without one, take the lock and do it here.

    Where following is interrupted, `gives_up` tells whether the operation is to be taken back; otherwise it goes on
    without us, which is a FailoverdError.
    """
    request = replace(request, asked_at=world.eyes.clock.wall().timestamp())
    active = world.coordination.holder(world.cluster)
    if active is None:
        return alone(world, request, tell)
    tell(f"handed to the active manager {active}")
    following = Following(world, world.coordination.ask(request), tell)
    while True:
        try:
            return following.answer()
        except KeyboardInterrupt:
            if not gives_up():
                why = f"the {request.kind} goes on without this command, by manager {active}"
                raise FailoverdError("detached", why, "failoverd ops attach, failoverd ops show") from None
            take_back(world, request, tell)


def take_back(world: World, request: Request, tell: Tell) -> None:
    """Ask the active manager to take back what it has begun for this request; it does so until it has chosen."""
    clock = world.eyes.clock
    end = clock.now() + LOCK_SECONDS
    while not (begun := begun_for(world, request)) and clock.now() < end:
        clock.sleep(POLL)
    if not begun:
        tell(f"nothing was begun within {LOCK_SECONDS:g} s that could be taken back")
        return
    world.coordination.ask(
        replace(request, verb=Verb.UNDO, operation=begun, asked_at=clock.wall().timestamp(), settings=())
    )
    tell(f"{begun} is to be taken back; where the new primary is chosen already, it goes on to its end")


def begun_for(world: World, request: Request) -> str:
    """The open operation where it is the one that this request began; else empty."""
    open_id = world.coordination.open_operation(world.cluster)
    shown = world.coordination.operation(open_id) if open_id else None
    ours = {"kind": str(request.kind), "requested_by": requester_json(request.by)}
    return open_id if shown is not None and {key: shown.get(key) for key in ours} == ours else ""


def alone(world: World, request: Request, tell: Tell) -> Document:
    """Take the lock, look, and run the operation in this process; the lock is given back whatever happens."""
    world = heeding(world, pauses_of(world))
    world.coordination.campaign(world.cluster)
    try:
        lease = wait_for_lease(world, tell)
        memory, snapshot = informed_look(patient(world))
        memory.phase, memory.epoch = Phase.WATCHING, lease.epoch
        memory.history = with_epochs(memory, memory.history)
        refuse_behind(world, memory)
        occasion = occasion_of(world, memory, snapshot, lease)
        if request.verb is not Verb.BEGIN:
            return report_json(deal_with_open(world, memory, occasion, request))
        report = answer_to(world, memory, occasion, request)
        return report_json(report)
    finally:
        world.coordination.resign(world.cluster)


def refuse_behind(world: World, memory: Memory) -> None:
    """FailoverdError where agents have acted under an epoch that ours is not above: another manager leads, or records
    were lost.
    """
    if memory.history.behind:
        raise FailoverdError(
            f"agents remember epoch {memory.history.agents_epoch}, coordination gave us {memory.epoch}",
            "another manager has acted on this cluster",
            f"ask on the host of that manager; if there is none any more: failoverd init {world.cluster} --adopt",
        )


def deal_with_open(world: World, memory: Memory, occasion: Occasion, request: Request) -> Report:
    """Do a person's will with the open operation in this process, looking again while it has to be waited for."""
    clock = world.eyes.clock
    end = clock.now() + WAIT_SECONDS
    while (report := act.about_open(world, memory, occasion, request)) is None:
        if clock.now() > end:
            raise FailoverdError("the operation stays open", memory.left.problem, "failoverd ops show")
        clock.sleep(world.policy.detection.interval)
        snapshot, verdict = look_and_judge(world, memory)
        wall = clock.wall().timestamp()
        occasion = Occasion(snapshot, memory.history, verdict, occasion.lease, memory.detected_at, wall)
    return report


def answer_to(world: World, memory: Memory, occasion: Occasion, request: Request) -> Report:
    """Record the primary first where nobody has; then the operation."""
    verdict = occasion.verdict
    if verdict.advice is Advice.RECORD and verdict.primary is not None:
        act.record_primary(world, memory, occasion, verdict.primary)
        occasion = replace(occasion, history=memory.history)
    return act.operate(world, memory, occasion, request.kind, request)


def wait_for_lease(world: World, tell: Tell) -> Lease:
    """The lease, once it is ours."""
    clock = world.eyes.clock
    end = clock.now() + LOCK_SECONDS
    tell("no manager is active: taking the lock")
    while clock.now() < end:
        lease = world.coordination.lease(world.cluster)
        if lease is not None:
            return lease
        clock.sleep(POLL)
    raise CoordinationError("the lock could not be had", f"within {LOCK_SECONDS:g} s", "is another manager starting?")
