"""The whole flow on one page: look, remember, judge, act if the lock is ours and nothing forbids it, publish, rest.

    servers ─► observe ─► TopologySnapshot ─► decide ─► Verdict ─► plan ─► Plan ─► execute ─► Outcome ─► observe ─►
    verify ─► Report

A turn never raises for what the world does: without the lock it only looks, and an error of coordination only means
that
nobody may act.
"""

from __future__ import annotations

from dataclasses import replace

from failoverd.decide.judge import judge
from failoverd.decide.testimony import proven_at
from failoverd.model.errors import CoordinationError, FailoverdError, FencedOut, LockLost, LockRefused
from failoverd.model.flight import Moment
from failoverd.model.history import History
from failoverd.model.host import HostFacts
from failoverd.model.pace import Track
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.verdict import Verdict, VerdictName
from failoverd.observe.heartbeat import AGAIN_SOON, rest_after
from failoverd.observe.look import Interest, look
from failoverd.ports import Lease
from failoverd.service import act
from failoverd.service.hooks import tell_verdict
from failoverd.service.keeping import keep_errant
from failoverd.service.links import mind_links
from failoverd.service.phases import Event, Phase, after
from failoverd.service.publish import Published
from failoverd.service.records import catch_up, heeding, nobody_acts
from failoverd.service.remember import tell_agents
from failoverd.service.standbys import answer, ask, asked, heard
from failoverd.service.world import Left, Memory, Occasion, World
from failoverd.service.writing import try_write


def turn(world: World, memory: Memory, published: Published) -> float:
    """One turn; returns the seconds to rest before the next."""
    begun = world.eyes.clock.now()
    lease = take_or_keep_lock(world, memory)
    question = asked(world, memory, lease)
    snapshot, verdict = look_and_judge(world, memory, question)
    answer(world, memory, snapshot, question)
    world = heeding(world, memory.history.paused_servers)
    note_change(world, memory, verdict)
    memory.publish = lambda seen: publish(world, memory, seen, published, lease)
    if lease is not None:
        mind_links(world, memory, snapshot, lease)
        reports = dict(memory.last_reports)
        act_as_allowed(world, memory, snapshot, verdict, lease)
        if memory.last_reports != reports:
            return AGAIN_SOON  # what was seen before an operation is no news after it
        keep_errant(world, memory, snapshot)
    ask(world, memory, lease)
    try_write(world, memory, snapshot, lease)
    publish(world, memory, snapshot, published, lease)
    return rest(world, memory, verdict, begun)


def rest(world: World, memory: Memory, verdict: Verdict, begun: float) -> float:
    """Seconds until the next look, after a turn that was begun then."""
    down, due, now = memory.history.down_since, memory.proven_at, world.eyes.clock.now()
    missed_for, proven_in = 0.0 if down is None else now - down, None if due is None else due - now
    return rest_after(verdict, world.policy, missed_for, proven_in, now - begun)


def take_or_keep_lock(world: World, memory: Memory) -> Lease | None:
    """The lease if we are active; a change of it moves the phase and makes us read the records anew."""
    lease, refused = None, None
    try:
        lease = lease_now(world)
    except LockRefused as error:
        refused = error
    if lease is None:
        if memory.phase is not Phase.STANDBY:
            memory.phase = after(memory.phase, Event.LOCK_LOST)
            memory.operation, memory.left = None, Left()
            world.log.warning("lock lost", epoch=memory.epoch)
        if refused is not None:
            nobody_acts(world, memory, f"{refused.what}: {refused.detail}", refused.hint)
        catch_up(world, memory)  # the active manager may have moved the primary since
        return None
    newly = memory.phase is Phase.STANDBY or memory.epoch != lease.epoch
    if newly and (unread := catch_up(world, memory)) is not None:
        nobody_acts(world, memory, f"the records cannot be read: {unread.what}: {unread.detail}", unread.hint)
        return None
    if memory.phase is Phase.STANDBY:
        memory.left = Left()
    if newly:
        memory.phase = after(Phase.STANDBY, Event.LOCK_WON)
        memory.epoch = lease.epoch
        world.log.info("lock won", epoch=lease.epoch)
        note_settings(world, memory)
    return lease


def note_settings(world: World, memory: Memory) -> None:
    """Who was active before us with other settings."""
    other, since = world.coordination.other_settings(world.cluster), world.eyes.clock.now()
    memory.history = replace(memory.history, settings_of=other, settings_since=since)
    if other:
        world.log.warning("settings differ", manager=other, hint="failoverd config check --against-active there")


def lease_now(world: World) -> Lease | None:
    """The lease, or None while coordination cannot be reached or another manager has it. Raises LockRefused."""
    try:
        lease = world.coordination.lease(world.cluster)
        if lease is not None:
            lease.check()
    except LockRefused:
        raise
    except CoordinationError as error:
        world.log.debug("no lease", why=str(error))
        return None
    return lease


def look_and_judge(world: World, memory: Memory, question: str = "") -> tuple[TopologySnapshot, Verdict]:
    """One look, folded into the memory, and the judgement on both; a standby's question is answered by a login."""
    clock = world.eyes.clock
    due = memory.heartbeat.hosts_due(clock.now(), world.cluster)
    if due:
        catch_up(world, memory)
    world = heeding(world, memory.history.paused_servers)
    recorded = memory.history.recorded
    doubtful = memory.history.disk is not None or memory.history.stuck_since is not None
    name = recorded.name if recorded else None
    alone = due and not doubtful and not others_due(world, memory, name)
    interest = Interest(name, memory.history.misses, due or doubtful, memory.proven_at, alone, bool(question))
    snapshot = with_hosts(look(world.eyes, world.policy, interest, memory.awaited), memory, interest.primary)
    memory.comings = memory.comings.after(snapshot)
    memory.tracks = {s.name: memory.tracks.get(s.name, Track()).after(s) for s in snapshot.reached()} | {
        name: track for name, track in memory.tracks.items() if snapshot.state(name) is None
    }
    memory.history = with_epochs(memory, memory.history.after(snapshot))
    missed = memory.history.misses > 0
    if missed:
        world.eyes.agents.keep_open(world.cluster, None)
        snapshot = heard(world, memory, snapshot)
    memory.proven_at = proven_at(snapshot.reached(), recorded.server_uuid) if missed and recorded else None
    if missed and memory.detected_at is None:
        memory.detected_at = clock.wall().timestamp()
    if not missed:
        memory.detected_at = None
        if due:
            tell_agents(world, memory, snapshot)
    now, wall = clock.now(), clock.wall().timestamp()
    verdict = judge(snapshot, memory.history, world.policy, now, wall)
    world.flight.note(Moment(snapshot, memory.history, world.policy, now, wall, verdict))
    return snapshot, verdict


def others_due(world: World, memory: Memory, primary: str | None) -> bool:
    """Whether agents beside that of the primary's host are asked while it answers: always, unless hosts are so many
    that the others' channels are opened on suspicion, and nothing at all is wrong here.
    """
    before = memory.verdict
    well = before is not None and before.name is VerdictName.HEALTHY and not before.problems
    quiet = well and world.policy.traffic.vip is None
    few = world.eyes.agents.keep_open(world.cluster, primary if quiet else None)
    return memory.heartbeat.others_due(world.eyes.clock.now(), world.cluster) or few or not quiet


def with_hosts(snapshot: TopologySnapshot, memory: Memory, primary: str | None) -> TopologySnapshot:
    """The look with what agents said lately: while the primary answers they are not asked every time. What is old
    shows its age.
    """
    if snapshot.hosts:
        told = {**memory.hosts, **snapshot.hosts}
        memory.hosts = {name: told[name] for name in snapshot.sights if name in told}
    answers = primary is None or snapshot.state(primary) is not None
    return replace(snapshot, hosts=memory.hosts) if answers else snapshot


def with_epochs(memory: Memory, history: History) -> History:
    """The memory with our epoch while we are active, and the highest that the agents remember."""
    seen = (facts.highest_epoch for facts in memory.hosts.values() if isinstance(facts, HostFacts))
    active = memory.phase is not Phase.STANDBY
    return replace(history, epoch=memory.epoch if active else 0, agents_epoch=max(seen, default=0))


def note_change(world: World, memory: Memory, verdict: Verdict) -> None:
    """Log a verdict when it differs from the one before, with all its evidence."""
    before = memory.verdict
    memory.verdict = verdict
    if before is not None and (before.name, before.rule) == (verdict.name, verdict.rule):
        return
    world.log.info(
        "verdict",
        verdict=str(verdict.name),
        rule=verdict.rule,
        sentence=verdict.sentence,
        evidence=[e.sentence for e in verdict.evidence],
        refusals=[r.id for r in verdict.refusals],
    )
    if memory.phase is not Phase.STANDBY:
        tell_verdict(world, memory, verdict)


def act_as_allowed(world: World, memory: Memory, snapshot: TopologySnapshot, verdict: Verdict, lease: Lease) -> None:
    """Do what the verdict advises, or what a person asked for; being deposed on the way only ends our part."""
    occasion = Occasion(
        snapshot,
        memory.history,
        verdict,
        lease,
        memory.detected_at,
        world.eyes.clock.wall().timestamp(),
        memory.paces,
    )
    if memory.phase in {Phase.WATCHING, Phase.SUSPECTING, Phase.HALTED}:
        seen = Event.PRIMARY_MISSED if memory.history.misses else Event.PRIMARY_SEEN
        memory.phase = after(memory.phase, seen)
    try:
        act.respond(world, memory, occasion)
    except (LockLost, FencedOut) as error:
        world.log.warning("this manager was deposed", why=str(error), epoch=lease.epoch)
    except CoordinationError as error:
        world.log.warning("the records of coordination cannot be used", why=str(error), epoch=lease.epoch)
        now = world.eyes.clock.now()
        memory.history = replace(memory.history, unwritable=str(error), unwritable_at=now)
    except FailoverdError as error:
        world.log.warning("could not act", why=str(error))
    if memory.phase is Phase.OPERATING:  # an error met its very end, the report or the record of it: it is still open
        memory.phase = after(memory.phase, Event.OPERATION_LEFT)


def publish(
    world: World, memory: Memory, snapshot: TopologySnapshot, published: Published, lease: Lease | None
) -> None:
    """Tell everybody what is known; a failure to publish is no reason to stop watching."""
    try:
        published.put(world, memory, snapshot, lease)
    except CoordinationError as error:
        world.log.debug("not published", why=str(error))
