"""Hard links of log files, made at the first sign of trouble and ended when it is over, like those of operations.

What a replica has received and not executed, and the primary's own logs, may be purged while everybody still wonders:
by a start with relay_log_recovery, a repoint, a rotation. Links outlive all of these, and a failover reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from failoverd.gtid import GtidSet
from failoverd.model.errors import FailoverdError
from failoverd.model.finding import Finding, Severity
from failoverd.model.history import LEFT
from failoverd.model.host import HostFacts, LogKind
from failoverd.model.sight import ServerState
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.sources import forgot
from failoverd.model.verdict import VerdictName
from failoverd.observe.fanout import ask_all, beside
from failoverd.ports import Lease
from failoverd.service.world import Links, Memory, World

TROUBLE = frozenset(
    {
        VerdictName.SUSPECT,
        VerdictName.PRIMARY_DEAD,
        VerdictName.PRIMARY_FROZEN,
        VerdictName.PRIMARY_HUNG,
        VerdictName.PRIMARY_UNFIT,
    }
)
# How long `check` waits for the list of links (seconds).
LIMIT = 5.0
ENDED_BY = "look what they hold with mysqlbinlog, then remove that folder below #failoverd_kept beside the logs"
# What cannot be done there is not tried for ever.
TRIES = 5


def mind_links(world: World, memory: Memory, snapshot: TopologySnapshot, lease: Lease) -> None:
    """Link what is in danger where the primary is in trouble; end the links where all is well. Pauses hold for it."""
    history, verdict = memory.history, memory.verdict
    if history.recorded is None or history.paused is not None or verdict is None:
        return
    of = (history.recorded.trouble, history.recorded.name, lease.epoch)
    if memory.links.of != of:
        memory.links = Links(of)
    links, calls = memory.links, {}
    if verdict.name in TROUBLE:
        links.turn(trouble=True)
        calls = {name: keeping(world, links, name, snapshot, lease) for name in endangered(world, memory, snapshot)}
    elif verdict.name is VerdictName.HEALTHY and not history.open_operation:
        links.turn(trouble=False)
        primary = snapshot.state(history.recorded.name)
        held = primary.executed if primary is not None else None
        names = [n for n in open_hosts(world, memory) if held is not None and n not in links.trimmed]
        calls = {name: trimming(world, links, name, held or GtidSet(), lease) for name in names}
    links.busy.update(calls)
    beside(world.eyes.tasks, calls)


def open_hosts(world: World, memory: Memory) -> list[str]:
    """Servers whose agent answered when it was last asked, that are not in maintenance, where nothing is under way and
    not everything has failed.
    """
    links, hosts = memory.links, memory.hosts
    names = [spec.name for spec in world.policy.servers if not spec.maintenance]
    able = (name for name in names if name not in links.busy and links.failures.get(name, 0) < TRIES)
    return [name for name in able if isinstance(hosts.get(name), HostFacts)]


def endangered(world: World, memory: Memory, snapshot: TopologySnapshot) -> list[str]:
    """Whose files are to be linked: the primary's, unless its disk is what ails; every replica's that holds what it has
    not executed, or that cannot be asked.
    """
    linked, (_, primary, _) = memory.links.linked, memory.links.of
    found = []
    for name in open_hosts(world, memory):
        state = snapshot.state(name)
        if name == primary:
            wanted = name not in linked and memory.history.disk is None
        elif state is None:
            wanted = name not in linked
        else:
            wanted = holds_more(state) and not (name in linked and state.received <= linked[name])
        found += [name] if wanted else []
    return found


def holds_more(state: ServerState) -> bool:
    """Whether relay logs hold, or may hold, what the server has not executed."""
    return bool(state.unapplied) or forgot(state)


def keeping(world: World, links: Links, name: str, snapshot: TopologySnapshot, lease: Lease) -> Callable[[], None]:
    """The call that links one server's files: the recorded primary's binary logs, anybody else's relay logs."""
    state, (trouble, primary, _) = snapshot.state(name), links.of
    received = state.received if state is not None else GtidSet()
    kind = LogKind.BINARY if name == primary else LogKind.RELAY

    def keep() -> None:
        files = world.eyes.agents.keep(world.cluster, name, lease, trouble, kind)
        links.linked[name] = received
        world.log.info("log files linked", server=name, logs=str(kind), files=files, trouble=trouble)

    return lambda: ending(world, links, name, keep)


def trimming(world: World, links: Links, name: str, held: GtidSet, lease: Lease) -> Callable[[], None]:
    """The call that ends the links of one server."""

    def trim() -> None:
        left = world.eyes.agents.trim(world.cluster, name, lease, held)
        links.trimmed.add(name)
        if left:
            world.log.warning("linked log files hold what the primary lacks", server=name, left=left)

    return lambda: ending(world, links, name, trim)


def left_links(world: World, memory: Memory) -> Iterator[Finding]:
    """What `check` says about links that outlived their cause: nobody but a person ends them."""
    names = [spec.name for spec in world.policy.servers if isinstance(memory.hosts.get(spec.name), HostFacts)]
    agents = world.eyes.agents
    found = ask_all(world.eyes.tasks, names, lambda name: agents.kept(world.cluster, name, LIMIT), LIMIT)
    for name, answer in found.items():
        for links in () if isinstance(answer, Exception) else answer:
            if links.name.startswith(LEFT):
                what = f"{links.files} linked log files of {name}, {links.bytes} bytes, outlived {links.name}"
                why = "the primary lacked what they hold, or they are damaged"
                yield Finding("links-left", world.cluster, name, f"{what}: {why}", ENDED_BY, Severity.WARNING)


def ending(world: World, links: Links, name: str, act: Callable[[], None]) -> None:
    """Do it; what fails is tried again at the next looks, some times."""
    try:
        act()
    except FailoverdError as error:
        links.failures[name] = links.failures.get(name, 0) + 1
        world.log.debug("links not changed", server=name, why=str(error))
    finally:
        links.busy.discard(name)
