"""What the active manager does in passing for the clients of a primary that serves: their ways to it are read again
and again, and mended, under the lock and its epoch.

A HAProxy that was restarted, an interface that flapped, a host that was booted: all look the same here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from failoverd.decide.leading import Mending, findings, holders, mending, troubles
from failoverd.model.errors import AgentError, BalancerError, CoordinationError, FencedOut, TimedOut
from failoverd.model.finding import Finding
from failoverd.model.traffic import BalancerSight, Steering, Vip
from failoverd.observe.fanout import ask_all
from failoverd.service.phases import Phase
from failoverd.service.world import Memory, Occasion, World

# HAProxies are asked this often; one that does not answer within the limit is passed over until the next time
# (seconds).
EVERY = 1.0
LIMIT = 0.3
# What could not be mended is tried again after this pause (seconds).
AGAIN = 3.0


def keep_traffic(world: World, memory: Memory, occasion: Occasion) -> None:
    """One look's worth of it; errors of hosts and HAProxies are logged, those of coordination are raised."""
    primary = serving(memory, occasion)
    if not primary or not world.policy.traffic.any or memory.phase is not Phase.WATCHING:
        return
    now = world.eyes.clock.now()
    if now - memory.led.seen_at >= EVERY:
        memory.led = replace(memory.led, balancers=ask_balancers(world), seen_at=now)
    led = memory.led
    wanted = mending(world.policy, primary, memory.hosts, led.balancers, led.since)
    if not wanted.any or now < led.again_at or memory.history.paused is not None:
        return
    done = [mend(world, occasion, name, what) for name, what in deeds(world, occasion, primary, wanted)]
    later = world.eyes.clock.now()
    memory.led = replace(led, since=later, seen_at=float("-inf"), again_at=later + (0.0 if all(done) else AGAIN))
    memory.heartbeat.ask_soon()


def serving(memory: Memory, occasion: Occasion) -> str:
    """The recorded primary, if it is seen to take writes; else nobody, and the ways are left as they are."""
    recorded = memory.history.recorded
    state = occasion.snapshot.state(recorded.name) if recorded else None
    if recorded is None or state is None or occasion.verdict.primary != recorded.name:
        return ""
    return recorded.name if state.writable and state.server_uuid == recorded.server_uuid else ""


def ask_balancers(world: World) -> tuple[BalancerSight, ...]:
    """What every HAProxy believes."""
    haproxy, balancers = world.policy.traffic.haproxy, world.outside.balancers
    if haproxy is None or balancers is None:
        return ()
    backend = haproxy.backend

    def asking(socket: str) -> Callable[[], BalancerSight]:
        return lambda: balancers.look(socket, backend, LIMIT)

    answers = world.eyes.tasks.gather({socket: asking(socket) for socket in haproxy.sockets}, LIMIT * 2)
    return tuple(
        BalancerSight(socket, problem=f"HAProxy at {socket}: {answer}") if isinstance(answer, Exception) else answer
        for socket, answer in answers.items()
    )


def traffic_shown(world: World, memory: Memory) -> Mapping[str, object] | None:
    """The clients' ways as published: who carries the address, what each HAProxy believes, what is wrong."""
    traffic, led = world.policy.traffic, memory.led
    if not traffic.any:
        return None
    return {
        "address": str(traffic.vip) if traffic.vip is not None else None,
        "holders": holders(memory.hosts, traffic.vip.address) if traffic.vip is not None else [],
        "balancers": [
            {"socket": b.socket, "ready": sorted(b.ready), "problem": b.problem or None} for b in led.balancers
        ],
        "problems": troubles(world.policy, memory.hosts, led.balancers),
    }


def traffic_check(world: World, memory: Memory) -> tuple[Finding, ...]:
    """Everything that leading clients will need, as far as it can be tried without changing anything."""
    haproxy, balancers = world.policy.traffic.haproxy, world.outside.balancers
    denied: Mapping[str, str | Exception] = {}
    sights: tuple[BalancerSight, ...] = ()
    if haproxy is not None and balancers is not None:
        sights, backend = ask_balancers(world), haproxy.backend
        denied = ask_all(world.eyes.tasks, haproxy.sockets, lambda s: balancers.may_change(s, backend, LIMIT), LIMIT)
    return tuple(findings(world.policy, memory.hosts, sights, denied))


def deeds(world: World, occasion: Occasion, primary: str, wanted: Mending) -> list[tuple[str, Callable[[], object]]]:
    """What is to be done, each with its name: the address is taken away first, then brought."""
    lease, agents, cluster = occasion.lease, world.eyes.agents, world.cluster
    found: list[tuple[str, Callable[[], object]]] = []
    vip, haproxy, balancers = world.policy.traffic.vip, world.policy.traffic.haproxy, world.outside.balancers

    def leaving(name: str, away: Vip) -> Callable[[], object]:
        return lambda: agents.leave_address(cluster, name, away, lease)

    if vip is not None:
        found += [(f"{vip} taken away from {name}", leaving(name, vip)) for name in wanted.leave]
    if vip is not None and wanted.take:
        found.append((f"{vip} brought to {primary}", lambda: agents.take_address(cluster, primary, vip, lease)))
    if haproxy is not None and balancers is not None:
        others = frozenset(spec.name for spec in world.policy.servers if spec.name != primary)
        for socket in wanted.steer:
            aim = Steering(socket, haproxy.backend, primary, others)
            found.append((f"{aim} leads to {primary}", lambda aim=aim: balancers.steer(aim, lease, LIMIT * 3)))  # type: ignore[misc]
    return found


def mend(world: World, occasion: Occasion, name: str, what: Callable[[], object]) -> bool:
    """One deed; whether it was done. Being deposed is raised."""
    occasion.lease.check()
    try:
        what()
    except (CoordinationError, FencedOut):
        raise
    except (AgentError, BalancerError, TimedOut) as error:
        world.log.warning("traffic not mended", wanted=name, why=str(error))
        return False
    world.log.info("traffic mended", what=name)
    return True
