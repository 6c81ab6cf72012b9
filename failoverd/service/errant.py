"""What servers have made for themselves: found, shown with what made it, and kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from failoverd.decide.acknowledged import Evidence, evidence_from, judge_tail
from failoverd.decide.errant import errant, legitimate
from failoverd.gtid import GtidSet
from failoverd.model.divergence import ExportOrder, Judged
from failoverd.model.errors import CoordinationError, FailoverdError
from failoverd.model.history import History
from failoverd.model.host import LogKind
from failoverd.model.plans import Kind, Result
from failoverd.model.snapshot import TopologySnapshot
from failoverd.service.operation import name_of
from failoverd.service.world import World

Document = Mapping[str, object]
# Seconds that an agent gets to read its server's logs.
SCAN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person wants of the errant transactions: of one server or of all, how many are shown, and whether they are
    kept.
    """

    server: str = ""
    most: int = 5
    export: bool = False


def find(world: World, snapshot: TopologySnapshot, history: History, server: str) -> tuple[GtidSet, str]:
    """What a server has made for itself; of one that does not answer, by its host's logs. In words what is unknown."""
    state = snapshot.state(server)
    if state is not None:
        return errant(state, snapshot, history), ""
    recorded = history.recorded
    primary = snapshot.state(recorded.name) if recorded else None
    lacking = primary.executed if primary is not None else GtidSet()
    held = world.eyes.agents.scan(world.cluster, server, LogKind.BINARY, lacking, SCAN_SECONDS)
    return held.missing - legitimate(held.missing, snapshot, history), held.problem


def first_of(gtids: GtidSet, count: int) -> GtidSet:
    """So many transactions of a set, from its beginning on."""
    found = GtidSet()
    for uuid, tag, runs in gtids.parts():
        for first, last in runs:
            left = count - len(found)
            if left > 0:
                found |= GtidSet.of({(uuid, tag): ((first, min(last, first + left - 1)),)})
    return found


def judged_tail(world: World, server: str, gtids: GtidSet) -> tuple[Judged, ...]:
    """What the journal tells of who was told of these."""
    try:
        evidence = evidence_of(world, server)
    except CoordinationError:
        evidence = None
    return judge_tail(gtids, evidence)


def evidence_of(world: World, server: str) -> Evidence | None:
    """What the last failover away from this server wrote down; None where none is on record."""
    for listed in world.coordination.operations(world.cluster):
        wanted = {"kind": Kind.FAILOVER, "old_primary": server, "outcome": Result.DONE}
        if all(listed.get(key) == value for key, value in wanted.items()):
            shown = world.coordination.operation(str(listed["operation"]))
            return evidence_from(shown) if shown is not None else None
    return None


def told(world: World, snapshot: TopologySnapshot, history: History, wanted: Wanted) -> Document:
    """The document about all servers, or one."""
    primary = history.recorded.name if history.recorded else ""
    names = [s.name for s in world.policy.servers if s.name != primary and wanted.server in {"", s.name}]
    servers = [told_of(world, snapshot, history, replace(wanted, server=name)) for name in names]
    return {"cluster": world.cluster, "primary": primary or None, "servers": servers}


def told_of(world: World, snapshot: TopologySnapshot, history: History, wanted: Wanted) -> Document:
    """One server: what is errant there, the first of it with what made it, and where it is kept."""
    archive, server = world.outside.archive, wanted.server
    gtids, problem = find(world, snapshot, history, server)
    shown: tuple[Document, ...] = ()
    folder = ""
    if gtids and archive is not None:
        primary = history.recorded.name if history.recorded else ""
        name = f"{name_of(world.cluster, history.epoch, world.eyes.clock.wall())}-{server}"
        order = ExportOrder(world.cluster, server, gtids, name, primary, judged_tail(world, server, gtids))
        try:
            if wanted.export:
                kept = archive.keep(order)
                folder, problem = kept.folder, "; ".join((*filter(None, [problem]), *kept.problems))
            folder = folder or archive.kept(world.cluster, server, gtids)
            first = replace(order, gtids=first_of(gtids, wanted.most))
            shown = archive.show(first, wanted.most) if first.gtids else ()
        except FailoverdError as error:
            problem = f"{problem}; {error}" if problem else str(error)
    return {
        "name": server,
        "reachable": snapshot.state(server) is not None,
        "gtids": str(gtids),
        "transactions": len(gtids),
        "export": folder or None,
        "shown": list(shown),
        "problem": problem or None,
    }
