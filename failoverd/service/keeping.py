"""What servers have made for themselves is kept on this host as soon as it is seen, whatever people decide later: a
binary log is purged one day, and with it the only record of what was written there.

Once for each set, beside the cycle, one server at a time, and each time later where a set goes on growing.
"""

from __future__ import annotations

from collections.abc import Callable

from failoverd.decide.errant import errant
from failoverd.gtid import GtidSet
from failoverd.model.divergence import ExportOrder
from failoverd.model.errors import FailoverdError
from failoverd.model.snapshot import TopologySnapshot
from failoverd.observe.fanout import beside
from failoverd.service.errant import first_of, judged_tail
from failoverd.service.operation import name_of
from failoverd.service.world import Again, Memory, World

# So much is kept without being asked for; a person's own export has no limit.
MOST_KEPT = 10_000
MOST_BYTES = 256 * 1024 * 1024
# After one export of a server the next one waits this long, each time longer, while there is something new (seconds).
PAUSE_FIRST = 60.0
PAUSE_MOST = 6 * 3600.0


def keep_errant(world: World, memory: Memory, snapshot: TopologySnapshot) -> None:
    """Let one server's own transactions be kept, where they are seen beside a primary that takes writes."""
    recorded, shelf = memory.history.recorded, memory.shelf
    primary = snapshot.state(recorded.name) if recorded is not None else None
    alone = memory.history.paused is None and not memory.history.open_operation and not shelf.busy
    if world.outside.archive is None or primary is None or not primary.writable or not alone:
        return
    found = {s.name: errant(s, snapshot, memory.history) for s in snapshot.reached() if s.name != primary.name}
    for name, gtids in found.items():
        if not gtids:
            shelf.kept.pop(name, None)
            shelf.again.pop(name, None)
        elif wanted(world, memory, name, gtids):
            shelf.busy.add(name)
            beside(world.eyes.tasks, {name: exporting(world, memory, name, primary.name, gtids)})
            return


def wanted(world: World, memory: Memory, name: str, gtids: GtidSet) -> bool:
    """Whether there is something new to keep, and it is time; maintenance is left alone."""
    known, again = memory.shelf.kept.get(name, GtidSet()), memory.shelf.again.get(name, Again())
    spared = any(spec.name == name and spec.maintenance for spec in world.policy.servers)
    return not spared and not gtids <= known and world.eyes.clock.now() >= again.at


def exporting(world: World, memory: Memory, server: str, primary: str, gtids: GtidSet) -> Callable[[], None]:
    """The call that keeps them; what fails is tried again later."""
    shelf, clock = memory.shelf, world.eyes.clock
    pause = min(max(2 * shelf.again.get(server, Again()).pause, PAUSE_FIRST), PAUSE_MOST)
    first = first_of(gtids, MOST_KEPT)
    name = f"{name_of(world.cluster, memory.epoch, clock.wall())}-{server}"
    judged = judged_tail(world, server, first)
    order = ExportOrder(world.cluster, server, first, name, primary, judged, MOST_BYTES)

    def export() -> None:
        try:
            kept_now(world, order, left=len(gtids) - len(first))
            shelf.kept[server] = gtids
        except FailoverdError as error:
            world.log.warning("errant transactions not kept", server=server, gtids=str(first), why=str(error))
        finally:
            shelf.again[server] = Again(clock.now() + pause, pause)
            shelf.busy.discard(server)

    return export


def kept_now(world: World, order: ExportOrder, left: int) -> None:
    """On the disk when it returns, unless they were there already."""
    archive = world.outside.archive
    if archive is None or archive.kept(order.cluster, order.server, order.gtids):
        return
    done = archive.keep(order)
    more = f"{left} more are in its log only: failoverd errant {order.cluster} {order.server} --export" if left else ""
    problems = [*done.problems, *filter(None, [more])]
    found, lacking = str(order.gtids), str(done.lacking)
    world.log.warning(
        "errant transactions kept",
        server=order.server,
        gtids=found,
        folder=done.folder,
        lacking=lacking,
        problems=problems,
    )
