"""Agents in memory: hosts with a mysqld that lives or not, log files as GTID sets, epochs and fence marks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from failoverd.gtid import GtidSet
from failoverd.model.errors import AgentError, FencedOut, LockLost
from failoverd.model.history import LEFT
from failoverd.model.host import (
    AgentSilent,
    FenceProof,
    Holding,
    HostFacts,
    HostSight,
    Links,
    LogKind,
    Lot,
    ProbeOutcome,
    ProbeReport,
    Spliced,
    Verified,
)
from failoverd.model.sight import ServerState
from failoverd.model.traffic import Vip
from failoverd.ports import Lease, Progress

BYTES_EACH = 300  # what one transaction takes in a log file
LAID = "relay-fo_recover.000001"
EVERYTHING = Lot()


def first_of(gtids: GtidSet, count: int) -> GtidSet:
    """So many transactions of a set, from its beginning on."""
    found = GtidSet()
    for uuid, tag, intervals in gtids.parts():
        for first, last in intervals:
            left = count - len(found)
            if left > 0:
                found |= GtidSet.of({(uuid, tag): ((first, min(last, first + left - 1)),)})
    return found


@dataclass
class FakeHost:
    """One host; `silent` is the state of an agent that does not answer, empty where it does."""

    uuid: str
    alive: bool = False
    pid: int = 4711
    logs: dict[LogKind, GtidSet] = field(default_factory=dict)
    remembered: bool = False
    epoch: int = 0
    fenced: int | None = None
    spliced: GtidSet = field(default_factory=GtidSet)
    aside: GtidSet = field(default_factory=GtidSet)
    silent: str = ""
    kept: dict[str, dict[LogKind, GtidSet]] = field(default_factory=dict)
    unreadable: GtidSet = field(default_factory=GtidSet)
    behind: GtidSet = field(default_factory=GtidSet)
    addresses: set[str] = field(default_factory=set)
    stands_in: bool = False

    def begin(self) -> None:
        """mysqld is started by whoever starts it; a held host kills it at once."""
        self.alive = self.fenced is None

    def only_linked(self, kind: LogKind, names: tuple[str, ...]) -> GtidSet:
        """What links of these names hold and no log does any more."""
        linked = GtidSet()
        for name in names:
            linked |= self.kept.get(name, {}).get(kind, GtidSet())
        return linked - self.logs.get(kind, GtidSet())

    def accept(self, lease: Lease) -> None:
        """Take a change under an epoch, or refuse a lower one."""
        lease.check()
        if lease.epoch < self.epoch:
            raise FencedOut(f"epoch {lease.epoch} is over", f"seen: {self.epoch}")
        self.epoch = lease.epoch


class FakeAgents:
    """Implements `ports.Agents` over hosts by server name; `lease_of` as the real one has it."""

    def __init__(self, hosts: dict[str, FakeHost], lease_of: Callable[[str], Lease | None]) -> None:
        self.hosts = hosts
        self._lease_of = lease_of
        self.few = True
        self.kept_open: str | None = None
        self.asked: list[str] = []

    def keep_open(self, cluster: str, primary: str | None) -> bool:
        self.kept_open = primary
        return self.few

    def facts(self, cluster: str, server: str, timeout: float) -> HostSight:
        self.asked.append(server)
        try:
            host = self._host(server)
        except AgentError as error:
            state = {"MISSING": "missing", "OLD": "old"}.get(error.code, "unreachable")
            return AgentSilent(server, state, str(error), 0.0)
        pids = (host.pid,) if host.alive else ()
        return HostFacts(
            server, host.alive, pids, "S" if host.alive else "", host.uuid, 0.0,
            fenced_epoch=host.fenced, disk_free=1 << 30, highest_epoch=host.epoch, version="fake",
            addresses=frozenset(host.addresses),
        )  # fmt: skip

    def probe(self, cluster: str, origin: str, target: str, timeout: float) -> ProbeReport | None:
        asked = self.hosts.get(origin)
        if asked is None or asked.silent:
            return None
        outcome = ProbeOutcome.OK if self.hosts[target].alive else ProbeOutcome.REFUSED
        return ProbeReport(origin, target, outcome, 0.001, 0.0)

    def remember(self, cluster: str, state: ServerState) -> None:
        host = self._host(state.name, known=False)
        host.remembered = True

    def scan(self, cluster: str, server: str, kind: LogKind, lacking: GtidSet, timeout: float) -> Holding:
        try:
            missing = self._host(server).logs.get(kind, GtidSet()) - lacking
        except AgentError as error:
            return Holding(server, kind, complete=False, problem=str(error))
        return Holding(server, kind, missing, len(missing) * BYTES_EACH, files=1)

    def scan_kept(
        self, cluster: str, server: str, names: tuple[str, ...], lacking: GtidSet, timeout: float
    ) -> tuple[Holding, ...]:
        host = self._host(server)
        found = [host.only_linked(kind, names) - lacking for kind in LogKind]
        return tuple(
            Holding(server, kind, missing, len(missing) * BYTES_EACH, files=1, kept=names)
            for kind, missing in zip(LogKind, found, strict=True)
            if missing
        )

    def verify(self, cluster: str, server: str, file: str, position: int, timeout: float) -> Verified:
        try:
            host = self._host(server)
        except AgentError as error:
            return Verified(server, problem=str(error))
        held = host.logs.get(LogKind.RELAY, GtidSet())
        damage = "log file relay.000002 is damaged at offset 300" if host.unreadable or host.behind else ""
        return Verified(server, held - host.unreadable - host.behind, host.behind, damage)

    def keep(self, cluster: str, server: str, lease: Lease, operation: str, kind: LogKind | None = None) -> int:
        host = self._host(server)
        host.accept(lease)
        logs = {one: held for one, held in host.logs.items() if kind in {None, one}}
        links = host.kept.setdefault(operation, {})
        links.update({one: links.get(one, GtidSet()) | held for one, held in logs.items()})
        return len(logs)

    def kept(self, cluster: str, server: str, timeout: float) -> tuple[Links, ...]:
        host = self._host(server)
        return tuple(Links(server, name, len(links), 0) for name, links in sorted(host.kept.items()))

    def trim(self, cluster: str, server: str, lease: Lease, held: GtidSet) -> str:
        host = self._host(server)
        left = []
        for name in [name for name in host.kept if not name.startswith(LEFT)]:
            host.accept(lease)
            beyond = [host.only_linked(kind, (name,)) - held for kind in LogKind]
            links = host.kept.pop(name)
            if any(beyond):
                host.kept[f"{LEFT}{name}"] = links
            left += [gtids.shorten() for gtids in beyond if gtids]
        return "; ".join(left)

    def transfer(
        self, cluster: str, target: str, wanted: Holding, progress: Progress, lot: Lot = EVERYTHING
    ) -> Spliced:
        lease = self._lease_of(cluster)
        if lease is None:
            raise LockLost(f"nothing is laid out on {target}", f"no lease on {cluster}")
        giver, taker = self._host(wanted.server), self._host(target)
        taker.accept(lease)
        laid = (giver.logs.get(wanted.kind, GtidSet()) | giver.only_linked(wanted.kind, wanted.kept)) & wanted.missing
        laid = first_of(laid, -(-lot.most // BYTES_EACH)) if lot.most else laid
        if not laid:
            raise AgentError("the upload holds no file", code="BAD_REQUEST")
        size = len(laid) * BYTES_EACH
        progress(size, size)
        if lot.aside:
            taker.aside = laid
        else:
            taker.spliced = laid
        return Spliced("relay-fo_next.000001" if lot.aside else LAID, laid, size, 1)

    def bring_forward(self, cluster: str, server: str, lease: Lease) -> str:
        host = self._host(server)
        host.accept(lease)
        if not host.aside:
            raise AgentError("no file lies aside", code="NOT_FOUND")
        host.spliced, host.aside = host.aside, GtidSet()
        return LAID

    def clean_spliced(self, cluster: str, server: str, lease: Lease) -> None:
        host = self._host(server)
        host.accept(lease)
        host.spliced = host.aside = GtidSet()

    def fence(self, cluster: str, server: str, server_uuid: str, lease: Lease, operation: str) -> FenceProof:
        host = self._host(server)
        lease.check()
        if host.uuid != server_uuid:
            raise AgentError("the data directory belongs to another server", code="NOT_FOUND")
        host.accept(lease)
        killed = (host.pid,) if host.alive else ()
        host.alive, host.fenced = False, lease.epoch
        host.addresses.clear()
        return FenceProof(server, "agent: killed, held by guard", proven=True, killed=killed, hold="guard")

    def release(self, cluster: str, server: str, lease: Lease) -> None:
        host = self._host(server)
        host.accept(lease)
        host.fenced = None

    def stand_in(self, cluster: str, server: str, server_uuid: str, lease: Lease) -> None:
        host = self._host(server)
        host.accept(lease)
        if not host.alive:
            raise AgentError("there is no single mysqld to wait for", code="NOT_FOUND")
        host.stands_in = True

    def take_address(self, cluster: str, server: str, vip: Vip, lease: Lease) -> bool:
        host = self._host(server)
        host.accept(lease)
        if host.fenced is not None:
            raise AgentError(f"server {server} is fenced here", code="NOT_FOUND")
        taken = vip.address not in host.addresses
        host.addresses.add(vip.address)
        return taken

    def leave_address(self, cluster: str, server: str, vip: Vip, lease: Lease) -> bool:
        host = self._host(server)
        host.accept(lease)
        left = vip.address in host.addresses
        host.addresses.discard(vip.address)
        return left

    def _host(self, server: str, *, known: bool = True) -> FakeHost:
        host = self.hosts.get(server)
        if host is None:
            raise AgentError(f"no agent is known for {server}", code="MISSING")
        if host.silent:
            raise AgentError(f"the agent of {server} is {host.silent}", code=host.silent.upper())
        if known and not host.remembered:
            raise AgentError(f"{server} was never remembered", code="NOT_FOUND")
        return host
